/**
 * Broadcasting beyond the ranks that TFLite's kernels serve: the operands are broadcast explicitly first. Ranks from
 * tensorflow/compiler/mlir/lite/ir/tfl_ops.td.
 */
import { isStatic, sameShape } from "../../base/shape.ts";
import type { GraphNode, ValueRef } from "../../graph/ir.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { NodeWriter } from "../node-writer.ts";

const RANK_LIMITS: Readonly<Record<string, number>> = {
  Equal: 4,
  NotEqual: 4,
  Less: 4,
  LessEqual: 4,
  Greater: 4,
  GreaterEqual: 4,
  FloorDiv: 4,
  FloorMod: 4,
  Pow: 4,
  SquaredDifference: 4,
  Maximum: 5,
  Minimum: 5,
  SelectV2: 5,
  // The official kernel does not broadcast at all.
  Atan2: -1,
};

/** Broadcasts operands explicitly where the operator cannot; undefined where it can. */
export function withinBroadcastLimits(
  node: GraphNode,
  build: GraphBuilder,
): readonly ValueRef[] | undefined {
  const limit = RANK_LIMITS[node.op];
  const shape = limit === undefined ? undefined : build.infer(node)[0]?.shape;
  if (limit === undefined || shape === undefined || shape.length <= limit || !isStatic(shape))
    return undefined;
  const differs = (ref: ValueRef) => !sameShape(build.shape(ref) ?? [], shape);
  if (!node.inputs.some(differs)) return undefined;
  const w = new NodeWriter(build, node.name);
  const [a, b] = node.inputs;
  if (node.op === "SquaredDifference" && a !== undefined && b !== undefined) {
    return [w.unary("Square", w.sub(a, b))];
  }
  const operands = node.inputs.map((ref) =>
    differs(ref) ? w.node("BroadcastTo", [ref, build.ints(shape)]) : ref,
  );
  return [build.add(node.name, node.op, operands, Object.fromEntries(node.attrs))];
}
