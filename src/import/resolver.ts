/**
 * Follows an input string to the node that computes the value: through function arguments and results, through reads
 * of variables that never change. What remains is the flat graph; nothing is copied to find it.
 */
import { GraphError, LimitError } from "../base/errors.ts";
import type { FunctionDef, NameAttrList, NodeDef } from "../formats/tensorflow/graph-messages.ts";
import type { Records } from "../formats/tensorflow/named-records.ts";
import type { Attr } from "../graph/ir.ts";
import { argLength, type OpArg } from "../graph/op-table.ts";
import { toAttr } from "./attr-values.ts";
import { isComposite } from "./composites.ts";
import type { OpSignatures } from "./op-signatures.ts";
import { type Binding, functionScope, parseInput, type Scope, whereIs } from "./scope.ts";

/** Output `output` of a node, in its scope. */
export interface NodeValue {
  readonly kind: "node";
  readonly scope: Scope;
  readonly node: NodeDef;
  readonly output: number;
}

export type Value = NodeValue | { readonly kind: "input"; readonly name: string };

/** A program: the main graph, its library, and where inputs cut it off. */
export interface Program {
  readonly main: Scope;
  readonly functions: Records<FunctionDef>;
  readonly signatures: OpSignatures;
  /** Tensors of the main graph that are inputs ("node:0"), with the input's name. */
  readonly cuts: ReadonlyMap<string, string>;
}

/** Longest way from a use to the node behind it; a longer one runs in circles. */
const MAX_HOPS = 10_000;
/** Most calls that are inlined. Calls of calls multiply: a small file could ask for any number. */
const MAX_CALLS = 20_000;
const CALLS: ReadonlySet<string> = new Set(["PartitionedCall", "StatefulPartitionedCall"]);
const VARIABLES: ReadonlySet<string> = new Set(["VarHandleOp", "VariableV2", "Variable"]);
/** Operations that pass a variable's handle on. */
const HANDLE_PASSES: ReadonlySet<string> = new Set([
  "Identity",
  "Enter",
  "RefEnter",
  "Switch",
  "RefSwitch",
]);
/** Number of the type "resource". */
const RESOURCE = 20;

export function isVariable(node: NodeDef): boolean {
  return VARIABLES.has(node.op);
}

export class Resolver {
  readonly program: Program;
  readonly #mutable = new Set<NodeDef>();
  readonly #callees = new Map<Scope, Map<NodeDef, Scope>>();
  #callCount = 0;

  constructor(program: Program) {
    this.program = program;
  }

  /** From now on reads of these variables are not followed, because the program changes them. */
  keepVariables(variables: Iterable<NodeDef>): void {
    for (const variable of variables) this.#mutable.add(variable);
  }

  isMutable(variable: NodeDef): boolean {
    return this.#mutable.has(variable);
  }

