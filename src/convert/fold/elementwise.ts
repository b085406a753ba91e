/**
 * Evaluators of elementwise operations. float32 results are computed in double and rounded once: the correctly rounded
 * result, to which TensorFlow's own (an estimate by the processor, refined) comes within one unit in the last place.
 */
import type { DType } from "../../base/dtype.ts";
import { roundHalfEven } from "../../base/rounding.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import { typeAttr } from "../../graph/attrs.ts";
import type { TensorValue } from "../../graph/ir.ts";
import { broadcastShapes, broadcastStrides, stridedOffsets } from "../broadcast.ts";
import { erf } from "./erf.ts";
import { type Evaluator, numbersOf, takeElements, valueFrom } from "./values.ts";

/** x mod y with the sign of y, as Python and TensorFlow's FloorMod. */
const floorMod = (x: number, y: number): number => x - Math.floor(x / y) * y;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const UNARY: Readonly<Record<string, (x: number) => number>> = {
  Abs: Math.abs,
  Neg: (x) => -x,
  Exp: Math.exp,
  Expm1: Math.expm1,
  Log: Math.log,
  Log1p: Math.log1p,
  Sqrt: Math.sqrt,
  Rsqrt: (x) => 1 / Math.sqrt(x),
  Square: (x) => x * x,
  Reciprocal: (x) => 1 / x,
  Inv: (x) => 1 / x,
  Sin: Math.sin,
  Cos: Math.cos,
  Tan: Math.tan,
  Tanh: Math.tanh,
  Sigmoid: sigmoid,
  Erf: erf,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Round: roundHalfEven,
  Rint: roundHalfEven,
  Sign: Math.sign,
  Relu: (x) => Math.max(x, 0),
  Relu6: (x) => Math.min(Math.max(x, 0), 6),
  Elu: (x) => (x > 0 ? x : Math.expm1(x)),
  Softplus: (x) => Math.log1p(Math.exp(x)),
  LogicalNot: (x) => (x === 0 ? 1 : 0),
};

const BINARY: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  AddV2: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  RealDiv: (x, y) => x / y,
  FloorDiv: (x, y) => Math.floor(x / y),
  TruncateDiv: (x, y) => Math.trunc(x / y),
  FloorMod: floorMod,
  Mod: (x, y) => x % y,
  Maximum: Math.max,
  Minimum: Math.min,
  Pow: (x, y) => x ** y,
  SquaredDifference: (x, y) => (x - y) * (x - y),
  Atan2: Math.atan2,
  DivNoNan: (x, y) => (y === 0 ? 0 : x / y),
  BitwiseAnd: (x, y) => x & y,
  BitwiseOr: (x, y) => x | y,
  BitwiseXor: (x, y) => x ^ y,
  LogicalAnd: (x, y) => (x !== 0 && y !== 0 ? 1 : 0),
  LogicalOr: (x, y) => (x !== 0 || y !== 0 ? 1 : 0),
};

const COMPARISON: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  Equal: (x, y) => x === y,
  NotEqual: (x, y) => x !== y,
  Less: (x, y) => x < y,
  LessEqual: (x, y) => x <= y,
  Greater: (x, y) => x > y,
  GreaterEqual: (x, y) => x >= y,
};

function unary(compute: (x: number) => number): Evaluator {
  return (_, [x]) => {
    const numbers = x && numbersOf(x);
    if (x === undefined || numbers === undefined) return undefined;
    return single(valueFrom(x.dtype, x.shape, Array.from(numbers, compute)));
  };
}

function binary(compute: (x: number, y: number) => number, result?: DType): Evaluator {
  return (node, [a, b]) => {
    if (a === undefined || b === undefined) return undefined;
    const x = numbersOf(a);
    const y = numbersOf(b);
    if (x === undefined || y === undefined) return undefined;
    const shape = broadcastShapes(a.shape, b.shape, `node ${node.name} (${node.op})`);
    const dtype = result ?? a.dtype;
    if (isInteger(dtype) && hasZeroDivisor(node.op, y)) return undefined;
    return single(valueFrom(dtype, shape, zip(shape, a.shape, x, b.shape, y, compute)));
  };
}

