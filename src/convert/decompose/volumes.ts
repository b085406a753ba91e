/** Operations on volumes, [batch, depth, height, width, channels], with those on images. */
import { isStatic } from "../../base/shape.ts";
import { findAttr } from "../../graph/attrs.ts";
import type { ValueRef } from "../../graph/ir.ts";
import { attr, intsOrNone } from "../attributes.ts";
import { layoutOf } from "../infer/window.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";

/**
 * A pool over a volume is one over rows and columns, with the depth folded into the batch, and then one over the depth,
 * with rows and columns as one dimension. Averages agree: how many elements a window has in the image is a product of
 * counts along each dimension.
 */
const pool =
  (op: "MaxPool" | "AvgPool"): Decomposition =>
  (node, build) => {
    const [x] = node.inputs;
    const shape = x && build.shape(x);
    const [ksize, strides] = [intsOrNone(node, "ksize"), intsOrNone(node, "strides")];
    if (x === undefined || shape?.length !== 5 || !isStatic(shape.slice(1))) return undefined;
    const isSpatial = [ksize, strides].every((sizes) => sizes[0] === 1 && sizes[4] === 1);
    if (layoutOf(node, 3).channel !== 4 || !isSpatial) return undefined;
    const w = new NodeWriter(build, node.name);
    const windows = (image: ValueRef, size: readonly number[], step: readonly number[]) =>
      w.node(op, [image], {
        ksize: attr.ints([1, ...size, 1]),
        strides: attr.ints([1, ...step, 1]),
        padding: attr.string(findAttr(node, "padding", "string") ?? "VALID"),
        data_format: attr.string("NHWC"),
      });
    const [batch = -1, depth = 1, height = 1, width = 1, channels = 1] = shape;
    const whole = build.infer(node)[0]?.shape ?? [];
    const [, , rows = 1, columns = 1] = whole;
    let y: ValueRef = x;
    if ([2, 3].some((axis) => ksize[axis] !== 1 || strides[axis] !== 1)) {
      const folded = w.reshape(y, [batch < 0 ? -1 : batch * depth, height, width, channels]);
      y = windows(folded, ksize.slice(2, 4), strides.slice(2, 4));
    }
    if (ksize[1] !== 1 || strides[1] !== 1) {
      const flat = w.reshape(y, [batch, depth, rows * columns, channels]);
      y = windows(flat, [ksize[1] ?? 1, 1], [strides[1] ?? 1, 1]);
    }
    return [w.reshape(y, whole)];
  };

/** A convolution in groups: one for each group of channels, side by side. */
const groupedConvolution: Decomposition = (node, build) => {
  const [x, filter] = node.inputs;
  const channels = x && build.shape(x)?.[layoutOf(node, 3).channel];
  const filterShape = filter && build.shape(filter);
  const inGroup = filterShape?.[3];
  if (x === undefined || channels === undefined || filter === undefined) return undefined;
  if (filterShape === undefined || !isStatic(filterShape) || inGroup === undefined)
    return undefined;
  const groups = channels / inGroup;
  // An open number of channels is -1.
  const isGrouped = Number.isInteger(groups) && groups > 1;
  if (!isGrouped || (filterShape[4] ?? 0) % groups !== 0) return undefined;
  const w = new NodeWriter(build, node.name);
  const parts = (ref: ValueRef): ValueRef[] => {
    const attrs = { num_split: attr.int(groups) };
    const split = build.add(`${node.name}/split`, "Split", [build.int(4), ref], attrs, groups);
    return Array.from({ length: groups }, (_, output) => ({ ...split, output }));
  };
  const filters = parts(filter);
  const attrs = Object.fromEntries(node.attrs);
  const results = parts(x).map((part, i) => w.node(node.op, [part, filters[i]!], attrs));
  return [w.node("ConcatV2", [...results, build.int(4)])];
};

export const VOLUME_DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ["AvgPool3D", pool("AvgPool")],
  ["Conv3D", groupedConvolution],
  ["MaxPool3D", pool("MaxPool")],
]);
