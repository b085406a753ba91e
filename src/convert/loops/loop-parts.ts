/** The parts of a While, in the shape in which the loop passes work on them. */
import type { Graph, GraphNode, ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import { GraphBuilder } from "../graph-builder.ts";
import type { ValueType } from "../infer/typed-node.ts";

/** Sets the types of a function's arguments, those of tensor lists included. */
export function withInputTypes(graph: Graph, types: readonly ValueType[]): Graph {
  const typeOf = new Map(graph.inputs.map(({ node }, i) => [node, types[i]]));
  const nodes = graph.nodes.map((node) => {
    const type = typeOf.get(node.name);
    return type === undefined ? node : { ...node, attrs: placeholderAttrs(type) };
  });
  const inputs = graph.inputs.map((input, i) => ({
    ...input,
    dtype: types[i]?.dtype ?? input.dtype,
    signatureShape: types[i]?.shape,
  }));
  return { ...graph, nodes, inputs };
}

/** Attributes of a Placeholder of a type. */
function placeholderAttrs({ dtype, shape, list }: ValueType): GraphNode["attrs"] {
  const attrs = { dtype: attr.type(dtype), shape: attr.shape(shape) };
  if (list === undefined) return new Map(Object.entries(attrs));
  return new Map(
    Object.entries({
      ...attrs,
      list_dtype: attr.type(list.element.dtype),
      list_shape: attr.shape(list.element.shape),
      list_length: attr.int(list.length),
    }),
  );
}

/** Types of a function's outputs. */
export function outputTypes(
  graph: Graph,
  functions: ReadonlyMap<string, Graph>,
): readonly ValueType[] {
  const build = new GraphBuilder(functions);
  for (const node of graph.nodes) build.addNode(node);
  return graph.outputs.map(({ value }) => build.type(value));
}

/** What holds for both: sizes that differ become unknown; elements of lists take what is known. */
export function mergeTypes(before: ValueType, after: ValueType): ValueType {
  if (before.list !== undefined && after.list !== undefined) {
    const element =
      after.list.element.shape === undefined ? before.list.element : after.list.element;
    const length = before.list.length === after.list.length ? before.list.length : -1;
    return { ...before, list: { element, length } };
  }
  const [a, b] = [before.shape, after.shape];
  if (a === undefined || b === undefined || a.length !== b.length) {
    return { dtype: before.dtype, shape: undefined };
  }
  return { dtype: before.dtype, shape: a.map((size, axis) => (size === b[axis] ? size : -1)) };
}

/** Index of the argument that a value is, or -1. */
export function argumentIndex(graph: Graph, value: ValueRef): number {
  return graph.inputs.findIndex(({ node }) => node === value.node);
}

/** Replaces arguments by what `bind` gives for them (constants, other arguments) and drops them from the inputs. */
export function bindArguments(graph: Graph, bound: ReadonlyMap<number, GraphNode | number>): Graph {
  const aliases = new Map<string, string>();
  const constants = new Map<string, GraphNode>();
  for (const [index, by] of bound) {
    const name = graph.inputs[index]?.node ?? "";
    if (typeof by === "number") aliases.set(name, graph.inputs[by]?.node ?? "");
    else constants.set(name, by);
  }
  const forward = (ref: ValueRef): ValueRef => ({
    ...ref,
    node: aliases.get(ref.node) ?? ref.node,
  });
  const first = graph.nodes.filter(({ name }) => graph.inputs.some(({ node }) => node === name));
  const rest = graph.nodes.filter((node) => !first.includes(node));
  const args = first
    .filter(({ name }) => !aliases.has(name))
    .map((node) => {
      const constant = constants.get(node.name);
      return constant === undefined ? node : { ...constant, name: node.name };
    });
  return {
    ...graph,
    nodes: [...args, ...rest.map((node) => ({ ...node, inputs: node.inputs.map(forward) }))],
    inputs: graph.inputs.filter((_, i) => !bound.has(i)),
    outputs: graph.outputs.map((output) => ({ ...output, value: forward(output.value) })),
  };
}

/** Arguments that a function's outputs depend on, given which outputs count. */
export function neededArguments(graph: Graph, outputs: ReadonlySet<number>): ReadonlySet<number> {
  const byName = new Map(graph.nodes.map((node) => [node.name, node]));
  const open = graph.outputs.filter((_, i) => outputs.has(i)).map(({ value }) => value.node);
  const seen = new Set(open);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const { node } of byName.get(name)?.inputs ?? []) {
      if (seen.has(node)) continue;
      seen.add(node);
      open.push(node);
    }
  }
  return new Set(graph.inputs.flatMap(({ node }, i) => (seen.has(node) ? [i] : [])));
}
