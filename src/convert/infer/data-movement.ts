/** Types of operations that reshape, cut, join, gather and pad. */
import { elementCount, isStatic, type Shape } from "../../base/shape.ts";
import { intAttr, typeAttr } from "../../graph/attrs.ts";
import type { PartialShape } from "../../graph/ir.ts";
import { hasAttr, intsOrNone } from "../attributes.ts";
import { normalizeAxis } from "../broadcast.ts";
import { masksOf } from "../fold/data-movement.ts";
import { planStridedSlice, sliceShape } from "../strided-slice.ts";
import {
  constantInts,
  dimsOf,
  inputShape,
  inputType,
  one,
  placeOf,
  requireSame,
  statedOutputs,
  type TypedNode,
  type TypeRule,
  unknownDims,
  type ValueType,
} from "./typed-node.ts";

/** Elements of an integer input, unknown ones undefined. */
function elements(typed: TypedNode, input: number): (number | undefined)[] | undefined {
  const partial = typed.partial(input);
  if (partial) return Array.from(partial.numbers, (n) => (Number.isNaN(n) ? undefined : n));
  return dimsOf(typed, input)?.map(() => undefined);
}

const axisOf = (typed: TypedNode, axis: number, rank: number): number =>
  normalizeAxis(axis, rank, placeOf(typed.node));

/** Shape of a RESHAPE; -1 entries of `wanted` are worked out where the element count is known. */
function reshapedShape(shape: PartialShape, wanted: Shape): Shape {
  const open = wanted.filter((size) => size < 0).length;
  if (open !== 1 || shape === undefined || !isStatic(shape)) return wanted;
  const known = wanted.reduce((product, size) => (size < 0 ? product : product * size), 1);
  return wanted.map((size) => (size < 0 ? (known === 0 ? 0 : elementCount(shape) / known) : size));
}

const reshape: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const wanted = dimsOf(typed, 1);
  const reshaped = wanted && reshapedShape(shape, wanted);
  if (shape && reshaped && isStatic(shape) && isStatic(reshaped)) {
    requireSame(typed, "elements", elementCount(shape), elementCount(reshaped));
  }
  return one(dtype, reshaped);
};

const squeeze: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  if (shape === undefined) return one(dtype, undefined);
  const axes = intsOrNone(typed.node, "squeeze_dims").map((axis) =>
    axisOf(typed, axis, shape.length),
  );
  if (axes.length === 0 && !isStatic(shape)) return one(dtype, undefined);
  return one(
    dtype,
    shape.filter((size, axis) => (axes.length === 0 ? size !== 1 : !axes.includes(axis))),
  );
};

const expandDims: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const axis = constantInts(typed, 1)?.[0];
  if (shape === undefined) return one(dtype, undefined);
  if (axis === undefined) return one(dtype, unknownDims(shape.length + 1));
  return one(dtype, shape.toSpliced(axisOf(typed, axis, shape.length + 1), 0, 1));
};

const transpose: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const perm = constantInts(typed, 1);
  if (shape === undefined || perm === undefined)
    return one(dtype, shape && unknownDims(shape.length));
  return one(
    dtype,
    perm.map((axis) => shape[axisOf(typed, axis, shape.length)] ?? -1),
  );
};

function joined(
  typed: TypedNode,
  values: readonly ValueType[],
  axis: number | undefined,
): PartialShape {
  const shapes = values.map(({ shape }) => shape).filter((shape) => shape !== undefined);
  const rank = shapes[0]?.length;
  if (rank === undefined) return undefined;
  if (axis === undefined || shapes.length < values.length) return unknownDims(rank);
  const normal = axisOf(typed, axis, rank);
  for (const shape of shapes) {
    requireSame(typed, "rank", shape.length, rank);
    for (const [at, size] of shape.entries()) {
      if (at !== normal) requireSame(typed, `dimension ${at} of`, size, shapes[0]?.[at]);
    }
  }
  const merged = unknownDims(rank).map(
    (_, at) => shapes.find((shape) => (shape[at] ?? -1) >= 0)?.[at] ?? -1,
  );
  const total = shapes.reduce((sum, shape) => {
    const size = shape[normal] ?? -1;
    return sum < 0 || size < 0 ? -1 : sum + size;
  }, 0);
  return merged.with(normal, total);
}

const concatV2: TypeRule = (typed) => {
  const axis = constantInts(typed, typed.inputs.length - 1)?.[0];
  return one(inputType(typed, 0).dtype, joined(typed, typed.inputs.slice(0, -1), axis));
};

const concat: TypeRule = (typed) =>
  one(inputType(typed, 1).dtype, joined(typed, typed.inputs.slice(1), constantInts(typed, 0)?.[0]));

const pack: TypeRule = (typed) => {
  const { dtype } = inputType(typed, 0);
  const known = typed.inputs.find(({ shape }) => shape !== undefined)?.shape;
  if (known === undefined) return one(dtype, undefined);
  const axis = axisOf(typed, intAttr(typed.node, "axis"), known.length + 1);
  return one(dtype, known.toSpliced(axis, 0, typed.inputs.length));
};

