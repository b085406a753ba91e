/** Moving and selecting elements, put together from slices, gathers, scatters and masks. */
import { isStatic } from "../../base/shape.ts";
import { intAttr } from "../../graph/attrs.ts";
import type { ValueRef } from "../../graph/ir.ts";
import { attr, flagAttr } from "../attributes.ts";
import { normalizeAxis } from "../broadcast.ts";
import { masksOf } from "../fold/data-movement.ts";
import { integersOf } from "../fold/values.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { placeOf } from "../infer/typed-node.ts";
import { NodeWriter } from "../node-writer.ts";
import { planStridedSlice } from "../strided-slice.ts";

import type { Decomposition } from "./decomposition.ts";

/** Dimensions that STRIDED_SLICE handles, inserted ones counted. */
const MAX_SLICE_RANK = 5;

/** Roll by constant shifts: per axis, the last `shift` elements change place with the others. */
const roll: Decomposition = (node, build) => {
  const [x, shiftRef, axisRef] = node.inputs;
  const shifts = integersOf(build.value(shiftRef));
  const axes = integersOf(build.value(axisRef));
  const shape = x && build.shape(x);
  if (x === undefined || shape === undefined || !isStatic(shape) || !shifts || !axes)
    return undefined;
  const w = new NodeWriter(build, node.name);
  return [
    axes.reduce((value, given, i) => {
      const axis = normalizeAxis(given, shape.length, placeOf(node));
      const size = shape[axis] ?? 1;
      const cut = size - ((((shifts[i] ?? 0) % size) + size) % size);
      if (cut === size || size === 0) return value;
      const head = slice(w, value, axis, 0, cut, shape);
      const tail = slice(w, value, axis, cut, size, shape);
      return w.node("ConcatV2", [tail, head, build.int(axis)]);
    }, x),
  ];
};

function slice(
  w: NodeWriter,
  x: ValueRef,
  axis: number,
  from: number,
  to: number,
  shape: readonly number[],
): ValueRef {
  const begin = shape.map((_, i) => (i === axis ? from : 0));
  const size = shape.map((dim, i) => (i === axis ? to - from : dim));
  return w.node("Slice", [x, w.build.ints(begin), w.build.ints(size)]);
}

/** x · (1 − hit) + updates where hit marks the places that `indices` name; indices must not repeat. */
const scatterUpdate: Decomposition = (node, build) => {
  const parts = scatterParts(node.inputs, build, node.name);
  if (parts === undefined) return undefined;
  const { x, scattered, hit, w } = parts;
  return [w.select(w.binary("Greater", hit, 0), scattered, x)];
};

const scatterAdd =
  (op: "Add" | "Sub"): Decomposition =>
  (node, build) => {
    const parts = scatterParts(node.inputs, build, node.name);
    return parts && [parts.w.binary(op, parts.x, parts.scattered)];
  };

function scatterParts(
  [x, indices, updates]: readonly ValueRef[],
  build: GraphBuilder,
  name: string,
): { x: ValueRef; scattered: ValueRef; hit: ValueRef; w: NodeWriter } | undefined {
  const shape = x && build.shape(x);
  const updateShape = updates && build.shape(updates);
  if (!x || !indices || !updates || !shape || !isStatic(shape)) return undefined;
  if (!updateShape || !isStatic(updateShape)) return undefined;
  const w = new NodeWriter(build, name);
  const dims = build.ints(shape);
  const ones = w.node("Fill", [build.ints(updateShape), build.scalarOf(1, "int32")]);
  return {
    x,
    scattered: w.node("ScatterNd", [indices, updates, dims]),
    hit: w.node("ScatterNd", [indices, ones, dims]),
    w,
  };
}

/** RFFT of the last axis through the two-dimensional transform of one row. */
const rfft: Decomposition = (node, build) => {
  const [x, length] = node.inputs;
  const rank = x && build.shape(x)?.length;
  if (x === undefined || length === undefined || rank === undefined) return undefined;
  const w = new NodeWriter(build, node.name);
  const size = w.node("ConcatV2", [build.ints([1]), length, build.int(0)]);
  const rows = w.node("ExpandDims", [x, build.int(rank - 1)]);
  const spectrum = w.node("RFFT2D", [rows, size]);
  return [w.node("Squeeze", [spectrum], { squeeze_dims: attr.ints([rank - 1]) })];
};

/** Most elements of a constant mask. */
const MAX_MASK = 1 << 24;

