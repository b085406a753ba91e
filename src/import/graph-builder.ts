/**
 * Builds the flat graph from the values that are asked for, and nothing that they do not need. Functions of While, If
 * and Case are built in the same way, each a graph of its own; variables that never change become constants, whose
 * values are filled in afterwards, because reading them takes time.
 */
import { LimitError } from "../base/errors.ts";
import type { NodeDef } from "../formats/tensorflow/graph-messages.ts";
import type {
  Attr,
  Graph,
  GraphInput,
  GraphNode,
  GraphOutput,
  TensorValue,
  ValueRef,
} from "../graph/ir.ts";
import { topologicalOrder } from "../graph/order.ts";
import { toAttr } from "./attr-values.ts";
import { buildBranch, functionAttrs } from "./branches.ts";
import { toFunctional } from "./control-flow.ts";
import {
  type BuildContext,
  constantNode,
  type InputPlan,
  type NodeEmitter,
  nodeError,
  type OutputPlan,
} from "./graph-plan.ts";
import { isVariable, type NodeValue, type Value } from "./resolver.ts";
import { type Scope, whereIs } from "./scope.ts";
import type { Access } from "./state.ts";
import { isTable } from "./tables.ts";
import { rewriteVariableUse, writeParts } from "./variable-uses.ts";
import type { VocabularyFormat } from "./vocabulary.ts";

/** Most nodes that inlining may make. */
const MAX_NODES = 1_000_000;

/** Attributes that are notes of TensorFlow's to itself; these few mean something to a converter. */
const KEPT_NOTES: ReadonlySet<string> = new Set(["_implements", "api_implements"]);

const PLACEHOLDERS: ReadonlySet<string> = new Set([
  "Placeholder",
  "PlaceholderV2",
  "LegacyFedInput",
]);

/** Builds one graph. Make a new one for each. */
export class GraphBuilder implements NodeEmitter {
  readonly context: BuildContext;
  readonly #nodes: GraphNode[] = [];
  readonly #names = new Map<Scope, Map<string, string>>();
  readonly #taken = new Set<string>();
  readonly #functions = new Map<string, Graph>();
  readonly #queue: { scope: Scope; node: NodeDef; name: string }[] = [];

  constructor(context: BuildContext) {
    this.context = context;
  }

