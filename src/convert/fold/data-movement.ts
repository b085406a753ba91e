/** Evaluators that move elements without computing on them. */
import { elementCount, isStatic } from "../../base/shape.ts";
import { intAttr, typeAttr } from "../../graph/attrs.ts";
import type { GraphNode, TensorValue } from "../../graph/ir.ts";
import { intsOrNone } from "../attributes.ts";
import { normalizeAxis, stridedOffsets, stridesOf } from "../broadcast.ts";
import { planStridedSlice, sliceShape } from "../strided-slice.ts";
import { transposeValue } from "./transpose.ts";
import {
  type Evaluator,
  integersOf,
  numbersOf,
  one,
  onFirst,
  takeElements,
  valueFrom,
} from "./values.ts";

/** Storage of any kind, for code that only moves elements. */
type Elements = { [index: number]: unknown };

const where = (node: GraphNode): string => `node ${node.name} (${node.op})`;

const reshape = onFirst((_, x, [target]) => {
  const wanted = integersOf(target);
  if (wanted === undefined) return undefined;
  const count = elementCount(x.shape);
  const known = wanted.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const shape = wanted.map((size) => (size < 0 ? count / known : size));
  return elementCount(shape) === count ? { ...x, shape } : undefined;
});

const squeeze = onFirst((node, x) => {
  const axes = intsOrNone(node, "squeeze_dims").map((axis) =>
    normalizeAxis(axis, x.shape.length, where(node)),
  );
  const drops = (size: number, axis: number) =>
    size === 1 && (axes.length === 0 || axes.includes(axis));
  return { ...x, shape: x.shape.filter((size, axis) => !drops(size, axis)) };
});

const expandDims = onFirst((node, x, [axisValue]) => {
  const axis = integersOf(axisValue)?.[0];
  if (axis === undefined) return undefined;
  return {
    ...x,
    shape: x.shape.toSpliced(normalizeAxis(axis, x.shape.length + 1, where(node)), 0, 1),
  };
});

const transpose = onFirst((node, x, [permValue]) => {
  const perm = integersOf(permValue);
  return perm && transposeValue(x, perm, where(node));
});

/** Joins along an existing axis. */
function concat(inputs: readonly TensorValue[], axis: number): TensorValue | undefined {
  const first = inputs[0];
  if (first === undefined || inputs.some(({ dtype }) => dtype !== first.dtype)) return undefined;
  const total = inputs.reduce((sum, { shape }) => sum + (shape[axis] ?? 0), 0);
  const shape = first.shape.with(axis, total);
  const inner = elementCount(shape.slice(axis + 1));
  const outer = elementCount(shape.slice(0, axis));
  const result = takeElements(first, shape, new Uint32Array(elementCount(shape)));
  if (result === undefined) return undefined;
  const target = result.data as Elements;
  let offset = 0;
  for (const { data, shape: piece } of inputs) {
    const run = (piece[axis] ?? 0) * inner;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < run; i++) {
        target[o * total * inner + offset + i] = (data as Elements)[o * run + i];
      }
    }
    offset += run;
  }
  return result;
}

const concatV2: Evaluator = (node, inputs) => {
  const axis = integersOf(inputs.at(-1))?.[0];
  const rank = inputs[0]?.shape.length ?? 0;
  if (axis === undefined || rank === 0) return undefined;
  return one(concat(inputs.slice(0, -1), normalizeAxis(axis, rank, where(node))));
};

const concatV1: Evaluator = (node, [axis, ...values]) => axis && concatV2(node, [...values, axis]);

const pack: Evaluator = (node, inputs) => {
  const rank = (inputs[0]?.shape.length ?? 0) + 1;
  const axis = normalizeAxis(intAttr(node, "axis"), rank, where(node));
  return one(
    concat(
      inputs.map((x) => ({ ...x, shape: x.shape.toSpliced(axis, 0, 1) })),
      axis,
    ),
  );
};

const unpack: Evaluator = (node, [x]) => {
  if (x === undefined) return undefined;
  const axis = normalizeAxis(intAttr(node, "axis"), x.shape.length, where(node));
  const pieces = pieceUp(x, axis, new Array<number>(x.shape[axis] ?? 0).fill(1));
  return pieces?.map((piece) => ({ ...piece, shape: piece.shape.toSpliced(axis, 1) }));
};

