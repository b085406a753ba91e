/** What a decomposition is: an op written with other ops. */
import type { GraphNode, ValueRef } from "../../graph/ir.ts";
import type { GraphBuilder } from "../graph-builder.ts";

/** Replacement for all outputs of a node, or undefined where this form cannot be taken apart. */
export type Decomposition = (
  node: GraphNode,
  build: GraphBuilder,
) => readonly ValueRef[] | undefined;
