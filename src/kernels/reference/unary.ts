/**
 * Functions of one operand, element by element: ABS, NEG, SIGN, FLOOR, CEIL, ROUND, SQUARE, SQRT, RSQRT, EXP, LOG, SIN,
 * COS. Integer forms follow TensorFlow Lite 2.21 (kernels/elementwise.cc, exp.cc, neg.cc).
 */
import type { DType } from "../../base/dtype.ts";
import { roundHalfEven } from "../../base/rounding.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import {
  badValue,
  inputAt,
  outputAt,
  type PerTensorQuantization,
  perTensorQuantization,
  requireOperands,
  requireSameType,
  unsupported,
} from "../require.ts";
import { type Elements, elementsOf, isQuantized } from "./elements.ts";
import {
  multiplyByQuantizedMultiplier,
  quantizedRange,
  quantizeMultiplier,
} from "./fixed-point.ts";
import { inverseSquareRoot } from "./fixed-point-functions.ts";
import { halfFormat, halfFunction } from "./half.ts";
import { byteTable, type IntegerFunction, int16Table } from "./lookup-table.ts";

const { fround } = Math;

/** A function on one element as it is stored. */
export type Single = (x: never) => unknown;
type Real = (x: number) => number;

/** A kernel from the function that an operator has on its operand's type; undefined for a type it does not serve. */
export function elementKernel(functionFor: (node: KernelNode) => Single | undefined): Kernel {
  const demand = (node: KernelNode): Single => {
    const single = functionFor(node);
    if (single === undefined) throw unsupported(node, `on ${inputAt(node, 0).dtype}`);
    return single;
  };
  return {
    check(node) {
      requireOperands(node, [1, 1]);
      requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
      demand(node);
    },
    shapes: (node) => [inputAt(node, 0).shape],
    create(node) {
      const single = demand(node);
      return (inputs, outputs) => {
        const x = elementsOf(inputs[0]) as Elements<never>;
        const out = elementsOf(outputs[0]);
        for (let i = 0; i < out.length; i++) out[i] = single(x[i]);
      };
    },
  };
}

/** Scales and zero points of a quantized operand and its result. */
export function quantizationOf(node: KernelNode): {
  readonly from: PerTensorQuantization;
  readonly to: PerTensorQuantization;
} {
  return {
    from: perTensorQuantization(node, inputAt(node, 0), "input"),
    to: perTensorQuantization(node, outputAt(node, 0), "output"),
  };
}

/** Requires int16 to be symmetric, as the fixed-point code takes it to be. */
export function requireSymmetric(node: KernelNode): void {
  const { from, to } = quantizationOf(node);
  if (from.zeroPoint !== 0 || to.zeroPoint !== 0) {
    throw unsupported(node, "on int16 with a zero point other than 0");
  }
}

/** A real function by table on the quantized types named in `types`. */
export function byTable(node: KernelNode, types: readonly DType[], f: Real): Single | undefined {
  const { dtype } = inputAt(node, 0);
  if (!types.includes(dtype)) return undefined;
  const { from, to } = quantizationOf(node);
  if (dtype === "int8" || dtype === "uint8") return byteTable(dtype, from, to, f);
  requireSymmetric(node);
  return int16Table(from, to, f);
}

/** A real function on float32. */
function real(f: Real): Kernel {
  return elementKernel((node) => (inputAt(node, 0).dtype === "float32" ? f : undefined));
}

/** A rounding, on float32 and the floats of 16 bits. */
function rounding(f: Real): Kernel {
  return elementKernel((node) => {
    const { dtype } = inputAt(node, 0);
    if (dtype === "float32") return f;
    const half = halfFormat(dtype);
    return half && halfFunction(half, f);
  });
}

const negateBigint = (x: bigint): bigint => -x;
const signBigint = (x: bigint): bigint => (x > 0n ? 1n : x < 0n ? -1n : 0n);

function absolute(node: KernelNode): Single | undefined {
  const input = inputAt(node, 0);
  const { dtype } = input;
  if (dtype === "float32" || dtype === "int32") return Math.abs;
  if (dtype === "int16" && !isQuantized(input)) return Math.abs;
  if (dtype !== "int8" && dtype !== "int16") return undefined;
  if (dtype === "int16") requireSymmetric(node);
  const { from, to } = quantizationOf(node);
  const { min, max } = quantizedRange(dtype);
  const { multiplier, shift } = quantizeMultiplier(fround(from.scale / to.scale));
  const rescales = from.scale !== to.scale;
  return (q: number) => {
    const size = Math.abs(q - from.zeroPoint);
    const scaled = rescales ? multiplyByQuantizedMultiplier(size, multiplier, shift) : size;
    return Math.max(min, Math.min(max, scaled + to.zeroPoint));
  };
}

