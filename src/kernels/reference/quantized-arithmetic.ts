/**
 * Full-integer forms of the arithmetic on two operands. Each builder returns a function on stored integers, with scales
 * and zero points folded into fixed-point multipliers, or undefined where the operands are not quantized. The laws are
 * those of TensorFlow Lite 2.21 (kernels/add.cc, mul.cc, div.cc, squared_difference.cc and the headers they use).
 */
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorInfo } from "../kernel.ts";
import {
  inputAt,
  outputAt,
  type PerTensorQuantization,
  perTensorQuantization,
  unsupported,
} from "../require.ts";
import { isQuantized } from "./elements.ts";
import {
  multiplyByQuantizedMultiplier,
  type QuantizedMultiplier,
  type QuantizedRange,
  quantizedActivationRange,
  quantizedRange,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
  saturatingRoundingDoublingHighMul,
} from "./fixed-point.ts";
import { countLeadingZeros, reciprocal } from "./fixed-point-functions.ts";
import type { NumberPair } from "./pairwise.ts";

type QuantizedType = "int8" | "uint8" | "int16";

/** Scales and zero points of an operator on two quantized operands. */
export interface QuantizedOperands {
  readonly dtype: QuantizedType;
  readonly a: PerTensorQuantization;
  readonly b: PerTensorQuantization;
  readonly out: PerTensorQuantization;
}

function isQuantizedType(tensor: TensorInfo): boolean {
  return tensor.dtype === "int8" || tensor.dtype === "uint8" || tensor.dtype === "int16";
}

/** Scales and zero points of a node on quantized integers; undefined where the operands are plain. */
export function quantizedOperands(node: KernelNode): QuantizedOperands | undefined {
  const first = inputAt(node, 0);
  if (!isQuantizedType(first) || (first.dtype === "int16" && !isQuantized(first))) return undefined;
  const a = perTensorQuantization(node, first, "input");
  const b = perTensorQuantization(node, inputAt(node, 1), "second input");
  const out = perTensorQuantization(node, outputAt(node, 0), "output");
  if (first.dtype === "int16" && (a.zeroPoint !== 0 || b.zeroPoint !== 0 || out.zeroPoint !== 0)) {
    throw unsupported(node, "on int16 with a zero point other than 0");
  }
  return { dtype: first.dtype as QuantizedType, a, b, out };
}

function clampTo(value: number, { min, max }: QuantizedRange): number {
  return value < min ? min : value > max ? max : value;
}

/** The exponent of a power of two, or undefined for any other scale. */
function exactLog2(scale: number): number | undefined {
  const exponent = Math.round(Math.log2(scale));
  return Math.abs(Math.log2(scale) - exponent) < 1e-3 ? exponent : undefined;
}

/**
 * ADD (sign 1) and SUB (sign −1). Both operands are brought to twice the larger scale with `bits` more bits (20; 15 for
 * int16), added, and requantized:
 * out = z + m·(m1·(a − z1)·2^bits ± m2·(b − z2)·2^bits).
 */
export function quantizedSum(
  node: KernelNode,
  options: {
    readonly fused_activation_function: ActivationFunctionType;
    readonly pot_scale_int16: boolean;
  },
  sign: 1 | -1,
): NumberPair | undefined {
  const operands = quantizedOperands(node);
  if (operands === undefined) return undefined;
  const { dtype, a, b, out } = operands;
  const range = quantizedActivationRange(node, options.fused_activation_function, dtype, out);
  if (dtype === "int16" && options.pot_scale_int16) {
    const shifted = powerOfTwoSum(node, operands, range, sign);
    if (shifted !== undefined) return shifted;
  }
  const bits = sumBits(dtype);
  const factors = sumFactors(operands, bits);
  const toCommonA = scaledBy(factors.a, bits);
  const toCommonB = scaledBy(factors.b, bits);
  const { multiplier, shift } = factors.out;
  return (x, y) => {
    const sum = toCommonA(x - a.zeroPoint) + sign * toCommonB(y - b.zeroPoint);
    return clampTo(out.zeroPoint + multiplyByQuantizedMultiplier(sum, multiplier, shift), range);
  };
}

/** Bits that the operands of a sum get beyond their own. */
export function sumBits(dtype: QuantizedType): number {
  return dtype === "int16" ? 15 : 20;
}

/** Whether int16 sums shift only, where their options allow it: all scales are powers of two. */
export function sumsByShifts({ dtype, a, b, out }: QuantizedOperands): boolean {
  return dtype === "int16" && [a, b, out].every(({ scale }) => exactLog2(scale) !== undefined);
}

/** The factors of a quantized sum: from each operand to the common scale, and from there to the output. */
export function sumFactors(
  { a, b, out }: Pick<QuantizedOperands, "a" | "b" | "out">,
  bits: number,
): Readonly<Record<"a" | "b" | "out", QuantizedMultiplier>> {
  const commonScale = 2 * Math.max(a.scale, b.scale);
  return {
    a: quantizeMultiplier(a.scale / commonScale),
    b: quantizeMultiplier(b.scale / commonScale),
    out: quantizeMultiplier(commonScale / (2 ** bits * out.scale)),
  };
}

