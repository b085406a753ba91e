/** Types of convolutions, pools, matrix products, resizing and normalization. */
import type { Shape } from "../../base/shape.ts";
import { boolAttr, intAttr, stringAttr } from "../../graph/attrs.ts";
import type { GraphNode, PartialShape } from "../../graph/ir.ts";
import { hasAttr, intsOrNone } from "../attributes.ts";
import { broadcastShapes } from "../broadcast.ts";
import {
  dimsOf,
  inputShape,
  inputType,
  one,
  placeOf,
  requireSame,
  type TypedNode,
  type TypeRule,
  unknownDims,
} from "./typed-node.ts";

/** Places of the dimensions in a tensor of images: batch 0, then spatial ones and channels. */
export interface Layout {
  readonly channel: number;
  readonly spatial: readonly number[];
}

/** Reads data_format; NHWC and NDHWC where there is none. */
export function layoutOf(node: GraphNode, spatialDims = 2): Layout {
  const format = hasAttr(node, "data_format") ? stringAttr(node, "data_format") : "NHWC";
  const spatial = Array.from({ length: spatialDims }, (_, i) => i);
  return format.startsWith("NC")
    ? { channel: 1, spatial: spatial.map((i) => i + 2) }
    : { channel: spatialDims + 1, spatial: spatial.map((i) => i + 1) };
}

/** Output size of a window that slides over `size` elements; -1 stays -1. `padding` is SAME or VALID, or a sum of pads. */
export function windowedSize(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  padding: string | number,
): number {
  if (size < 0 || kernel < 0) return -1;
  if (padding === "SAME") return Math.ceil(size / stride);
  const padded = size + (typeof padding === "number" ? padding : 0);
  return Math.max(0, Math.floor((padded - (kernel - 1) * dilation - 1) / stride) + 1);
}

function slide(
  typed: TypedNode,
  kernel: readonly number[],
  channels: number,
  spatialDims = 2,
): PartialShape {
  const { node } = typed;
  const shape = inputShape(typed, 0);
  if (shape === undefined)
    return unknownDims(spatialDims + 2).with(layoutOf(node, spatialDims).channel, channels);
  const { channel, spatial } = layoutOf(node, spatialDims);
  const strides = intsOrNone(node, "strides");
  const dilations = intsOrNone(node, "dilations");
  const explicit = intsOrNone(node, "explicit_paddings");
  const padding = stringAttr(node, "padding");
  const result = [...shape];
  result[channel] = channels;
  spatial.forEach((axis, i) => {
    const pads = (explicit[2 * axis] ?? 0) + (explicit[2 * axis + 1] ?? 0);
    result[axis] = windowedSize(
      shape[axis] ?? -1,
      kernel[i] ?? -1,
      strides[axis] ?? 1,
      dilations[axis] ?? 1,
      padding === "EXPLICIT" ? pads : padding,
    );
  });
  return result;
}

const conv2d: TypeRule = (typed) => {
  const filter = inputShape(typed, 1) ?? unknownDims(4);
  const channels = inputShape(typed, 0)?.[layoutOf(typed.node).channel] ?? -1;
  const inGroup = filter[2] ?? -1;
  if (channels > 0 && inGroup > 0) {
    const what = `${channels} channels, of which groups of ${inGroup} leave`;
    requireSame(typed, what, channels % inGroup, 0);
  }
  return one(inputType(typed, 0).dtype, slide(typed, filter.slice(0, 2), filter[3] ?? -1));
};

const conv3d: TypeRule = (typed) => {
  const filter = inputShape(typed, 1) ?? unknownDims(5);
  return one(inputType(typed, 0).dtype, slide(typed, filter.slice(0, 3), filter[4] ?? -1, 3));
};

