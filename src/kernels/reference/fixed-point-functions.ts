/**
 * Functions on 32-bit fixed-point numbers as gemmlowp defines them (fixedpoint/fixedpoint.h), which TensorFlow Lite's
 * integer kernels use. A number with n integer bits has the value raw / 2^(31 − n).
 */
import {
  saturatingRoundingDoublingHighMul as multiply,
  roundingDivideByPowerOfTwo,
} from "./fixed-point.ts";

/** Zero bits in front of the highest set bit of a 32-bit word. */
export function countLeadingZeros(value: number): number {
  return Math.clz32(value);
}

/** (a + b) / 2 of two int32, ties away from zero. */
export function roundingHalfSum(a: number, b: number): number {
  const sum = a + b;
  return Math.trunc((sum + (sum >= 0 ? 1 : -1)) / 2);
}

/** x·2^exponent, saturated to int32. */
export function saturatingShiftLeft(x: number, exponent: number): number {
  return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, x * 2 ** exponent));
}

const ONE = 2 ** 31 - 1;
/** 48/17 and −32/17 with 2 integer bits: the line that starts Newton's iteration for 1/d on [1/2, 1]. */
const LINE_START = 1515870810;
const LINE_SLOPE = -1010580540;

/** 1 / (1 + x) for x in [0, 1], both without integer bits: three steps of Newton's iteration. */
export function oneOverOnePlus(x: number): number {
  const halfDenominator = roundingHalfSum(x, ONE);
  let estimate = (LINE_START + multiply(halfDenominator, LINE_SLOPE)) | 0;
  for (let step = 0; step < 3; step++) {
    const product = multiply(halfDenominator, estimate);
    const residue = (2 ** 29 - product) | 0;
    // The correction has 4 integer bits; adding it needs it back at 2.
    estimate = (estimate + saturatingShiftLeft(multiply(estimate, residue), 2)) | 0;
  }
  return saturatingShiftLeft(estimate, 1);
}

/** 1/x = value / 2^31 / 2^bitsOverUnit, with value in [2^30, 2^31). */
export interface Reciprocal {
  readonly value: number;
  /** Bits of x left of the binary point, above 1. */
  readonly bitsOverUnit: number;
}

/** The reciprocal of a positive int32 with `integerDigits` digits left of its binary point. */
export function reciprocal(x: number, integerDigits: number): Reciprocal {
  const headroom = countLeadingZeros(x);
  const fraction = x * 2 ** headroom - 2 ** 31;
  return { value: oneOverOnePlus(fraction), bitsOverUnit: integerDigits - headroom };
}

/** real = multiplier × 2^(shift − 31). */
export interface RootMultiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/** √(1/2) without integer bits. */
const HALF_ROOT_2 = 1518500250;

/**
 * 1/√x of a non-negative int32 as a multiplier: five steps of Newton's iteration with 3 integer bits. 0 counts as 1.
 * TensorFlow Lite 2.21, kernels/internal/common.h (GetInvSqrtQuantizedMultiplierExp).
 */
export function inverseSquareRoot(x: number): RootMultiplier {
  if (x <= 1) return { multiplier: 2 ** 31 - 1, shift: 0 };
  let input = x;
  let rightShift = 11;
  while (input >= 2 ** 29) {
    input = Math.trunc(input / 4);
    rightShift++;
  }
  const pairs = ((countLeadingZeros(input) - 1) >> 1) - 1;
  rightShift -= pairs;
  input *= 4 ** pairs;
  const fixed = input >> 1;
  const half = roundingDivideByPowerOfTwo(fixed, 1);
  const threeHalves = 2 ** 28 + 2 ** 27;
  let root = 2 ** 28;
  for (let step = 0; step < 5; step++) {
    const cube = saturatingShiftLeft(multiply(multiply(root, root), root), 6);
    const difference = (multiply(threeHalves, root) - multiply(half, cube)) | 0;
    root = saturatingShiftLeft(difference, 3);
  }
  const multiplier = multiply(root, HALF_ROOT_2);
  if (rightShift < 0) return { multiplier: multiplier * 2 ** -rightShift, shift: 0 };
  return { multiplier, shift: -rightShift };
}
