/** Puts a function's nodes in place of a call. */
import type { Graph, ValueRef } from "../../graph/ir.ts";
import type { GraphBuilder } from "../graph-builder.ts";

/** Adds the nodes of `graph` under `prefix`, its arguments replaced by `values`; returns the outputs. */
export function inlineGraph(
  graph: Graph,
  values: readonly ValueRef[],
  prefix: string,
  build: GraphBuilder,
): readonly ValueRef[] {
  const names = new Map<string, ValueRef>();
  graph.inputs.forEach(({ node }, i) => {
    const value = values[i];
    if (value !== undefined) names.set(node, value);
  });
  const forward = ({ node, output }: ValueRef): ValueRef => {
    const found = names.get(node);
    return found === undefined
      ? { node, output }
      : { node: found.node, output: found.output + output };
  };
  for (const node of graph.nodes) {
    if (names.has(node.name)) continue;
    const name = build.freeName(`${prefix}/${node.name}`);
    build.addNode({ ...node, name, inputs: node.inputs.map(forward) });
    names.set(node.name, { node: name, output: 0 });
  }
  return graph.outputs.map(({ value }) => forward(value));
}
