/** Older and wider forms of operations, as the operation that has an operator. */
import { findAttr, floatAttr, intAttr } from "../../graph/attrs.ts";
import type { ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import { integersOf } from "../fold/values.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";

/** Most numbers that are counted out in the file. */
const MAX_COUNTED = 65_536;

/** The window is an operand: constant in all that TensorFlow writes. */
const maxPoolV2: Decomposition = (node, build) => {
  const [x, ksizeRef, stridesRef] = node.inputs;
  const ksize = integersOf(build.value(ksizeRef));
  const strides = integersOf(build.value(stridesRef));
  if (x === undefined || ksize === undefined || strides === undefined) return undefined;
  return [
    build.add(node.name, "MaxPool", [x], {
      ...Object.fromEntries(node.attrs),
      ksize: attr.ints(ksize),
      strides: attr.ints(strides),
      explicit_paddings: attr.ints([]),
    }),
  ];
};

/** The places of the largest elements keep the operation, the elements themselves do not need it. */
const maxPoolWithArgmax: Decomposition = (node, build) => {
  const attrs = Object.fromEntries(node.attrs);
  const pooled = build.add(node.name, "MaxPool", node.inputs, {
    ...attrs,
    data_format: attr.string("NHWC"),
    explicit_paddings: attr.ints([]),
  });
  const whole = build.add(`${node.name}/argmax`, node.op, node.inputs, attrs, 2);
  return [pooled, { ...whole, output: 1 }];
};

/** Blocks of height and width alone, with one size for both. */
const blocks =
  (op: "SpaceToBatchND" | "BatchToSpaceND"): Decomposition =>
  (node, build) => {
    const [x, borders] = node.inputs;
    const size = intAttr(node, "block_size");
    return x && borders && [build.add(node.name, op, [x, build.ints([size, size]), borders])];
  };

/** The overlap is an attribute, every score counts. */
const nonMaxSuppression: Decomposition = (node, build) => {
  const [boxes, scores, limit] = node.inputs;
  if (!boxes || !scores || !limit) return undefined;
  const overlap = build.scalarOf(floatAttr(node, "iou_threshold"), "float32");
  return [build.add(node.name, "NonMaxSuppressionV2", [boxes, scores, limit, overlap])];
};

/** Memory without a value: zeros are as good as any. */
const empty: Decomposition = (node, build) => {
  const dtype = findAttr(node, "dtype", "type") ?? "float32";
  const [shape] = node.inputs;
  return shape && [build.add(node.name, "Fill", [shape, build.scalarOf(0, dtype)])];
};

/** start + i·(stop − start)/(num − 1). */
const linSpace: Decomposition = (node, build) => {
  const [start, stop, numRef] = node.inputs;
  const num = integersOf(build.value(numRef))?.[0] ?? 0;
  if (start === undefined || stop === undefined || num < 1 || num > MAX_COUNTED) return undefined;
  const w = new NodeWriter(build, node.name);
  if (num === 1) return [w.reshape(start, [1])];
  const { dtype } = build.type(start);
  if (dtype !== "float32") return undefined;
  const counted = build.constant(`${node.name}/steps`, {
    dtype,
    shape: [num],
    data: Float32Array.from({ length: num }, (_, i) => i),
  });
  const step = w.div(w.sub(stop, start), num - 1);
  // The last element is the end itself, not the start and rounded steps.
  const body = w.add(w.mul(counted, step), start);
  const inner = w.node("Slice", [body, build.ints([0]), build.ints([num - 1])]);
  return [w.node("ConcatV2", [inner, w.reshape(stop, [1]), build.int(0)])];
};

/** y[x[i]] = i. */
const invertPermutation: Decomposition = (node, build) => {
  const x = node.inputs[0];
  const size = x && build.shape(x)?.[0];
  if (x === undefined || size === undefined || size < 0 || size > MAX_COUNTED) return undefined;
  if (build.type(x).dtype !== "int32") return undefined;
  const w = new NodeWriter(build, node.name);
  const counted = build.ints(Array.from({ length: size }, (_, i) => i));
  const places = w.node("ExpandDims", [x, build.int(1)]);
  return [w.node("ScatterNd", [places, counted, build.ints([size])])];
};

/** −Σ labels·log softmax(logits); the second output is its gradient. */
const softmaxCrossEntropy: Decomposition = (node, build) => {
  const [logits, labels] = node.inputs;
  return logits && labels && crossEntropy(logits, labels, new NodeWriter(build, node.name));
};

const sparseSoftmaxCrossEntropy: Decomposition = (node, build) => {
  const [logits, labels] = node.inputs;
  const classes = (logits && build.shape(logits)?.at(-1)) ?? -1;
  if (!logits || !labels || classes < 0) return undefined;
  const w = new NodeWriter(build, node.name);
  const one = build.scalar(1, logits);
  const zero = build.scalar(0, logits);
  const onehot = w.node("OneHot", [labels, build.int(classes), one, zero], { axis: attr.int(-1) });
  return crossEntropy(logits, onehot, w);
};

function crossEntropy(logits: ValueRef, labels: ValueRef, w: NodeWriter): readonly ValueRef[] {
  const logarithms = w.unary("LogSoftmax", logits);
  const sums = w.reduce("Sum", w.mul(labels, logarithms), [1], false);
  return [w.unary("Neg", sums), w.sub(w.unary("Softmax", logits), labels)];
}

export const ALIASES: ReadonlyMap<string, Decomposition> = new Map([
  ["MaxPoolV2", maxPoolV2],
  ["MaxPoolWithArgmax", maxPoolWithArgmax],
  ["SpaceToBatch", blocks("SpaceToBatchND")],
  ["BatchToSpace", blocks("BatchToSpaceND")],
  ["NonMaxSuppression", nonMaxSuppression],
  ["Empty", empty],
  ["LinSpace", linSpace],
  ["InvertPermutation", invertPermutation],
  ["SoftmaxCrossEntropyWithLogits", softmaxCrossEntropy],
  ["SparseSoftmaxCrossEntropyWithLogits", sparseSoftmaxCrossEntropy],
]);
