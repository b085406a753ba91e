/** Finds functions that have one operator behind the several ops that they were written with. */
import type { Graph } from "../graph/ir.ts";
import { rebuild } from "./graph-builder.ts";
import { Matcher } from "./patterns/matcher.ts";
import { RECTIFIERS } from "./patterns/rectifiers.ts";
import { SMOOTH } from "./patterns/smooth.ts";

export function recognizePatterns(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const pattern = RECTIFIERS.get(node.op) ?? SMOOTH.get(node.op);
    const value = pattern?.(node, new Matcher(build));
    return value && [value];
  });
}