/** Keeps the band −lower ≤ column − row ≤ upper of each matrix: a product with a constant mask. */
const bandPart: Decomposition = (node, build) => {
  const [x, lowerRef, upperRef] = node.inputs;
  const lower = integersOf(build.value(lowerRef))?.[0];
  const upper = integersOf(build.value(upperRef))?.[0];
  const shape = x && build.shape(x);
  const [rows = -1, columns = -1] = shape?.slice(-2) ?? [];
  if (x === undefined || lower === undefined || upper === undefined || rows < 0 || columns < 0)
    return undefined;
  if (rows * columns > MAX_MASK) return undefined;
  const mask = new Uint8Array(rows * columns).map((_, i) => {
    const offset = (i % columns) - Math.floor(i / columns);
    return (lower < 0 || -offset <= lower) && (upper < 0 || offset <= upper) ? 1 : 0;
  });
  const w = new NodeWriter(build, node.name);
  const band = build.constant(`${node.name}/band`, {
    dtype: "bool",
    shape: [rows, columns],
    data: mask,
  });
  if (build.type(x).dtype === "bool") return [w.binary("LogicalAnd", x, band)];
  return [w.select(band, x, 0)];
};

/** REVERSE_V2 serves neighbouring axes only: a slice that walks backwards serves others, up to the five it has. */
const reverse: Decomposition = (node, build) => {
  const [x, axesRef] = node.inputs;
  const rank = x && build.shape(x)?.length;
  const axes = integersOf(build.value(axesRef));
  if (x === undefined || rank === undefined || axes === undefined) return undefined;
  const sorted = axes.map((axis) => normalizeAxis(axis, rank, placeOf(node))).sort((a, b) => a - b);
  if (sorted.every((axis, i) => i === 0 || axis === (sorted[i - 1] ?? 0) + 1)) return undefined;
  const w = new NodeWriter(build, node.name);
  if (rank > MAX_SLICE_RANK) {
    return [sorted.reduce((value, axis) => w.node("ReverseV2", [value, build.ints([axis])]), x)];
  }
  const strides = build.ints(
    Array.from({ length: rank }, (_, axis) => (sorted.includes(axis) ? -1 : 1)),
  );
  const whole = attr.int((1 << rank) - 1);
  const none = attr.int(0);
  const masks = { ellipsis_mask: none, new_axis_mask: none, shrink_axis_mask: none };
  // Begin and end are masked: any vector serves, and one constant is enough.
  return [
    w.node("StridedSlice", [x, strides, strides, strides], {
      begin_mask: whole,
      end_mask: whole,
      ...masks,
    }),
  ];
};

/** Dimensions that STRIDED_SLICE would insert or drop beyond the five it serves are left to a Reshape. */
const wideSlice: Decomposition = (node, build) => {
  const [x, ...bounds] = node.inputs;
  const shape = x && build.shape(x);
  const output = build.infer(node)[0]?.shape;
  const [begin, end, strides] = bounds.map((bound) => integersOf(build.value(bound)));
  const masks = masksOf(node);
  if (
    !x ||
    !shape ||
    !begin ||
    !end ||
    !strides ||
    masks.newAxis === 0 ||
    !output ||
    !isStatic(output)
  )
    return undefined;
  const { ranges, outputAxes } = planStridedSlice(shape, begin, end, strides, masks, placeOf(node));
  const added = outputAxes.filter((axis) => axis < 0).length;
  if (shape.length + added <= MAX_SLICE_RANK) return undefined;
  const w = new NodeWriter(build, node.name);
  const none = attr.int(0);
  const openEnds = ranges.reduce(
    (bits, range, axis) => bits | (range.begin + range.stride * range.size < 0 ? 1 << axis : 0),
    0,
  );
  const sliced = w.node(
    "StridedSlice",
    [
      x,
      build.ints(ranges.map((range) => range.begin)),
      build.ints(ranges.map((range) => Math.max(0, range.begin + range.stride * range.size))),
      build.ints(ranges.map((range) => range.stride)),
    ],
    {
      begin_mask: none,
      end_mask: attr.int(openEnds),
      ellipsis_mask: none,
      new_axis_mask: none,
      shrink_axis_mask: none,
    },
  );
  return [w.reshape(sliced, output)];
};

const size: Decomposition = (node, build) => {
  const x = node.inputs[0];
  const out = node.attrs.get("out_type");
  if (x === undefined || out === undefined) return undefined;
  const w = new NodeWriter(build, node.name);
  return [w.reduce("Prod", w.node("Shape", [x], { out_type: out }), [0], false)];
};