/** The logarithm for tables: values that have none give the lowest output. */
function logarithm(node: KernelNode): Single | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype === "float32") return Math.log;
  if (dtype !== "int8" && dtype !== "int16") return undefined;
  const { to } = quantizationOf(node);
  const lowest = fround((quantizedRange(dtype).min - to.zeroPoint) * to.scale);
  return byTable(node, ["int8", "int16"], (x) => (x <= 0 ? lowest : Math.log(x)));
}

function exponential(node: KernelNode): Single | undefined {
  if (inputAt(node, 0).dtype === "float32") return Math.exp;
  return byTable(node, ["int8", "int16"], Math.exp);
}

/** √x in float32; the quantized result is cut off, not rounded. Values below zero give the lowest output. */
function squareRoot(node: KernelNode): Single | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype === "float32") return Math.sqrt;
  if (dtype !== "int8" && dtype !== "int16") return undefined;
  if (dtype === "int16") requireSymmetric(node);
  const { from, to } = quantizationOf(node);
  const { min, max } = quantizedRange(dtype);
  return (q: number) => {
    if (q < from.zeroPoint) return min;
    const root = fround(Math.sqrt(fround(from.scale * (q - from.zeroPoint))));
    return Math.max(min, Math.min(max, Math.trunc(fround(root / to.scale)) + to.zeroPoint));
  };
}

/** Refuses values below zero before `f` sees them. */
function onNonNegative(node: KernelNode, zeroPoint: number, f: IntegerFunction): IntegerFunction {
  return (q) => {
    if (q >= zeroPoint) return f(q);
    throw badValue(node, "a negative value", "values of 0 or more");
  };
}

function inverseRoot(node: KernelNode): Single | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype === "float32") return (x: number) => 1 / fround(Math.sqrt(x));
  if (dtype === "int8") return inverseRootOfInt8(node);
  if (dtype !== "int16") return undefined;
  requireSymmetric(node);
  const { from, to } = quantizationOf(node);
  const highest = fround(32767 * to.scale);
  const table = int16Table(from, to, (x) => (x <= 0 ? highest : fround(1 / fround(Math.sqrt(x)))));
  return onNonNegative(node, from.zeroPoint, table);
}

/** 1/√x in fixed point, with 20 extra bits between the two multiplications. */
function inverseRootOfInt8(node: KernelNode): IntegerFunction {
  const { from, to } = quantizationOf(node);
  const bits = 20;
  const out = quantizeMultiplier(1 / (fround(Math.sqrt(from.scale)) * to.scale));
  return onNonNegative(node, from.zeroPoint, (q) => {
    const value = q - from.zeroPoint;
    if (value === 0) return 127;
    const root = inverseSquareRoot(value);
    const wide = multiplyByQuantizedMultiplier(1, root.multiplier, root.shift + bits);
    const scaled = multiplyByQuantizedMultiplier(wide, out.multiplier, out.shift - bits);
    return Math.max(-128, Math.min(127, scaled + to.zeroPoint));
  });
}

const NEGATED: readonly DType[] = ["float32", "int32", "int16", "int8"];

function negative(node: KernelNode): Single | undefined {
  const { dtype } = inputAt(node, 0);
  // int8 and int16 are plain integers here, whatever scale and zero point they carry.
  if (NEGATED.includes(dtype)) return (x: number) => -x;
  if (halfFormat(dtype) !== undefined) return (bits: number) => bits ^ 0x8000;
  return dtype === "int64" ? negateBigint : undefined;
}

function sign(node: KernelNode): Single | undefined {
  const { dtype } = inputAt(node, 0);
  // What is neither above nor below 0 has no sign: NaN gives 0.
  if (dtype === "float32" || dtype === "float64") return (x: number) => Math.sign(x) || 0;
  if (dtype === "int32") return Math.sign;
  return dtype === "int64" ? signBigint : undefined;
}

export const UNARY: KernelTable = {
  ABS: elementKernel(absolute),
  NEG: elementKernel(negative),
  SIGN: elementKernel(sign),
  FLOOR: rounding(Math.floor),
  CEIL: real(Math.ceil),
  ROUND: rounding(roundHalfEven),
  SQUARE: real((x) => x * x),
  SQRT: elementKernel(squareRoot),
  RSQRT: elementKernel(inverseRoot),
  EXP: elementKernel(exponential),
  LOG: elementKernel(logarithm),
  SIN: real(Math.sin),
  COS: real(Math.cos),
};