  /** `accesses` are those of variables that the graph changes, in the order of execution. */
  build(
    inputs: readonly InputPlan[],
    outputs: readonly OutputPlan[],
    accesses: readonly Access[] = [],
  ): Graph {
    for (const input of inputs) this.#addPlaceholder(input);
    const writes = accesses.filter(({ writes }) => writes);
    const effects = writes.map(({ scope, node }) => this.#nameOf(scope, node));
    const roots = outputs.map(({ value }) => this.refTo(value));
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      this.#emit(next.scope, next.node, next.name);
    }
    const kept = [...inputs.map(({ node }) => node), ...effects];
    const functional = toFunctional(this.#nodes, roots, kept, this.#functions);
    return {
      inputs: inputs.map(
        ({ key, tensorName, node, dtype, signatureShape }): GraphInput => ({
          key,
          tensorName,
          node,
          dtype,
          signatureShape,
        }),
      ),
      outputs: outputs.map(
        ({ key, tensorName }, i): GraphOutput => ({ key, tensorName, value: functional.roots[i]! }),
      ),
      nodes: topologicalOrder(functional.nodes, this.#accessOrder(accesses)),
      functions: this.#functions,
    };
  }

  /** A reference to a value; the node behind it joins the graph. */
  refTo(value: Value): ValueRef {
    if (value.kind === "input") return { node: value.name, output: 0 };
    return { node: this.#nameOf(value.scope, value.node), output: this.#outputIndex(value) };
  }

  inputsOf(scope: Scope, node: NodeDef): ValueRef[] {
    return this.#refsTo(scope, node.input);
  }

  add(node: GraphNode): void {
    this.context.nodeCount++;
    if (this.context.nodeCount > MAX_NODES) {
      throw new LimitError({
        where: `node "${node.name}"`,
        found: "functions that unfold to ever more nodes",
        expected: `at most ${MAX_NODES} nodes`,
        limit: "nodes after inlining",
        value: this.context.nodeCount,
        max: MAX_NODES,
      });
    }
    this.#nodes.push(node);
  }

  addConstant(name: string, value: TensorValue): ValueRef {
    const unique = this.#uniqueName(name);
    this.add(constantNode(unique, value));
    return { node: unique, output: 0 };
  }

  attrsOf(scope: Scope, node: NodeDef): Map<string, Attr> {
    const attrs = new Map<string, Attr>();
    for (const name of node.attr.keys()) {
      if (name.startsWith("_") && !KEPT_NOTES.has(name)) continue;
      const message = node.attr.get(name);
      if (message === undefined) continue;
      const where = `${whereIs(scope, node)}, attribute "${name}"`;
      attrs.set(name, toAttr(message, where, scope.attrs));
    }
    const defaults = this.context.resolver.program.signatures.find(node.op)?.defaults;
    for (const [name, attr] of defaults ?? []) if (!attrs.has(name)) attrs.set(name, attr);
    return attrs;
  }

  #addPlaceholder({ node, dtype, shape }: InputPlan): void {
    this.#taken.add(node);
    const attrs = new Map<string, Attr>([
      ["dtype", { kind: "type", value: dtype }],
      ["shape", { kind: "shape", value: shape }],
    ]);
    this.add({ name: node, op: "Placeholder", inputs: [], attrs, outputCount: 1 });
  }

  #nameOf(scope: Scope, node: NodeDef): string {
    const names = this.#names.get(scope) ?? new Map<string, string>();
    this.#names.set(scope, names);
    let name = names.get(node.name);
    if (name === undefined) {
      name = this.#uniqueName(`${scope.path}${node.name}`);
      names.set(node.name, name);
      this.#queue.push({ scope, node, name });
    }
    return name;
  }

  #uniqueName(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }

  /** Results of a While that are handles are not tensors: the others move up. */
  #outputIndex({ node, output }: NodeValue): number {
    if (node.op !== "While" && node.op !== "StatelessWhile") return output;
    const handles = this.context.resolver.handleOperands(node);
    return output - handles.slice(0, output).filter(Boolean).length;
  }

