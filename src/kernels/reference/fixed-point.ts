/**
 * Building blocks of full-integer arithmetic: a real multiplier kept as a 32-bit mantissa and a shift, and the laws by
 * which TensorFlow Lite 2.21 (kernels/internal/common.h, quantization_util.cc) multiplies accumulators by it. The
 * products need 62 bits; they are computed exactly on doubles by splitting the mantissa into two 16-bit halves.
 */
import { roundHalfAway } from "../../base/rounding.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../kernel.ts";
import type { PerTensorQuantization } from "../require.ts";
import { clampRange } from "./activation.ts";

/** real = multiplier × 2^(shift − 31), with multiplier in [2^30, 2^31), or both 0. */
export interface QuantizedMultiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/** Turns a non-negative real factor into mantissa and shift; factors below 2^-32 become 0. */
export function quantizeMultiplier(real: number): QuantizedMultiplier {
  if (!(real > 0) || !Number.isFinite(real)) return { multiplier: 0, shift: 0 };
  let shift = Math.floor(Math.log2(real)) + 1;
  let fraction = real / 2 ** shift;
  // log2 rounds: bring the fraction back into [0.5, 1).
  if (fraction >= 1) {
    fraction /= 2;
    shift += 1;
  } else if (fraction < 0.5) {
    fraction *= 2;
    shift -= 1;
  }
  let multiplier = roundHalfAway(fraction * 2 ** 31);
  if (multiplier === 2 ** 31) {
    multiplier /= 2;
    shift += 1;
  }
  return shift < -31 ? { multiplier: 0, shift: 0 } : { multiplier, shift };
}

/**
 * High half of 2·a·b, rounded half up: floor((a·b + 2^30) / 2^31), saturated where a = b = -2^31.
 * a and b are int32.
 */
export function saturatingRoundingDoublingHighMul(a: number, b: number): number {
  if (a === -(2 ** 31) && b === a) return 2 ** 31 - 1;
  const high = b >> 16;
  const low = b & 0xffff;
  return Math.floor((a * high + Math.floor((a * low + 2 ** 30) / 65536)) / 32768);
}

/**
 * x / 2^exponent, rounded half away from zero; x is int32, exponent in 0..31. Some kernels come with greater exponents
 * where a scale is huge; what the official code does then, on x86 as on ARM, is shift by exponent mod 32 and add 1 to
 * what is not negative.
 */
export function roundingDivideByPowerOfTwo(x: number, exponent: number): number {
  if (exponent === 0) return x;
  if (exponent > 31) return (x >> (exponent & 31)) + (x < 0 ? 0 : 1);
  const divisor = 2 ** exponent;
  const quotient = Math.floor(x / divisor);
  const remainder = x - quotient * divisor;
  const threshold = divisor / 2 - (x < 0 ? 0 : 1);
  return remainder > threshold ? quotient + 1 : quotient;
}

/** x·2^shift as int32 wraps; like the official code's, a shift beyond 31 bits is taken mod 32. */
function shiftLeft(x: number, shift: number): number {
  return shift > 0 ? (x * 2 ** (shift & 31)) | 0 : x;
}

/**
 * x × multiplier × 2^(shift − 31) with two roundings, the law of TensorFlow Lite's default build: doubling high
 * multiplication first, then a rounding shift. x is int32; a left shift wraps as int32 does.
 */
export function multiplyByQuantizedMultiplier(
  x: number,
  multiplier: number,
  shift: number,
): number {
  const product = saturatingRoundingDoublingHighMul(shiftLeft(x, shift), multiplier);
  return shift < 0 ? roundingDivideByPowerOfTwo(product, -shift) : product;
}

/**
 * The same with the second rounding half up, as the optimized convolutions and matrix products (ruy, and the NEON code
 * that x86 builds translate) do it.
 */
export function multiplyRoundingUp(x: number, multiplier: number, shift: number): number {
  const product = saturatingRoundingDoublingHighMul(shiftLeft(x, shift), multiplier);
  return shift < 0 ? Math.floor((product + 2 ** (-shift - 1)) / 2 ** -shift) : product;
}

/** The same product with one rounding, half up: floor((x·multiplier + 2^(30−shift)) / 2^(31−shift)). */
export function multiplyBySingleRounding(x: number, multiplier: number, shift: number): number {
  const total = 31 - shift;
  const high = multiplier >> 16;
  const low = multiplier & 0xffff;
  if (total <= 16) {
    const wide = BigInt(x) * BigInt(multiplier) + (1n << BigInt(total - 1));
    return Number(wide >> BigInt(total));
  }
  const upper = x * high + Math.floor((x * low) / 65536);
  return Math.floor((upper + 2 ** (total - 17)) / 2 ** (total - 16));
}

/** A mantissa of 31 bits rounded to 15. */
export function reducedMultiplier(multiplier: number): number {
  return multiplier >= 0x7fff0000 ? 0x7fff : (multiplier + 0x8000) >> 16;
}

/**
 * The product for 64-bit accumulators (int16 activations): the mantissa is first reduced to 15 bits, then
 * floor((x·m + 2^(14−shift)) / 2^(15−shift)). x is an integer below 2^53 in magnitude.
 */
export function multiplyWideByQuantizedMultiplier(
  x: number,
  multiplier: number,
  shift: number,
): number {
  const reduced = reducedMultiplier(multiplier);
  const total = 15 - shift;
  if (Math.abs(x) < 2 ** 37) {
    return Math.floor((x * reduced + 2 ** (total - 1)) / 2 ** total);
  }
  const wide = BigInt(x) * BigInt(reduced) + (1n << BigInt(total - 1));
  return Number(wide >> BigInt(total));
}

/** Lowest and highest value of a quantized type. */
export interface QuantizedRange {
  readonly min: number;
  readonly max: number;
}

const QUANTIZED_RANGES: Readonly<Record<"int8" | "uint8" | "int16", QuantizedRange>> = {
  int8: { min: -128, max: 127 },
  uint8: { min: 0, max: 255 },
  int16: { min: -32768, max: 32767 },
};

/** Lowest and highest value of a quantized element type. */
export function quantizedRange(dtype: "int8" | "uint8" | "int16"): QuantizedRange {
  return QUANTIZED_RANGES[dtype];
}

/**
 * The integers that a fused activation clamps to: each real bound f becomes zeroPoint + round(f / scale), within the
 * type's range. The division is in float32, as kernels/kernel_util.cc has it.
 */
export function quantizedActivationRange(
  node: KernelNode,
  activation: ActivationFunctionType,
  dtype: "int8" | "uint8" | "int16",
  { scale, zeroPoint }: PerTensorQuantization,
): QuantizedRange {
  const real = clampRange(node, activation);
  const whole = QUANTIZED_RANGES[dtype];
  const toQuantized = (value: number) => zeroPoint + roundHalfAway(Math.fround(value / scale));
  return {
    min: real.min === -Infinity ? whole.min : Math.max(whole.min, toQuantized(real.min)),
    max: real.max === Infinity ? whole.max : Math.min(whole.max, toQuantized(real.max)),
  };
}
