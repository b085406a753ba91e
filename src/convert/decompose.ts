/** Takes apart the ops that have a decomposition. */
import type { Graph } from "../graph/ir.ts";
import { DECOMPOSITIONS } from "./decompose/table.ts";
import { rebuild } from "./graph-builder.ts";

export function decompose(graph: Graph): Graph {
  return rebuild(graph, (node, build) => DECOMPOSITIONS.get(node.op)?.(node, build));
}
