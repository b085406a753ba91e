/** Evaluators that make tensors from few numbers: fills, ranges, shapes, permutations, coordinates. */
import { elementCount, type Shape } from "../../base/shape.ts";
import { intAttr, typeAttr } from "../../graph/attrs.ts";
import type { TensorValue } from "../../graph/ir.ts";
import { broadcastShapes, broadcastStrides, stridedOffsets, stridesOf } from "../broadcast.ts";
import {
  type Evaluator,
  integersOf,
  numbersOf,
  one,
  onFirst,
  takeElements,
  valueFrom,
} from "./values.ts";

function broadcastTo(x: TensorValue, shape: Shape): TensorValue | undefined {
  if (shape.some((size) => size < 0) || shape.length < x.shape.length) return undefined;
  return takeElements(x, shape, stridedOffsets(shape, broadcastStrides(x.shape, shape.length)));
}

const fill: Evaluator = (_, [dims, x]) => {
  const shape = integersOf(dims);
  const filled = x && shape && broadcastTo(x, shape);
  return filled && one(filled);
};

const range: Evaluator = (_, inputs) => {
  const [start, limit, delta] = inputs.map((value) => numbersOf(value)?.[0]);
  const dtype = inputs[0]?.dtype;
  if (dtype === undefined || start === undefined || limit === undefined || !delta) return undefined;
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  if (count > 1 << 24) return undefined;
  return one(
    valueFrom(
      dtype,
      [count],
      Array.from({ length: count }, (_, i) => start + i * delta),
    ),
  );
};

const linSpace: Evaluator = (_, inputs) => {
  const [start, stop, num] = inputs.map((value) => numbersOf(value)?.[0]);
  const dtype = inputs[0]?.dtype;
  if (dtype === undefined || start === undefined || stop === undefined) return undefined;
  if (num === undefined || num < 1 || num > 1 << 24) return undefined;
  const step = num > 1 ? (stop - start) / (num - 1) : 0;
  return one(
    valueFrom(
      dtype,
      [num],
      Array.from({ length: num }, (_, i) => start + i * step),
    ),
  );
};

/** Square matrices with a vector on the main diagonal; later versions say so by operands. */
const matrixDiag: Evaluator = (_, [diagonal, k, rows, columns, padding]) => {
  const numbers = diagonal && numbersOf(diagonal);
  const size = diagonal?.shape.at(-1);
  if (diagonal === undefined || numbers === undefined || size === undefined) return undefined;
  const plain = [k, rows, columns, padding].every((value, i) => {
    const only = value === undefined ? undefined : numbersOf(value)?.[0];
    return (
      only === undefined ||
      only === 0 ||
      (only === -1 && (i === 1 || i === 2)) ||
      (only === size && (i === 1 || i === 2))
    );
  });
  if (!plain || (k?.shape[0] ?? 1) !== 1 || numbers.length * size > MAX_DIAGONAL) return undefined;
  const data = new Float64Array(numbers.length * size);
  for (let i = 0; i < numbers.length; i++) data[i * size + (i % size)] = numbers[i] ?? 0;
  const value = valueFrom(diagonal.dtype, [...diagonal.shape, size], data);
  return value && one(value);
};

/** Elements of matrices that are written into the file for a diagonal. */
const MAX_DIAGONAL = 1 << 16;

/** The main diagonal of matrices set to a vector. */
const matrixSetDiag: Evaluator = (_, [x, diagonal, k]) => {
  const [numbers, values] = [x && numbersOf(x), diagonal && numbersOf(diagonal)];
  const [rows = 0, columns = 0] = x?.shape.slice(-2) ?? [];
  const count = Math.min(rows, columns);
  const isMain = k === undefined || `${integersOf(k)}` === "0";
  if (x === undefined || !numbers || !values || !isMain || count === 0) return undefined;
  const data = Float64Array.from(numbers);
  for (const [i, value] of Array.from(values).entries()) {
    data[Math.floor(i / count) * rows * columns + (i % count) * (columns + 1)] = value;
  }
  const result = valueFrom(x.dtype, x.shape, data);
  return result && one(result);
};