  #emit(scope: Scope, node: NodeDef, name: string): void {
    const { resolver } = this.context;
    if (isVariable(node)) {
      this.#emitVariable(scope, node, name);
      return;
    }
    if (isTable(node)) {
      this.#emitTable(scope, node, name);
      return;
    }
    if (PLACEHOLDERS.has(node.op)) {
      this.#emitUnfed(scope, node, name);
      return;
    }
    if (rewriteVariableUse(this, scope, node, name)) return;
    const branch = buildBranch(
      this.context,
      this.#functions,
      scope,
      node,
      name,
      (inputs, outputs) => new GraphBuilder(this.context).build(inputs, outputs),
    );
    const handles = branch?.handles ?? [];
    const inputs = this.#refsTo(
      scope,
      node.input.filter((_, i) => handles[i] !== true),
    );
    if (branch === undefined) this.#checkOperands(scope, node, inputs.length);
    const attrs = functionAttrs(this.attrsOf(scope, node), branch);
    const known = resolver.outputCount(scope, node);
    const outputCount = branch?.outputCount ?? known ?? this.#highestUse(scope, node);
    this.add({ name, op: node.op, inputs, attrs, outputCount });
  }

  /** What comes later relies on operands being there. */
  #checkOperands(scope: Scope, node: NodeDef, found: number): void {
    const wanted = this.context.resolver.inputCount(scope, node);
    if (wanted === undefined || wanted === found) return;
    throw nodeError(scope, node, `${found} ${found === 1 ? "operand" : "operands"}`, `${wanted}`);
  }

  /** A placeholder that is no input. The switch between training and inference is known; others are an error. */
  #emitUnfed(scope: Scope, node: NodeDef, name: string): void {
    if (!node.name.includes("keras_learning_phase")) {
      throw nodeError(
        scope,
        node,
        "a placeholder that the outputs need and that is not among the inputs",
        "a value for it",
      );
    }
    this.add(constantNode(name, { dtype: "bool", shape: [], data: Uint8Array.of(0) }));
  }

  /** A constant, or a handle with its initial value. */
  #emitVariable(scope: Scope, node: NodeDef, name: string): void {
    const isMutable = this.context.resolver.isMutable(node);
    const attrs = isMutable ? this.attrsOf(scope, node) : new Map<string, Attr>();
    this.context.pending.push({
      variable: node,
      fill(value) {
        attrs.set("dtype", { kind: "type", value: value.dtype });
        attrs.set(isMutable ? "initial_value" : "value", { kind: "tensor", value });
      },
    });
    this.add({ name, op: isMutable ? node.op : "Const", inputs: [], attrs, outputCount: 1 });
  }

  /** A table with its keys and values as inputs; without them where the model does not say what is in it. */
  #emitTable(scope: Scope, node: NodeDef, name: string): void {
    const source = this.context.tableSource(node);
    const attrs = this.attrsOf(scope, node);
    attrs.set("table_id", { kind: "int", value: this.context.tableId(node) });
    const inputs =
      source?.kind === "tensors"
        ? [this.refTo(source.keys), this.refTo(source.values)]
        : source?.kind === "file"
          ? this.#pendingEntries(node, name, source.path, source.format)
          : [];
    this.add({ name, op: "HashTableV2", inputs, attrs, outputCount: 1 });
  }

  /** Two constants that are filled when the file has been read. */
  #pendingEntries(
    table: NodeDef,
    name: string,
    path: string,
    format: VocabularyFormat,
  ): ValueRef[] {
    const attrs = [new Map<string, Attr>(), new Map<string, Attr>()] as const;
    this.context.pendingTables.push({
      table,
      path,
      format,
      fill(...entries) {
        for (const [i, value] of entries.entries()) {
          attrs[i]?.set("dtype", { kind: "type", value: value.dtype });
          attrs[i]?.set("value", { kind: "tensor", value });
        }
      },
    });
    return attrs.map((each, i) => {
      const unique = this.#uniqueName(`${name}/${i === 0 ? "keys" : "values"}`);
      this.add({ name: unique, op: "Const", inputs: [], attrs: each, outputCount: 1 });
      return { node: unique, output: 0 };
    });
  }

  /** What each access must come after: the last write, and for a write also the reads since then. */
  #accessOrder(accesses: readonly Access[]): Map<string, string[]> {
    const after = new Map<string, string[]>();
    const sinceWrite = new Map<NodeDef, string[]>();
    for (const { scope, node, variable, writes } of accesses) {
      const name = this.#names.get(scope)?.get(node.name);
      if (name === undefined) continue;
      const before = sinceWrite.get(variable) ?? [];
      const parts = writes ? [name, ...writeParts(name)] : [name];
      for (const part of parts) after.set(part, before);
      sinceWrite.set(variable, writes ? [name] : [...before, name]);
    }
    return after;
  }

  #refsTo(scope: Scope, inputs: readonly string[]): ValueRef[] {
    const refs: ValueRef[] = [];
    for (const input of inputs) {
      const value = this.context.resolver.resolve(scope, input);
      if (value !== undefined) refs.push(this.refTo(value));
    }
    return refs;
  }

  /** For an operation that nobody describes: one more than the highest output that its neighbours use. */
  #highestUse(scope: Scope, node: NodeDef): number {
    let highest = 0;
    for (const other of scope.nodes.values()) {
      for (const input of other.input) {
        const [name, ...rest] = input.split(":");
        if (name === node.name) highest = Math.max(highest, Number(rest.at(-1) ?? 0) || 0);
      }
    }
    return highest + 1;
  }
}