const depthwise: TypeRule = (typed) => {
  const [kh = -1, kw = -1, channels = -1, multiplier = -1] = inputShape(typed, 1) ?? unknownDims(4);
  requireSame(typed, "channels", inputShape(typed, 0)?.[layoutOf(typed.node).channel], channels);
  const outputs = channels < 0 || multiplier < 0 ? -1 : channels * multiplier;
  return one(inputType(typed, 0).dtype, slide(typed, [kh, kw], outputs));
};

const pool =
  (spatialDims: number): TypeRule =>
  (typed) => {
    const { channel, spatial } = layoutOf(typed.node, spatialDims);
    const ksize = intsOrNone(typed.node, "ksize");
    const kernel = spatial.map((axis) => ksize[axis] ?? 1);
    const channels = inputShape(typed, 0)?.[channel] ?? -1;
    return one(inputType(typed, 0).dtype, slide(typed, kernel, channels, spatialDims));
  };

/** Conv2DBackpropInput, Conv3DBackpropInputV2: the shape is the value of input 0; channels also from the filter. */
const transposeConv: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 2);
  const filter = inputShape(typed, 1);
  const rank = filter?.length ?? shape?.length ?? 4;
  const { channel, spatial } = layoutOf(typed.node, rank - 2);
  const given = dimsOf(typed, 0) ?? [];
  const result = unknownDims(rank);
  const asIs = given.length === rank ? given : undefined;
  return one(
    dtype,
    result.map((_, axis) => {
      const known =
        asIs?.[axis] ?? (spatial.includes(axis) ? (given[axis - (spatial[0] ?? 0)] ?? -1) : -1);
      if (known >= 0) return known;
      if (axis === 0) return shape?.[0] ?? -1;
      return axis === channel ? (filter?.[rank - 2] ?? -1) : -1;
    }),
  );
};

const matMul: TypeRule = (typed) => {
  const a = inputShape(typed, 0) ?? unknownDims(2);
  const b = inputShape(typed, 1) ?? unknownDims(2);
  requireSame(typed, "a matrix of rank", a.length, 2);
  requireSame(typed, "a matrix of rank", b.length, 2);
  const rowAxis = boolAttr(typed.node, "transpose_a") ? 1 : 0;
  const columnAxis = boolAttr(typed.node, "transpose_b") ? 0 : 1;
  requireSame(typed, "a product with rows of", a[1 - rowAxis], b[1 - columnAxis]);
  const rows = a[rowAxis] ?? -1;
  const columns = b[columnAxis] ?? -1;
  return one(inputType(typed, 0).dtype, [rows, columns]);
};

const batchMatMul: TypeRule = (typed) => {
  const { dtype, shape: a } = inputType(typed, 0);
  const b = inputShape(typed, 1);
  if (a === undefined || b === undefined) return one(dtype, undefined);
  const rowAxis = boolAttr(typed.node, "adj_x") ? -1 : -2;
  const columnAxis = boolAttr(typed.node, "adj_y") ? -2 : -1;
  requireSame(typed, "a product with rows of", a.at(-3 - rowAxis), b.at(-3 - columnAxis));
  const rows = a.at(rowAxis) ?? -1;
  const columns = b.at(columnAxis) ?? -1;
  const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2), placeOf(typed.node));
  return one(dtype, [...batch, rows, columns]);
};

/** Einsum: sizes by label; an ellipsis stands for the dimensions that the labels leave over. */
const einsum: TypeRule = (typed) => {
  const { dtype } = inputType(typed, 0);
  const [left = "", output = ""] = stringAttr(typed.node, "equation")
    .replaceAll(" ", "")
    .split("->");
  const sizes = new Map<string, number>();
  let ellipsis: Shape = [];
  for (const [i, term] of left.split(",").entries()) {
    const shape = inputShape(typed, i);
    if (shape === undefined) return one(dtype, undefined);
    const [head = "", tail] = term.split("...");
    const labels = [...head, ...(tail ?? "")];
    const spread = shape.length - labels.length;
    if (tail !== undefined) {
      ellipsis = broadcastShapes(
        ellipsis,
        shape.slice(head.length, head.length + spread),
        placeOf(typed.node),
      );
    }
    labels.forEach((label, at) => {
      const size = shape[at < head.length ? at : at + spread] ?? -1;
      if ((sizes.get(label) ?? -1) < 0) sizes.set(label, size);
    });
  }
  const [head = "", tail] = output.split("...");
  const toSizes = (labels: string) => [...labels].map((label) => sizes.get(label) ?? -1);
  return one(dtype, [
    ...toSizes(head),
    ...(tail === undefined ? [] : ellipsis),
    ...toSizes(tail ?? ""),
  ]);
};

