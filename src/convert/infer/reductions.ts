/** Types of reductions, sorting and selection. */
import type { DType } from "../../base/dtype.ts";
import { boolAttr, intAttr, typeAttr } from "../../graph/attrs.ts";
import { hasAttr } from "../attributes.ts";
import { normalizeAxis } from "../broadcast.ts";
import { constantInts, inputType, one, placeOf, type TypeRule, unknownDims } from "./typed-node.ts";

const reduce: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const keep = boolAttr(typed.node, "keep_dims");
  const axes = constantInts(typed, 1);
  if (shape === undefined) return one(dtype, undefined);
  if (axes === undefined) return one(dtype, keep ? unknownDims(shape.length) : undefined);
  const reduced = new Set(
    axes.map((axis) => normalizeAxis(axis, shape.length, placeOf(typed.node))),
  );
  return one(
    dtype,
    keep
      ? shape.map((size, axis) => (reduced.has(axis) ? 1 : size))
      : shape.filter((_, axis) => !reduced.has(axis)),
  );
};

const argReduce: TypeRule = (typed) => {
  const { shape } = inputType(typed, 0);
  const axis = constantInts(typed, 1)?.[0];
  const dtype = typeAttr(typed.node, "output_type");
  if (shape === undefined || axis === undefined)
    return one(dtype, shape && unknownDims(Math.max(0, shape.length - 1)));
  return one(dtype, shape.toSpliced(normalizeAxis(axis, shape.length, placeOf(typed.node)), 1));
};

const topK: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const k = hasAttr(typed.node, "k")
    ? intAttr(typed.node, "k")
    : (constantInts(typed, 1)?.[0] ?? -1);
  const indices: DType = hasAttr(typed.node, "index_type")
    ? typeAttr(typed.node, "index_type")
    : "int32";
  const result = shape && [...shape.slice(0, -1), k];
  return [
    { dtype, shape: result },
    { dtype: indices, shape: result },
  ];
};

const unique: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  return [
    { dtype, shape: [-1] },
    { dtype: typeAttr(typed.node, "out_idx"), shape },
  ];
};

const l2Loss: TypeRule = (typed) => one(inputType(typed, 0).dtype, []);

/** NonMaxSuppressionV4: indices padded to max_output_size and how many are valid. */
const suppressV4: TypeRule = (typed) => {
  const size = boolAttr(typed.node, "pad_to_max_output_size")
    ? (constantInts(typed, 2)?.[0] ?? -1)
    : -1;
  return [
    { dtype: "int32", shape: [size] },
    { dtype: "int32", shape: [] },
  ];
};

const suppressV5: TypeRule = (typed) => {
  const [indices, count] = suppressV4(typed);
  return [
    indices ?? { dtype: "int32", shape: [-1] },
    { dtype: "float32", shape: indices?.shape },
    count ?? { dtype: "int32", shape: [] },
  ];
};

export const REDUCTION_TYPES: ReadonlyMap<string, TypeRule> = new Map<string, TypeRule>([
  ..."Sum Mean Prod Max Min Any All EuclideanNorm".split(" ").map((op) => [op, reduce] as const),
  ["ArgMax", argReduce],
  ["ArgMin", argReduce],
  ["TopKV2", topK],
  ["TopK", topK],
  ["Unique", unique],
  ["L2Loss", l2Loss],
  ["NonMaxSuppressionV4", suppressV4],
  ["NonMaxSuppressionV5", suppressV5],
]);