function pieceUp(
  x: TensorValue,
  axis: number,
  sizes: readonly number[],
): TensorValue[] | undefined {
  const strides = stridesOf(x.shape);
  let start = 0;
  const pieces: TensorValue[] = [];
  for (const size of sizes) {
    const shape = x.shape.with(axis, size);
    const piece = takeElements(
      x,
      shape,
      stridedOffsets(shape, strides, start * (strides[axis] ?? 0)),
    );
    if (piece === undefined) return undefined;
    pieces.push(piece);
    start += size;
  }
  return start === x.shape[axis] ? pieces : undefined;
}

/** Elements of a vector that another has not, and their places. */
const listDifference: Evaluator = (node, [x, y]) => {
  const [all, gone] = [integersOf(x), integersOf(y)];
  if (x === undefined || all === undefined || gone === undefined) return undefined;
  const excluded = new Set(gone);
  const places = [...all.keys()].filter((place) => !excluded.has(all[place]!));
  const rest = valueFrom(
    x.dtype,
    [places.length],
    places.map((place) => all[place]!),
  );
  const indices = valueFrom(typeAttr(node, "out_idx"), [places.length], places);
  return rest && indices && [rest, indices];
};

const split: Evaluator = (node, [axisValue, x]) => {
  const axis = integersOf(axisValue)?.[0];
  if (axis === undefined || x === undefined) return undefined;
  const normal = normalizeAxis(axis, x.shape.length, where(node));
  const count = intAttr(node, "num_split");
  return pieceUp(x, normal, new Array<number>(count).fill((x.shape[normal] ?? 0) / count));
};

const splitV: Evaluator = (node, [x, sizesValue, axisValue]) => {
  const sizes = integersOf(sizesValue);
  const axis = integersOf(axisValue)?.[0];
  if (x === undefined || sizes === undefined || axis === undefined) return undefined;
  const normal = normalizeAxis(axis, x.shape.length, where(node));
  const known = sizes.reduce((sum, size) => sum + Math.max(size, 0), 0);
  return pieceUp(
    x,
    normal,
    sizes.map((size) => (size < 0 ? (x.shape[normal] ?? 0) - known : size)),
  );
};

const slice = onFirst((_, x, [beginValue, sizeValue]) => {
  const begin = integersOf(beginValue);
  const size = integersOf(sizeValue);
  if (begin === undefined || size === undefined) return undefined;
  const shape = x.shape.map((dim, axis) => {
    const wanted = size[axis] ?? 0;
    return wanted < 0 ? dim - (begin[axis] ?? 0) : wanted;
  });
  if (
    shape.some(
      (dim, axis) =>
        dim < 0 || (begin[axis] ?? 0) < 0 || dim + (begin[axis] ?? 0) > (x.shape[axis] ?? 0),
    )
  ) {
    return undefined;
  }
  const strides = stridesOf(x.shape);
  const start = strides.reduce((sum, stride, axis) => sum + stride * (begin[axis] ?? 0), 0);
  return takeElements(x, shape, stridedOffsets(shape, strides, start));
});

const stridedSlice = onFirst((node, x, rest) => {
  const [begin, end, steps] = rest.map(integersOf);
  if (begin === undefined || end === undefined || steps === undefined) return undefined;
  const plan = planStridedSlice(x.shape, begin, end, steps, masksOf(node), where(node));
  const shape = sliceShape(plan);
  if (!isStatic(shape)) return undefined;
  const strides = stridesOf(x.shape);
  const start = plan.ranges.reduce(
    (sum, range, axis) => sum + range.begin * (strides[axis] ?? 0),
    0,
  );
  const outer = plan.outputAxes.map((axis) =>
    axis < 0 ? 0 : (strides[axis] ?? 0) * (plan.ranges[axis]?.stride ?? 1),
  );
  return takeElements(x, shape, stridedOffsets(shape, outer, start));
});

/** The five masks of a StridedSlice node. */
export function masksOf(node: GraphNode): {
  begin: number;
  end: number;
  ellipsis: number;
  newAxis: number;
  shrink: number;
} {
  return {
    begin: intAttr(node, "begin_mask"),
    end: intAttr(node, "end_mask"),
    ellipsis: intAttr(node, "ellipsis_mask"),
    newAxis: intAttr(node, "new_axis_mask"),
    shrink: intAttr(node, "shrink_axis_mask"),
  };
}