function zip(
  shape: Shape,
  xShape: Shape,
  x: ArrayLike<number>,
  yShape: Shape,
  y: ArrayLike<number>,
  compute: (x: number, y: number) => number,
): Float64Array {
  const xs = stridedOffsets(shape, broadcastStrides(xShape, shape.length));
  const ys = stridedOffsets(shape, broadcastStrides(yShape, shape.length));
  const result = new Float64Array(elementCount(shape));
  for (let i = 0; i < result.length; i++) {
    result[i] = compute(x[xs[i] ?? 0] ?? 0, y[ys[i] ?? 0] ?? 0);
  }
  return result;
}

const cast: Evaluator = (node, [x]) => {
  if (x === undefined) return undefined;
  const target = typeAttr(node, "DstT");
  if (target === x.dtype) return [x];
  const numbers = numbersOf(x);
  if (numbers === undefined) return undefined;
  if (target === "bool")
    return single(
      valueFrom(
        target,
        x.shape,
        Array.from(numbers, (n) => (n !== 0 ? 1 : 0)),
      ),
    );
  const whole = isInteger(target) ? Array.from(numbers, Math.trunc) : numbers;
  return single(valueFrom(target, x.shape, whole));
};

/** Select and SelectV2 on broadcastable operands. */
const select: Evaluator = (node, [condition, x, y]) => {
  if (condition === undefined || x === undefined || y === undefined) return undefined;
  const where = `node ${node.name} (${node.op})`;
  if (node.op === "Select" && condition.shape.length === 1 && x.shape.length > 1) return undefined;
  const shape = broadcastShapes(condition.shape, broadcastShapes(x.shape, y.shape, where), where);
  const pick = condition.data as Uint8Array;
  const spread = (value: TensorValue) =>
    stridedOffsets(shape, broadcastStrides(value.shape, shape.length));
  const [conditions, xs, ys] = [spread(condition), spread(x), spread(y)];
  const chosen = takeElements(x, shape, xs);
  const other = takeElements(y, shape, ys);
  if (chosen === undefined || other === undefined) return undefined;
  const target = chosen.data as { [index: number]: unknown };
  conditions.forEach((condition, i) => {
    if (pick[condition] === 0) target[i] = other.data[i];
  });
  return [chosen];
};

const addN: Evaluator = (node, inputs) => {
  const add = binary((x, y) => x + y);
  return inputs
    .slice(1)
    .reduce<readonly TensorValue[] | undefined>(
      (sum, next) => sum?.[0] && add(node, [sum[0], next]),
      inputs[0] && [inputs[0]],
    );
};

function single(value: TensorValue | undefined): readonly TensorValue[] | undefined {
  return value && [value];
}

function isInteger(dtype: DType): boolean {
  return /^u?int/.test(dtype);
}

function hasZeroDivisor(op: string, y: ArrayLike<number>): boolean {
  return /Div|Mod/.test(op) && Array.from(y).includes(0);
}

/** Integer division truncates in Div; everything else is listed in the tables above. */
const divide: Evaluator = (node, inputs) =>
  binary(inputs[0] && isInteger(inputs[0].dtype) ? (x, y) => Math.trunc(x / y) : (x, y) => x / y)(
    node,
    inputs,
  );

const rowsOf = <F>(table: Readonly<Record<string, F>>, row: (compute: F) => Evaluator) =>
  Object.entries(table).map(([op, compute]) => [op, row(compute)] as const);

export const ELEMENTWISE: ReadonlyMap<string, Evaluator> = new Map([
  ...rowsOf(UNARY, unary),
  ...rowsOf(BINARY, (compute) => binary(compute)),
  ...rowsOf(COMPARISON, (compute) => binary((x, y) => (compute(x, y) ? 1 : 0), "bool")),
  ["Div", divide],
  ["Cast", cast],
  ["Select", select],
  ["SelectV2", select],
  ["AddN", addN],
]);