const unpack: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const piece = shape?.toSpliced(axisOf(typed, intAttr(typed.node, "axis"), shape.length), 1);
  return Array.from({ length: statedOutputs(typed, "num") }, () => ({ dtype, shape: piece }));
};

function pieces(
  typed: TypedNode,
  { dtype, shape }: ValueType,
  axis: number | undefined,
  sizes: readonly number[],
): readonly ValueType[] {
  return sizes.map((size) => {
    if (shape === undefined || axis === undefined)
      return { dtype, shape: shape && unknownDims(shape.length) };
    return { dtype, shape: shape.with(axisOf(typed, axis, shape.length), size) };
  });
}

const split: TypeRule = (typed) => {
  const value = inputType(typed, 1);
  const axis = constantInts(typed, 0)?.[0];
  const count = statedOutputs(typed, "num_split");
  const size = value.shape?.at(axis ?? 0) ?? -1;
  return pieces(typed, value, axis, new Array<number>(count).fill(size < 0 ? -1 : size / count));
};

const splitV: TypeRule = (typed) => {
  const value = inputType(typed, 0);
  const axis = constantInts(typed, 2)?.[0];
  const sizes = dimsOf(typed, 1) ?? unknownDims(statedOutputs(typed, "num_split"));
  const total = value.shape?.at(axis ?? 0) ?? -1;
  const known = sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  const rest = sizes.filter((size) => size < 0).length === 1 && total >= 0 ? total - known : -1;
  return pieces(
    typed,
    value,
    axis,
    sizes.map((size) => (size < 0 ? rest : size)),
  );
};

const slice: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const begin = elements(typed, 1);
  const size = elements(typed, 2);
  if (shape === undefined || size === undefined)
    return one(dtype, size && unknownDims(size.length));
  return one(
    dtype,
    shape.map((dim, axis) => {
      const wanted = size[axis];
      if (wanted === undefined) return -1;
      if (wanted >= 0) return wanted;
      const first = begin?.[axis];
      return first === undefined || dim < 0 ? -1 : dim - first;
    }),
  );
};

const stridedSlice: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const [begin, end, strides] = [1, 2, 3].map((input) => elements(typed, input));
  if (!shape || !begin || !end || !strides) return one(dtype, undefined);
  return one(
    dtype,
    sliceShape(
      planStridedSlice(shape, begin, end, strides, masksOf(typed.node), placeOf(typed.node)),
    ),
  );
};

const gather: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const indices = inputShape(typed, 1);
  const axis = typed.inputs.length > 2 ? constantInts(typed, 2)?.[0] : 0;
  if (shape === undefined || indices === undefined || axis === undefined)
    return one(dtype, undefined);
  const batch = hasAttr(typed.node, "batch_dims") ? intAttr(typed.node, "batch_dims") : 0;
  const normal = axisOf(typed, axis, shape.length);
  const shared = batch < 0 ? batch + indices.length : batch;
  return one(dtype, [
    ...shape.slice(0, normal),
    ...indices.slice(shared),
    ...shape.slice(normal + 1),
  ]);
};

const gatherNd: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const indices = inputShape(typed, 1);
  const depth = indices?.at(-1) ?? -1;
  if (shape === undefined || indices === undefined || depth < 0) return one(dtype, undefined);
  return one(dtype, [...indices.slice(0, -1), ...shape.slice(depth)]);
};

/** The shape is the value of an operand: Fill 0, BroadcastTo 1, ScatterNd 2, random ops 0. */
const shapeFromValue =
  (shapeInput: number, dtypeInput: number): TypeRule =>
  (typed) =>
    one(inputType(typed, dtypeInput).dtype, dimsOf(typed, shapeInput));

const pad: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const paddings = typed.partial(1)?.numbers;
  return one(
    dtype,
    shape?.map((size, axis) => {
      const total = (paddings?.[2 * axis] ?? Number.NaN) + (paddings?.[2 * axis + 1] ?? Number.NaN);
      return size < 0 || Number.isNaN(total) ? -1 : size + total;
    }),
  );
};

const tile: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const multiples = elements(typed, 1);
  return one(
    dtype,
    shape?.map((size, axis) => {
      const times = multiples?.[axis];
      return size < 0 || times === undefined ? -1 : size * times;
    }),
  );
};

const spaceToBatch: TypeRule = (typed) => blocks(typed, 1);
const batchToSpace: TypeRule = (typed) => blocks(typed, -1);

function blocks(typed: TypedNode, direction: 1 | -1): ReturnType<TypeRule> {
  const { dtype, shape } = inputType(typed, 0);
  const block = constantInts(typed, 1);
  const edges = constantInts(typed, 2);
  if (!shape || !block || !edges) return one(dtype, shape && unknownDims(shape.length));
  const area = block.reduce((product, size) => product * size, 1);
  return one(
    dtype,
    shape.map((size, axis) => {
      if (size < 0) return -1;
      if (axis === 0) return direction > 0 ? size * area : size / area;
      const by = block[axis - 1];
      if (by === undefined) return size;
      const edge = (edges[2 * axis - 2] ?? 0) + (edges[2 * axis - 1] ?? 0);
      return direction > 0 ? (size + edge) / by : size * by - edge;
    }),
  );
}

