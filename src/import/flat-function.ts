/**
 * Cutting a part of a flat graph out as a function. What the part uses from outside becomes an argument, except for
 * constants, which the function gets copies of (they share their data).
 */
import type { DType } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import type { Attr, Graph, GraphInput, GraphNode, ValueRef } from "../graph/ir.ts";
import { topologicalOrder } from "../graph/order.ts";
import { outputType } from "../graph/output-types.ts";
import { attrs, FlatNodes, refKey } from "./flat-nodes.ts";
import { isVariant } from "./variant-values.ts";

export interface FunctionArg {
  readonly name: string;
  readonly dtype: DType;
}

/** Where a function is cut from, and how its border is told. */
export interface Cut {
  readonly nodes: FlatNodes;
  /** Functions of the graph that is cut; those that the part uses move along. */
  readonly functions: Map<string, Graph>;
  readonly args: readonly FunctionArg[];
  /** Index of the argument that a reference stands for. */
  argOf(ref: ValueRef): number | undefined;
  /** Whether a node belongs to the part. */
  isInner(node: GraphNode): boolean;
  /** Values from outside that became arguments, after `args`, by reference. Filled by `collect`. */
  readonly captured: Map<string, ValueRef>;
  /** What remains to be done with the nodes of a function before they are put in order. */
  finish(nodes: FlatNodes, roots: ValueRef[], functions: Map<string, Graph>): ValueRef[];
}

/** Adds to `cut.captured` what the part behind `roots` uses from outside. */
export function collect(cut: Cut, roots: readonly ValueRef[]): void {
  walk(cut, roots, () => undefined);
}

/**
 * Builds the function that computes `roots`. With `passCaptured` it returns the captured arguments too, as the body of
 * a loop must.
 */
export function buildFunction(cut: Cut, roots: readonly ValueRef[], passCaptured: boolean): Graph {
  collect(cut, roots);
  const inputs = placeholders(cut);
  const inner = new FlatNodes(inputs.map(placeholderNode));
  const functions = new Map<string, Graph>();
  const rename = (ref: ValueRef): ValueRef => {
    const place = classify(cut, ref);
    if (place.kind === "argument") return { node: inputs[place.index]!.node, output: 0 };
    if (place.kind === "constant") {
      inner.set(place.node);
      return { node: place.node.name, output: 0 };
    }
    return ref;
  };
  walk(cut, roots, (node) => {
    inner.set({ ...node, inputs: node.inputs.map(rename) });
    moveFunctions(node, cut.functions, functions);
  });
  const results = roots.map(rename);
  if (passCaptured) {
    for (let i = cut.args.length; i < inputs.length; i++) {
      results.push({ node: inputs[i]!.node, output: 0 });
    }
  }
  // Arguments stay, used or not.
  const kept = inputs.map(({ node }): ValueRef => ({ node, output: 0 }));
  const finished = cut.finish(inner, [...results, ...kept], functions).slice(0, results.length);
  const outputs = finished.map((value, i) => {
    const key = `output_${i}`;
    return { key, tensorName: refKey(value), value };
  });
  return { inputs, outputs, nodes: topologicalOrder(inner.all()), functions };
}

type Place =
  | { readonly kind: "argument"; readonly index: number }
  | { readonly kind: "constant"; readonly node: GraphNode }
  | { readonly kind: "inner"; readonly node: GraphNode };

/** What a reference from inside leads to. Values from outside join the captured ones. */
function classify(cut: Cut, ref: ValueRef): Place {
  const own = cut.argOf(ref);
  if (own !== undefined) return { kind: "argument", index: own };
  const node = cut.nodes.get(ref.node);
  if (node === undefined) {
    throw new GraphError({ where: `node "${ref.node}"`, found: "a use of it, but no such node" });
  }
  if (cut.isInner(node)) return { kind: "inner", node };
  const constant = cut.nodes.constantBehind(ref);
  if (constant !== undefined) return { kind: "constant", node: constant };
  const isEnter = node.op === "Enter" || node.op === "RefEnter";
  const outer = isEnter ? node.inputs[0]! : ref;
  const key = refKey(outer);
  if (!cut.captured.has(key)) cut.captured.set(key, outer);
  return { kind: "argument", index: cut.args.length + [...cut.captured.keys()].indexOf(key) };
}

/** Visits every inner node that `roots` need, once. */
function walk(cut: Cut, roots: readonly ValueRef[], visit: (node: GraphNode) => void): void {
  const seen = new Set<string>();
  const queue = [...roots];
  for (let ref = queue.pop(); ref !== undefined; ref = queue.pop()) {
    const place = classify(cut, ref);
    if (place.kind !== "inner" || seen.has(place.node.name)) continue;
    seen.add(place.node.name);
    visit(place.node);
    queue.push(...place.node.inputs);
  }
}

function placeholders({ nodes, args, captured }: Cut): GraphInput[] {
  const taken = new Set<string>();
  const all = [...args, ...[...captured.values()].map((ref) => argumentFor(nodes, ref))];
  return all.map(({ name, dtype }) => {
    let unique = name;
    for (let i = 1; taken.has(unique); i++) unique = `${name}_${i}`;
    taken.add(unique);
    return { key: unique, tensorName: unique, node: unique, dtype, signatureShape: undefined };
  });
}

/** An argument for a value from outside, named after it. */
export function argumentFor(nodes: FlatNodes, ref: ValueRef): FunctionArg {
  const node = nodes.get(ref.node);
  const dtype = isVariant(nodes, ref) ? "variant" : node && outputType(node, ref.output);
  if (dtype === undefined) {
    throw new GraphError({
      where: `node "${ref.node}"`,
      found: "a value of unknown type that enters a loop or branch",
      expected: "an operation whose outputs are known",
      node: ref.node,
    });
  }
  return { name: ref.output === 0 ? ref.node : `${ref.node}_${ref.output}`, dtype };
}

function placeholderNode({ node, dtype }: GraphInput): GraphNode {
  const own = attrs({
    dtype: { kind: "type", value: dtype },
    shape: { kind: "shape", value: undefined },
  });
  return { name: node, op: "Placeholder", inputs: [], attrs: own, outputCount: 1 };
}

function moveFunctions(
  node: GraphNode,
  from: ReadonlyMap<string, Graph>,
  to: Map<string, Graph>,
): void {
  const move = (attr: Attr): void => {
    if (attr.kind === "list") attr.value.forEach(move);
    const graph = attr.kind === "func" ? from.get(attr.value) : undefined;
    if (attr.kind === "func" && graph !== undefined) to.set(attr.value, graph);
  };
  for (const attr of node.attrs.values()) move(attr);
}