  /**
   * The value behind an input string of a node in `scope`; undefined for control inputs.
   *
   * @throws {GraphError} when a node or function is missing or the way runs in circles.
   */
  resolve(scope: Scope, input: string): Value | undefined {
    let place = scope;
    let text = input;
    let read: NodeValue | undefined;
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      const binding = this.#bindingOf(place, text);
      if (binding?.kind === "input") return binding;
      if (binding !== undefined) {
        place = binding.scope;
        text = binding.input;
        continue;
      }
      const value = this.#locate(place, text);
      if (value === undefined || value.kind === "input") return value;
      const next = this.#follow(value, read !== undefined);
      if (next === undefined)
        return read !== undefined && this.#mutable.has(value.node) ? read : value;
      if (value.node.op === "ReadVariableOp") read ??= value;
      place = next.scope;
      text = next.input;
    }
    throw new GraphError({
      where: `input "${input}" of ${scope.name === "" ? "the graph" : `function "${scope.name}"`}`,
      found: "calls that only pass each other's results",
      expected: "a value",
      node: input,
    });
  }

  /** The scope of the function that a node calls; undefined when the node is not a call, or one that stays a call. */
  callee(scope: Scope, node: NodeDef): Scope | undefined {
    const target = this.#target(scope, node);
    if (target === undefined || this.isComposite(node)) return undefined;
    const known = this.#callees.get(scope) ?? new Map<NodeDef, Scope>();
    this.#callees.set(scope, known);
    let callee = known.get(node);
    if (callee === undefined) {
      this.#countCall(scope, node);
      const bindings = node.input
        .filter((input) => !input.startsWith("^"))
        .map((input): Binding => ({ kind: "value", scope, input }));
      const path = `${scope.path}${node.name}/`;
      const where = whereIs(scope, node);
      callee = functionScope(
        this.definition(target.name, where),
        bindings,
        path,
        target.attr,
        scope.depth + 1,
      );
      known.set(node, callee);
    }
    return callee;
  }

  /** Tells whether a node calls a function that says what it computes, see composites.ts. */
  isComposite(node: NodeDef): boolean {
    const f = CALLS.has(node.op) ? node.attr.get("f") : undefined;
    const definition = f?.kind === "func" ? this.program.functions.get(f.value.name) : undefined;
    return definition !== undefined && isComposite(definition);
  }

  #countCall(scope: Scope, node: NodeDef): void {
    this.#callCount++;
    if (this.#callCount <= MAX_CALLS) return;
    throw new LimitError({
      where: whereIs(scope, node),
      found: "functions that call functions without end",
      expected: `at most ${MAX_CALLS} calls`,
      limit: "calls",
      value: this.#callCount,
      max: MAX_CALLS,
    });
  }

  /** @throws {GraphError} when the library does not have the function. */
  definition(name: string, where: string): FunctionDef {
    const definition = this.program.functions.get(name);
    if (definition !== undefined) return definition;
    throw new GraphError({
      where,
      found: `a call of function "${name}"`,
      expected: "a function of the model's library",
      remedy: "Save the model again",
      node: name,
    });
  }

  /** An attribute of a node, from the node or from the defaults. */
  attr(scope: Scope, node: NodeDef, name: string): Attr | undefined {
    const message = node.attr.get(name);
    if (message === undefined) return this.program.signatures.find(node.op)?.defaults.get(name);
    return toAttr(message, `${whereIs(scope, node)}, attribute "${name}"`, scope.attrs);
  }

  /** Number of outputs of a node; undefined for operations that nobody describes. */
  outputCount(scope: Scope, node: NodeDef): number | undefined {
    return this.#total(scope, node, this.program.signatures.find(node.op)?.outputs);
  }

  /** Number of data inputs that a node must have; undefined for operations that nobody describes. */
  inputCount(scope: Scope, node: NodeDef): number | undefined {
    return this.#total(scope, node, this.program.signatures.find(node.op)?.inputs);
  }

  #total(scope: Scope, node: NodeDef, args: readonly OpArg[] | undefined): number | undefined {
    return args?.reduce((sum, arg) => sum + this.#argLength(scope, node, arg), 0);
  }

  /**
   * Which operands of a While, If or Case are handles of resources. They never become tensors: the bodies refer to the
   * resource itself.
   */
  handleOperands(node: NodeDef): boolean[] {
    const list = node.op.endsWith("While") ? "T" : "Tin";
    const types = node.attr.get(list);
    if (types?.kind !== "list") return [];
    return types.value.type.map((type) => type === RESOURCE);
  }

  #bindingOf(scope: Scope, input: string): Binding | undefined {
    if (scope.args.size === 0 || input.startsWith("^")) return undefined;
    const colon = input.lastIndexOf(":");
    const name = colon < 0 ? input : input.slice(0, colon);
    const index = colon < 0 ? 0 : Number(input.slice(colon + 1));
    return scope.args.get(name)?.[index];
  }

  #locate(scope: Scope, input: string): Value | undefined {
    const where = scope.name === "" ? "the graph" : `function "${scope.name}"`;
    const parsed = parseInput(input, scope.isFunction, where);
    if (parsed === undefined) return undefined;
    const node = scope.nodes.get(parsed.node);
    if (node === undefined) {
      throw new GraphError({
        where,
        found: `input "${input}"`,
        expected: "a node that is there",
        node: parsed.node,
      });
    }
    const output = this.#flatOutput(scope, node, parsed.argument, parsed.index);
    if (scope === this.program.main) {
      const name = this.program.cuts.get(`${node.name}:${output}`);
      if (name !== undefined) return { kind: "input", name };
    }
    return { kind: "node", scope, node, output };
  }

  /** One step on: into a call's result, past a loop to the handle it was given, to the variable that is read. */
  #follow(
    { scope, node, output }: NodeValue,
    reading: boolean,
  ): { scope: Scope; input: string } | undefined {
    const callee = this.callee(scope, node);
    if (callee !== undefined) {
      const input = callee.returns[output];
      if (input !== undefined) return { scope: callee, input };
      throw new GraphError({
        where: whereIs(scope, node),
        found: `output ${output} of ${callee.returns.length} used`,
        node: node.name,
      });
    }
    const isLoop = node.op === "While" || node.op === "StatelessWhile";
    const passesHandle = isLoop && this.handleOperands(node)[output] === true;
    const first = node.input[passesHandle ? output : 0];
    const passes =
      passesHandle ||
      node.op === "ReadVariableOp" ||
      (reading && HANDLE_PASSES.has(node.op) && first !== undefined);
    return passes && first !== undefined ? { scope, input: first } : undefined;
  }

  #flatOutput(scope: Scope, node: NodeDef, argument: string | undefined, index: number): number {
    if (argument === undefined) return index;
    const definition = this.program.signatures.find(node.op);
    // Nobody knows the operation: it will be reported as unsupported, and its first output serves for that.
    if (definition === undefined) return index;
    let offset = 0;
    for (const arg of definition.outputs) {
      if (arg.name === argument) return offset + index;
      offset += this.#argLength(scope, node, arg);
    }
    throw new GraphError({
      where: whereIs(scope, node),
      found: `output "${argument}" used`,
      expected: definition.outputs.map(({ name }) => `"${name}"`).join(", ") || "no output",
      node: node.name,
    });
  }

  #argLength(scope: Scope, node: NodeDef, arg: OpArg): number {
    const name = arg.countAttr ?? arg.listAttr;
    if (name === undefined) return 1;
    const attr = this.attr(scope, node, name);
    const length = attr && argLength(arg, new Map([[name, attr]]));
    if (length !== undefined && length >= 0) return length;
    throw new GraphError({
      where: whereIs(scope, node),
      found: `no attribute "${name}"`,
      expected: `the length of "${arg.name}"`,
      node: node.name,
    });
  }

  #target(scope: Scope, node: NodeDef): Pick<NameAttrList, "name" | "attr"> | undefined {
    if (this.program.functions.has(node.op)) return { name: node.op, attr: node.attr };
    if (!CALLS.has(node.op)) return undefined;
    const f = node.attr.get("f");
    if (f?.kind === "func") return f.value;
    throw new GraphError({
      where: whereIs(scope, node),
      found: "a call without a function",
      node: node.name,
    });
  }
}
