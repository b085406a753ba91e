/** Takes apart the ops that TFLite has no operator for, and broadcasts beyond the ranks of its kernels. */
import type { Graph } from "../graph/ir.ts";
import { withinBroadcastLimits } from "./decompose/broadcast-limits.ts";
import { DECOMPOSITIONS } from "./decompose/table.ts";
import { rebuild } from "./graph-builder.ts";

export function decompose(graph: Graph): Graph {
  return rebuild(
    graph,
    (node, build) =>
      DECOMPOSITIONS.get(node.op)?.(node, build) ?? withinBroadcastLimits(node, build),
  );
}