/** x·2^bits times a multiplier below 1: shifts first, so that there is one rounding, as the vector code has it. */
function scaledBy({ multiplier, shift }: QuantizedMultiplier, bits: number): (x: number) => number {
  const left = bits + shift;
  if (left < 0) return (x) => multiplyByQuantizedMultiplier(x * 2 ** bits, multiplier, shift);
  return (x) => saturatingRoundingDoublingHighMul(x * 2 ** left, multiplier);
}

/** int16 sums where all scales are powers of two and at least one operand has the output's: shifts only. */
function powerOfTwoSum(
  node: KernelNode,
  { a, b, out }: QuantizedOperands,
  range: QuantizedRange,
  sign: 1 | -1,
): NumberPair | undefined {
  const [log2A, log2B, log2Out] = [a, b, out].map(({ scale }) => exactLog2(scale));
  if (log2A === undefined || log2B === undefined || log2Out === undefined) return undefined;
  const [shiftA, shiftB] = [log2Out - log2A, log2Out - log2B];
  if (shiftA < 0 || shiftB < 0 || (shiftA !== 0 && shiftB !== 0)) {
    throw unsupported(node, "on int16 with scales that are not the output's");
  }
  return (x, y) => {
    const scaledX = roundingDivideByPowerOfTwo(x, shiftA);
    const scaledY = roundingDivideByPowerOfTwo(y, shiftB);
    return clampTo(scaledX + sign * scaledY, range);
  };
}

/** MUL: out = z + m·(a − z1)·(b − z2), with m = s1·s2/s rounded to float32 at each step. */
export function quantizedProduct(
  node: KernelNode,
  activation: ActivationFunctionType,
): NumberPair | undefined {
  const operands = quantizedOperands(node);
  if (operands === undefined) return undefined;
  const { dtype, a, b, out } = operands;
  const range = quantizedActivationRange(node, activation, dtype, out);
  const { multiplier, shift } = productFactor(operands);
  return (x, y) => {
    const product = (x - a.zeroPoint) * (y - b.zeroPoint);
    const scaled = multiplyByQuantizedMultiplier(product, multiplier, shift);
    return clampTo(out.zeroPoint + scaled, range);
  };
}

/** The factor of a quantized product. */
export function productFactor({
  a,
  b,
  out,
}: Pick<QuantizedOperands, "a" | "b" | "out">): QuantizedMultiplier {
  return quantizeMultiplier(Math.fround(Math.fround(a.scale * b.scale) / out.scale));
}

/**
 * DIV through a fixed-point reciprocal of the divisor. A divisor of 0 saturates, as infinity would; the official
 * kernel refuses some of those, and overflows its shift for dividends next to 0, where this one stays exact.
 */
export function quantizedDivision(
  node: KernelNode,
  activation: ActivationFunctionType,
): NumberPair | undefined {
  const operands = quantizedOperands(node);
  if (operands === undefined) return undefined;
  const { dtype, a, b, out } = operands;
  const range = quantizedActivationRange(node, activation, dtype, out);
  const real = Math.fround(a.scale / Math.fround(b.scale * out.scale));
  const { multiplier, shift } = quantizeMultiplier(real);
  const zero = clampTo(out.zeroPoint, range);
  return (x, y) => {
    const divisor = y - b.zeroPoint;
    const dividend = divisor < 0 ? a.zeroPoint - x : x - a.zeroPoint;
    if (divisor === 0) return dividend < 0 ? range.min : dividend > 0 ? range.max : zero;
    const inverse = reciprocal(Math.abs(divisor), 31);
    const headroom = countLeadingSignBits(dividend);
    const quotient = saturatingRoundingDoublingHighMul(dividend * 2 ** headroom, inverse.value);
    const total = shift - inverse.bitsOverUnit - headroom;
    const scaled = total < -31 ? 0 : multiplyByQuantizedMultiplier(quotient, multiplier, total);
    return clampTo(out.zeroPoint + scaled, range);
  };
}

/** Copies of the sign bit after the first one. */
function countLeadingSignBits(value: number): number {
  return countLeadingZeros(value < 0 ? ~value : value) - 1;
}

/** SQUARED_DIFFERENCE: operands at twice the larger scale with 7 more bits, then the square, requantized. */
export function quantizedSquaredDifference(node: KernelNode): NumberPair | undefined {
  const operands = quantizedOperands(node);
  if (operands === undefined || operands.dtype !== "int8") return undefined;
  const { a, b, out } = operands;
  const commonScale = 2 * Math.max(a.scale, b.scale);
  const toCommonA = quantizeMultiplier(a.scale / commonScale);
  const toCommonB = quantizeMultiplier(b.scale / commonScale);
  const toOut = quantizeMultiplier((commonScale * commonScale) / (2 ** 14 * out.scale));
  const range = quantizedRange("int8");
  return (x, y) => {
    const [p, q] = [(x - a.zeroPoint) * 128, (y - b.zeroPoint) * 128];
    const difference =
      multiplyByQuantizedMultiplier(p, toCommonA.multiplier, toCommonA.shift) -
      multiplyByQuantizedMultiplier(q, toCommonB.multiplier, toCommonB.shift);
    const square = difference * difference;
    const scaled = multiplyByQuantizedMultiplier(square, toOut.multiplier, toOut.shift);
    return clampTo(out.zeroPoint + scaled, range);
  };
}