const oneHot: Evaluator = (node, [indices, depthValue, on, off]) => {
  const depth = integersOf(depthValue)?.[0];
  const picks = integersOf(indices);
  const onValue = on && numbersOf(on)?.[0];
  const offValue = off && numbersOf(off)?.[0];
  if (
    !indices ||
    !on ||
    !picks ||
    depth === undefined ||
    onValue === undefined ||
    offValue === undefined
  )
    return undefined;
  const axis = intAttr(node, "axis");
  if (axis !== -1 && axis !== indices.shape.length) return undefined;
  const numbers = picks.flatMap((pick) =>
    Array.from({ length: depth }, (_, i) => (i === pick ? onValue : offValue)),
  );
  return one(valueFrom(on.dtype, [...indices.shape, depth], numbers));
};

const invertPermutation = onFirst((_, x) => {
  const perm = integersOf(x);
  return (
    perm &&
    valueFrom(
      x.dtype,
      x.shape,
      perm.map((_, i) => perm.indexOf(i)),
    )
  );
});

const broadcastArgs: Evaluator = (node, [a, b]) => {
  const [x, y] = [integersOf(a), integersOf(b)];
  if (a === undefined || x === undefined || y === undefined) return undefined;
  const shape = broadcastShapes(x, y, `node ${node.name} (${node.op})`);
  return one(valueFrom(a.dtype, [shape.length], shape));
};

const concatOffset: Evaluator = (_, [axisValue, ...shapes]) => {
  const axis = integersOf(axisValue)?.[0];
  if (axis === undefined) return undefined;
  let offset = 0;
  return shapes.map((value) => {
    const shape = integersOf(value) ?? [];
    const result = valueFrom(
      value.dtype,
      value.shape,
      shape.map((_, i) => (i === axis ? offset : 0)),
    );
    offset += shape[axis] ?? 0;
    return result ?? value;
  });
};

/** Where: coordinates of the true elements, int64 [n, rank]. */
const whereTrue = onFirst((_, x) => {
  const numbers = numbersOf(x);
  if (numbers === undefined) return undefined;
  const strides = stridesOf(x.shape);
  const rows: number[] = [];
  let count = 0;
  for (let i = 0; i < numbers.length; i++) {
    if (numbers[i] === 0) continue;
    count++;
    strides.forEach((stride, axis) => {
      rows.push(Math.floor(i / stride) % (x.shape[axis] ?? 1));
    });
  }
  return valueFrom("int64", [count, x.shape.length], rows);
});

const constantLike = (element: number): Evaluator =>
  onFirst((_, x) =>
    valueFrom(x.dtype, x.shape, new Float64Array(elementCount(x.shape)).fill(element)),
  );

/** Bitcast between types of one size. */
const bitcast = onFirst((node, x) => {
  const target = typeAttr(node, "type");
  if (Array.isArray(x.data) || target !== "float32" || x.dtype !== "int32") return undefined;
  return {
    dtype: target,
    shape: x.shape,
    data: new Float32Array(x.data.slice().buffer as ArrayBuffer),
  };
});

export const GENERATORS: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  [
    "BroadcastTo",
    onFirst((_, x, [dims]) => {
      const shape = integersOf(dims);
      return shape && broadcastTo(x, shape);
    }),
  ],
  ["Fill", fill],
  ["Range", range],
  ["LinSpace", linSpace],
  ["OneHot", oneHot],
  ...["MatrixDiag", "MatrixDiagV2", "MatrixDiagV3"].map((op) => [op, matrixDiag] as const),
  ...["MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3"].map(
    (op) => [op, matrixSetDiag] as const,
  ),
  ["InvertPermutation", invertPermutation],
  ["BroadcastArgs", broadcastArgs],
  ["ConcatOffset", concatOffset],
  ["Where", whereTrue],
  ["ZerosLike", constantLike(0)],
  ["OnesLike", constantLike(1)],
  ["Bitcast", bitcast],
]);
