/** Evaluators of reductions and small matrix products. */
import { elementCount } from "../../base/shape.ts";
import { boolAttr } from "../../graph/attrs.ts";
import { normalizeAxis, stridedOffsets, stridesOf } from "../broadcast.ts";
import { type Evaluator, integersOf, numbersOf, valueFrom } from "./values.ts";

interface Reduction {
  readonly start: number;
  readonly step: (sum: number, x: number) => number;
  readonly finish?: (sum: number, count: number) => number;
}

const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  Sum: { start: 0, step: (sum, x) => sum + x },
  Prod: { start: 1, step: (product, x) => product * x },
  Max: { start: Number.NEGATIVE_INFINITY, step: Math.max },
  Min: { start: Number.POSITIVE_INFINITY, step: Math.min },
  Mean: { start: 0, step: (sum, x) => sum + x, finish: (sum, count) => sum / count },
  Any: { start: 0, step: (any, x) => (any !== 0 || x !== 0 ? 1 : 0) },
  All: { start: 1, step: (all, x) => (all !== 0 && x !== 0 ? 1 : 0) },
};

function reduce({ start, step, finish }: Reduction): Evaluator {
  return (node, [x, axesValue]) => {
    const numbers = x && numbersOf(x);
    const axes = integersOf(axesValue);
    if (x === undefined || numbers === undefined || axes === undefined) return undefined;
    const place = `node ${node.name} (${node.op})`;
    const reduced = new Set(axes.map((axis) => normalizeAxis(axis, x.shape.length, place)));
    const kept = x.shape.map((size, axis) => (reduced.has(axis) ? 1 : size));
    const strides = stridesOf(kept).map((stride, axis) => (reduced.has(axis) ? 0 : stride));
    const sums = new Float64Array(elementCount(kept)).fill(start);
    stridedOffsets(x.shape, strides).forEach((offset, i) => {
      sums[offset] = step(sums[offset] ?? start, numbers[i] ?? 0);
    });
    const count = elementCount(x.shape) / Math.max(sums.length, 1);
    const results = finish === undefined ? sums : sums.map((sum) => finish(sum, count));
    const shape = boolAttr(node, "keep_dims")
      ? kept
      : x.shape.filter((_, axis) => !reduced.has(axis));
    const value = valueFrom(x.dtype, shape, results);
    return value && [value];
  };
}

/** Running sums along an axis, in float32 where the elements are. */
const cumulativeSum: Evaluator = (node, [x, axisValue]) => {
  const numbers = x && numbersOf(x);
  const [given] = integersOf(axisValue) ?? [];
  if (x === undefined || numbers === undefined || given === undefined) return undefined;
  const axis = normalizeAxis(given, x.shape.length, `node ${node.name} (${node.op})`);
  const [size = 1, stride = 1] = [x.shape[axis], stridesOf(x.shape)[axis]];
  const [exclusive, reverse] = [boolAttr(node, "exclusive"), boolAttr(node, "reverse")];
  const round = x.dtype === "float32" ? Math.fround : (sum: number) => sum;
  const sums = new Float64Array(numbers.length);
  for (let first = 0; first < numbers.length; first++) {
    if (Math.floor(first / stride) % size !== 0) continue;
    let sum = 0;
    for (let step = 0; step < size; step++) {
      const place = first + (reverse ? size - 1 - step : step) * stride;
      const next = round(sum + (numbers[place] ?? 0));
      sums[place] = exclusive ? sum : next;
      sum = next;
    }
  }
  const value = valueFrom(x.dtype, x.shape, sums);
  return value && [value];
};

/** Multiply-adds beyond which a product of constants is left for run time. */
const MATMUL_LIMIT = 1 << 22;

const matMul: Evaluator = (node, [a, b]) => {
  const x = a && numbersOf(a);
  const y = b && numbersOf(b);
  if (!a || !b || !x || !y || a.shape.length !== 2 || b.shape.length !== 2) return undefined;
  const flipA = boolAttr(node, "transpose_a");
  const flipB = boolAttr(node, "transpose_b");
  const [aRows = 0, aColumns = 0] = a.shape;
  const [bRows = 0, bColumns = 0] = b.shape;
  const [rows, inner] = flipA ? [aColumns, aRows] : [aRows, aColumns];
  const columns = flipB ? bRows : bColumns;
  if (rows * inner * columns > MATMUL_LIMIT) return undefined;
  const product = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        const left = flipA ? k * aColumns + i : i * aColumns + k;
        const right = flipB ? j * bColumns + k : k * bColumns + j;
        sum += (x[left] ?? 0) * (y[right] ?? 0);
      }
      product[i * columns + j] = sum;
    }
  }
  const value = valueFrom(a.dtype, [rows, columns], product);
  return value && [value];
};

export const REDUCTION: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  ...Object.entries(REDUCTIONS).map(([op, rule]) => [op, reduce(rule)] as const),
  ["Cumsum", cumulativeSum],
  ["MatMul", matMul],
]);