const gather = onFirst((node, x, [indexValue, axisValue]) => {
  const indices = integersOf(indexValue);
  const axis = axisValue === undefined ? 0 : integersOf(axisValue)?.[0];
  if (indexValue === undefined || indices === undefined || axis === undefined) return undefined;
  if (node.attrs.has("batch_dims") && intAttr(node, "batch_dims") !== 0) return undefined;
  const normal = normalizeAxis(axis, x.shape.length, where(node));
  const size = x.shape[normal] ?? 0;
  if (indices.some((index) => index < 0 || index >= size)) return undefined;
  const shape = [...x.shape.slice(0, normal), ...indexValue.shape, ...x.shape.slice(normal + 1)];
  const inner = elementCount(x.shape.slice(normal + 1));
  const outer = elementCount(x.shape.slice(0, normal));
  const offsets = new Uint32Array(elementCount(shape));
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const index of indices) {
      for (let i = 0; i < inner; i++) offsets[at++] = (o * size + index) * inner + i;
    }
  }
  return takeElements(x, shape, offsets);
});

const tile = onFirst((_, x, [multiplesValue]) => {
  const multiples = integersOf(multiplesValue);
  if (multiples === undefined) return undefined;
  const strides = stridesOf(x.shape);
  // Each axis becomes two: the repeats (stride 0) and the original.
  const shape = x.shape.flatMap((size, axis) => [multiples[axis] ?? 1, size]);
  const steps = strides.flatMap((stride) => [0, stride]);
  const tiled = x.shape.map((size, axis) => size * (multiples[axis] ?? 1));
  return takeElements(x, tiled, stridedOffsets(shape, steps));
});

const pad = onFirst((_, x, [paddingsValue, fillValue]) => {
  const paddings = integersOf(paddingsValue);
  const filler = fillValue === undefined ? 0 : numbersOf(fillValue)?.[0];
  if (paddings === undefined || filler === undefined || !numbersOf(x)) return undefined;
  const shape = x.shape.map(
    (size, axis) => size + (paddings[2 * axis] ?? 0) + (paddings[2 * axis + 1] ?? 0),
  );
  const padded = valueFrom(x.dtype, shape, new Float64Array(elementCount(shape)).fill(filler));
  if (padded === undefined) return undefined;
  const strides = stridesOf(shape);
  const start = strides.reduce((sum, stride, axis) => sum + stride * (paddings[2 * axis] ?? 0), 0);
  const target = padded.data as Elements;
  stridedOffsets(x.shape, strides, start).forEach((offset, i) => {
    target[offset] = (x.data as Elements)[i];
  });
  return padded;
});

const reverse = onFirst((node, x, [axesValue]) => {
  const axes = integersOf(axesValue)?.map((axis) =>
    normalizeAxis(axis, x.shape.length, where(node)),
  );
  if (axes === undefined) return undefined;
  const strides = stridesOf(x.shape);
  const start = axes.reduce(
    (sum, axis) => sum + (strides[axis] ?? 0) * ((x.shape[axis] ?? 1) - 1),
    0,
  );
  const steps = strides.map((stride, axis) => (axes.includes(axis) ? -stride : stride));
  return takeElements(x, x.shape, stridedOffsets(x.shape, steps, start));
});

const identity: Evaluator = (_, inputs) => inputs;

export const DATA_MOVEMENT: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  ["Reshape", reshape],
  ["Squeeze", squeeze],
  ["ExpandDims", expandDims],
  ["Transpose", transpose],
  ["Concat", concatV1],
  ["ConcatV2", concatV2],
  ["Pack", pack],
  ["Unpack", unpack],
  ["Split", split],
  ["ListDiff", listDifference],
  ["SplitV", splitV],
  ["Slice", slice],
  ["StridedSlice", stridedSlice],
  ["Gather", gather],
  ["GatherV2", gather],
  ["Tile", tile],
  ["Pad", pad],
  ["PadV2", pad],
  ["ReverseV2", reverse],
  ["Identity", identity],
  ["IdentityN", identity],
]);
