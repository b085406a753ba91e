import type { Graph } from "../graph/ir.ts";

/** "node:output" of every value of a graph that is read. */
export function usedOutputs(graph: Graph): ReadonlySet<string> {
  const refs = [
    ...graph.nodes.flatMap(({ inputs }) => inputs),
    ...graph.outputs.map(({ value }) => value),
  ];
  return new Set(refs.map(({ node, output }) => `${node}:${output}`));
}