const resize: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const size = dimsOf(typed, 1) ?? [-1, -1];
  const [batch = -1, , , channels = -1] = shape ?? unknownDims(4);
  const result = typed.node.op === "ResizeNearestNeighbor" ? dtype : "float32";
  return one(result, [batch, size[0] ?? -1, size[1] ?? -1, channels]);
};

/** Output 0 like the input, the statistics per channel. */
const batchNorm: TypeRule = (typed) => {
  const x = inputType(typed, 0);
  const scale = inputType(typed, 1);
  const count = typed.node.outputCount;
  return [x, ...new Array(Math.max(0, count - 1)).fill(scale)];
};

const spaceToDepth: TypeRule = (typed) => regroup(typed, 1 / intAttr(typed.node, "block_size"));
const depthToSpace: TypeRule = (typed) => regroup(typed, intAttr(typed.node, "block_size"));

function regroup(typed: TypedNode, factor: number): ReturnType<TypeRule> {
  const { dtype, shape } = inputType(typed, 0);
  const { channel, spatial } = layoutOf(typed.node);
  const scaled = (size: number, by: number) => (size < 0 ? -1 : Math.round(size * by));
  return one(
    dtype,
    shape?.map((size, axis) => {
      if (axis === channel) return scaled(size, 1 / (factor * factor));
      return spatial.includes(axis) ? scaled(size, factor) : size;
    }),
  );
}

const rfft =
  (dims: number): TypeRule =>
  (typed) => {
    const shape = inputShape(typed, 0);
    const lengths = dimsOf(typed, 1) ?? unknownDims(dims);
    const result = shape?.map((size, axis) => {
      const at = axis - shape.length + dims;
      if (at < 0) return size;
      const length = lengths[at] ?? -1;
      return at === dims - 1 && length >= 0 ? Math.floor(length / 2) + 1 : length;
    });
    return one("complex64", result);
  };

export const WINDOW_TYPES: ReadonlyMap<string, TypeRule> = new Map<string, TypeRule>([
  ["Conv2D", conv2d],
  ["Conv3D", conv3d],
  ["DepthwiseConv2dNative", depthwise],
  ["MaxPool", pool(2)],
  ["MaxPool3D", pool(3)],
  ["AvgPool", pool(2)],
  ["AvgPool3D", pool(3)],
  ["L2Pool", pool(2)],
  ["Conv2DBackpropInput", transposeConv],
  ["Conv3DBackpropInputV2", transposeConv],
  ["MatMul", matMul],
  ["BatchMatMul", batchMatMul],
  ["BatchMatMulV2", batchMatMul],
  ["BatchMatMulV3", batchMatMul],
  ["Einsum", einsum],
  ["ResizeBilinear", resize],
  ["ResizeNearestNeighbor", resize],
  ["ResizeBicubic", resize],
  ["ResizeArea", resize],
  ["FusedBatchNorm", batchNorm],
  ["FusedBatchNormV2", batchNorm],
  ["FusedBatchNormV3", batchNorm],
  ["BatchNormWithGlobalNormalization", (typed) => [inputType(typed, 0)]],
  ["SpaceToDepth", spaceToDepth],
  ["DepthToSpace", depthToSpace],
  ["RFFT", rfft(1)],
  ["RFFT2D", rfft(2)],
]);
