/** Norms and box selection in terms of what has an operator. */
import { FLOAT32_MAX } from "../../base/dtype.ts";
import { floatAttr } from "../../graph/attrs.ts";
import type { ValueRef } from "../../graph/ir.ts";
import { attr, flagAttr } from "../attributes.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";

/** √(Σ x²). */
const euclideanNorm: Decomposition = (node, build) => {
  const [x, axes] = node.inputs;
  if (!x || !axes) return undefined;
  const w = new NodeWriter(build, node.name);
  const keep = { keep_dims: attr.bool(flagAttr(node, "keep_dims")) };
  return [w.unary("Sqrt", w.node("Sum", [w.mul(x, x), axes], keep))];
};

/** |a − b| < tolerance. */
const approximateEqual: Decomposition = (node, build) => {
  const [a, b] = node.inputs;
  if (!a || !b) return undefined;
  const w = new NodeWriter(build, node.name);
  return [w.binary("Less", w.unary("Abs", w.sub(a, b)), floatAttr(node, "tolerance"))];
};

/**
 * Versions 2 and 3 return as many boxes as there are: version 4's padded list, cut to its count. Without a score
 * threshold every box counts.
 */
const nonMaxSuppression: Decomposition = (node, build) => {
  const [boxes, scores, limit, overlap, given] = node.inputs;
  if (!boxes || !scores || !limit || !overlap) return undefined;
  const threshold = given ?? build.scalar(-FLOAT32_MAX, scores);
  const w = new NodeWriter(build, node.name);
  const padded = build.add(
    `${node.name}/padded`,
    "NonMaxSuppressionV4",
    [boxes, scores, limit, overlap, threshold],
    { pad_to_max_output_size: attr.bool(true) },
    2,
  );
  const count: ValueRef = { node: padded.node, output: 1 };
  return [w.node("Slice", [padded, build.ints([0]), w.reshape(count, [1])])];
};

export const SELECTION_DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ["EuclideanNorm", euclideanNorm],
  ["ApproximateEqual", approximateEqual],
  ["NonMaxSuppressionV2", nonMaxSuppression],
  ["NonMaxSuppressionV3", nonMaxSuppression],
]);