/** Counts of the values below `size`, each with its weight, of a vector or of each row: sums over one-hot rows. */
const bincount: Decomposition = (node, build) => {
  const [x, depth, weights] = node.inputs;
  const shape = x && build.shape(x);
  const own = weights && build.shape(weights);
  if (!x || !depth || !weights || !shape || shape.length > 2 || !own) return undefined;
  const isWeighted = `${own}` === `${shape}`;
  if (!isWeighted && own[0] !== 0) return undefined;
  const { dtype } = build.type(weights);
  const w = new NodeWriter(build, node.name);
  const levels = [build.scalarOf(1, dtype), build.scalarOf(0, dtype)];
  const rows = w.node("OneHot", [x, depth, ...levels], { axis: attr.int(-1) });
  const along = [shape.length - 1];
  if (flagAttr(node, "binary_output")) return [w.reduce("Max", rows, along, false)];
  const counts = isWeighted
    ? w.mul(rows, w.node("ExpandDims", [weights, build.int(shape.length)]))
    : rows;
  return [w.reduce("Sum", counts, along, false)];
};

/** Vector products of three components along the last axis. */
const cross: Decomposition = (node, build) => {
  const [a, b] = node.inputs;
  const axis = (a && build.shape(a)?.length) ?? 0;
  if (!a || !b || axis === 0) return undefined;
  const w = new NodeWriter(build, node.name);
  const turned = (x: ValueRef, places: readonly number[]) =>
    w.node("GatherV2", [x, build.ints(places), build.int(axis - 1)], { batch_dims: attr.int(0) });
  const [ahead, behind] = [
    [1, 2, 0],
    [2, 0, 1],
  ] as const;
  const forward = w.mul(turned(a, ahead), turned(b, behind));
  return [w.sub(forward, w.mul(turned(a, behind), turned(b, ahead)))];
};

/** Elements of a running product, which is written out. */
const MAX_PRODUCTS = 64;

const cumulativeProduct: Decomposition = (node, build) => {
  const [x, axisRef] = node.inputs;
  const shape = x && build.shape(x);
  const given = integersOf(build.value(axisRef))?.[0];
  if (
    !x ||
    !shape ||
    given === undefined ||
    flagAttr(node, "exclusive") ||
    flagAttr(node, "reverse")
  )
    return undefined;
  const axis = normalizeAxis(given, shape.length, placeOf(node));
  const count = shape[axis] ?? -1;
  if (count < 1 || count > MAX_PRODUCTS) return undefined;
  const w = new NodeWriter(build, node.name);
  const along = { num: attr.int(count), axis: attr.int(axis) };
  const parts = build.add(`${node.name}/unstack`, "Unpack", [x], along, count);
  const products = [parts];
  for (let output = 1; output < count; output++) {
    products.push(w.mul(products.at(-1)!, { node: parts.node, output }));
  }
  return [w.node("Pack", products, { N: attr.int(count), axis: attr.int(axis) })];
};

/** Interleaves pieces at constant places. */
const dynamicStitch: Decomposition = (node, build) => {
  const count = intAttr(node, "N");
  const indices = node.inputs.slice(0, count).map((ref) => integersOf(build.value(ref)));
  const pieces = node.inputs.slice(count);
  if (!indices.every((list) => list !== undefined)) return undefined;
  const w = new NodeWriter(build, node.name);
  const order = indices.flat();
  const total = Math.max(...order) + 1;
  if (new Set(order).size !== total) return undefined;
  const all = pieces.length === 1 ? pieces[0] : w.node("ConcatV2", [...pieces, build.int(0)]);
  const places = Array.from({ length: total }, (_, place) => order.lastIndexOf(place));
  return all && [w.node("GatherV2", [all, build.ints(places), build.int(0)])];
};

export const DATA_MOVEMENT_DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ["ReverseV2", reverse],
  ["StridedSlice", wideSlice],
  ["Roll", roll],
  ["TensorScatterUpdate", scatterUpdate],
  ["TensorScatterAdd", scatterAdd("Add")],
  ["TensorScatterSub", scatterAdd("Sub")],
  ["RFFT", rfft],
  ["MatrixBandPart", bandPart],
  ["Size", size],
  ["Cross", cross],
  ["Cumprod", cumulativeProduct],
  ["DenseBincount", bincount],
  ["DynamicStitch", dynamicStitch],
]);