const oneHot: TypeRule = (typed) => {
  const indices = inputShape(typed, 0);
  const depth = constantInts(typed, 1)?.[0] ?? -1;
  const axis = intAttr(typed.node, "axis");
  const { dtype } = inputType(typed, 2);
  return one(dtype, indices?.toSpliced(axis < 0 ? indices.length : axis, 0, depth));
};

const range: TypeRule = (typed) => {
  const [start, limit, delta] = [0, 1, 2].map((input) => {
    const data = typed.constant(input)?.data;
    return data === undefined || Array.isArray(data) ? undefined : Number(data[0]);
  });
  const count =
    start === undefined || limit === undefined || !delta
      ? -1
      : Math.max(0, Math.ceil((limit - start) / delta));
  return one(inputType(typed, 0).dtype, [count]);
};

const broadcastArgs: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  const lengths = [shape?.[0] ?? -1, inputShape(typed, 1)?.[0] ?? -1];
  return one(dtype, [Math.min(...lengths) < 0 ? -1 : Math.max(...lengths)]);
};

const shapeOp: TypeRule = (typed) =>
  typed.inputs.map(({ shape }) => ({
    dtype: typeAttr(typed.node, "out_type"),
    shape: [shape?.length ?? -1],
  }));

const matrixDiag: TypeRule = (typed) => {
  const { dtype, shape } = inputType(typed, 0);
  return one(dtype, shape && [...shape, shape.at(-1) ?? -1]);
};

const where: TypeRule = (typed) => one("int64", [-1, inputShape(typed, 0)?.length ?? -1]);

const sparseToDense: TypeRule = (typed) => one(inputType(typed, 2).dtype, dimsOf(typed, 1));

const segment =
  (countInput?: number): TypeRule =>
  (typed) => {
    const { dtype, shape } = inputType(typed, 0);
    const ids = inputShape(typed, 1);
    if (!shape || !ids) return one(dtype, undefined);
    const last =
      countInput === undefined ? lastSegment(typed) : constantInts(typed, countInput)?.[0];
    return one(dtype, [last ?? -1, ...shape.slice(ids.length)]);
  };

function lastSegment(typed: TypedNode): number | undefined {
  const ids = constantInts(typed, 1);
  const last = ids?.at(-1);
  return last === undefined ? undefined : last + 1;
}

const dynamicStitch: TypeRule = (typed) => {
  const half = typed.inputs.length / 2;
  const { dtype, shape } = inputType(typed, half);
  const indices = inputShape(typed, 0);
  const rest = shape && indices && shape.slice(indices.length);
  return one(dtype, rest && [-1, ...rest]);
};

const concatOffset: TypeRule = (typed) => typed.inputs.slice(1);

export const DATA_MOVEMENT_TYPES: ReadonlyMap<string, TypeRule> = new Map<string, TypeRule>([
  ["Reshape", reshape],
  ["Squeeze", squeeze],
  ["ExpandDims", expandDims],
  ["Transpose", transpose],
  ["Concat", concat],
  ["ConcatV2", concatV2],
  ["Pack", pack],
  ["Unpack", unpack],
  ["Split", split],
  ["SplitV", splitV],
  ["Slice", slice],
  ["StridedSlice", stridedSlice],
  ["Gather", gather],
  ["GatherV2", gather],
  ["GatherNd", gatherNd],
  ["ScatterNd", shapeFromValue(2, 1)],
  ["Fill", shapeFromValue(0, 1)],
  ["BroadcastTo", shapeFromValue(1, 0)],
  ["Empty", (typed) => one(typeAttr(typed.node, "dtype"), dimsOf(typed, 0))],
  ["Pad", pad],
  ["PadV2", pad],
  ["MirrorPad", pad],
  ["Tile", tile],
  ["SpaceToBatchND", spaceToBatch],
  ["BatchToSpaceND", batchToSpace],
  ["OneHot", oneHot],
  ["Range", range],
  ["LinSpace", (typed) => one(inputType(typed, 0).dtype, [constantInts(typed, 2)?.[0] ?? -1])],
  ["BroadcastArgs", broadcastArgs],
  ["Shape", shapeOp],
  ["ShapeN", shapeOp],
  ["Size", (typed) => one(typeAttr(typed.node, "out_type"), [])],
  ["Rank", () => one("int32", [])],
  ["MatrixDiag", matrixDiag],
  ["MatrixDiagV2", matrixDiag],
  ["MatrixDiagV3", matrixDiag],
  ["Where", where],
  ["SparseToDense", sparseToDense],
  ["SegmentSum", segment()],
  ["UnsortedSegmentSum", segment(2)],
  ["UnsortedSegmentMax", segment(2)],
  ["UnsortedSegmentMin", segment(2)],
  ["UnsortedSegmentProd", segment(2)],
  ["DynamicStitch", dynamicStitch],
  ["ConcatOffset", concatOffset],
]);
