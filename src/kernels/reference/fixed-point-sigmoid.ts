/**
 * Logistic function and hyperbolic tangent on 16-bit fixed-point numbers, as gemmlowp's fixedpoint/fixedpoint.h computes
 * them: e^x on [−1/4, 0) by a polynomial, a product of known powers for the rest, and Newton's iteration for the
 * quotients. A number with n integer bits has the value raw / 2^(15 − n); results have none.
 */
const ONE = 32767;

/** The nearest int16. */
export function saturateFixed16(value: number): number {
  return value > 32767 ? 32767 : value < -32768 ? -32768 : value;
}

/** High half of 2·a·b, rounded half up: the product of Q0.15 numbers, or of one with any other. */
export function multiplyFixed16(a: number, b: number): number {
  return saturateFixed16((a * b + 2 ** 14) >> 15);
}

/** x / 2^exponent, ties away from zero. */
export function divideFixed16(x: number, exponent: number): number {
  const half = 2 ** (exponent - 1);
  return x < 0 ? -((-x + half) >> exponent) : (x + half) >> exponent;
}

/** A constant given with 31 fraction bits, rounded to 15. */
function constant(raw: number): number {
  return saturateFixed16(Math.floor((raw + 2 ** 15) / 2 ** 16));
}

/** e^(−1/8) and 1/3. */
export const EXP_OF_MINUS_EIGHTH: number = constant(1895147668);
export const THIRD: number = constant(715827883);

/** e^x for x in [−1/4, 0), without integer bits: Taylor's polynomial of degree 4 around −1/8. */
function expNearZero(x: number): number {
  const t = x + 2 ** 12;
  const t2 = multiplyFixed16(t, t);
  const t3 = multiplyFixed16(t2, t);
  const t4Quarter = divideFixed16(multiplyFixed16(t2, t2), 2);
  const higher = divideFixed16(multiplyFixed16(saturateFixed16(t4Quarter + t3), THIRD) + t2, 1);
  return saturateFixed16(
    EXP_OF_MINUS_EIGHTH + multiplyFixed16(EXP_OF_MINUS_EIGHTH, saturateFixed16(t + higher)),
  );
}

/** e^(−2^k) for k from −2 to 4. */
export const POWERS_OF_E: readonly (readonly [exponent: number, value: number])[] = [
  [-2, constant(1672461947)],
  [-1, constant(1302514674)],
  [0, constant(790015084)],
  [1, constant(290630308)],
  [2, constant(39332535)],
  [3, constant(720401)],
  [4, constant(242)],
];

/** e^x for x ≤ 0 with `integerBits` integer bits. */
function expOfNegative(x: number, integerBits: number): number {
  if (x === 0) return ONE;
  const fractionBits = 15 - integerBits;
  const quarter = 2 ** (fractionBits - 2);
  const inQuarter = (x & (quarter - 1)) - quarter;
  let result = expNearZero(saturateFixed16(inQuarter * 2 ** integerBits));
  const rest = inQuarter - x;
  for (const [exponent, value] of POWERS_OF_E) {
    if (integerBits > exponent && (rest & (2 ** (fractionBits + exponent))) !== 0) {
      result = multiplyFixed16(result, value);
    }
  }
  return result;
}

/** (a + b) / 2, ties away from zero. */
function halfSum(a: number, b: number): number {
  const sum = a + b;
  return Math.trunc((sum + (sum >= 0 ? 1 : -1)) / 2);
}

/** The line that estimates 2 / (1 + x) from half the denominator: 48/17 − 32/17·d, with 2 integer bits. */
export const NEWTON_INTERCEPT: number = constant(1515870810);
export const NEWTON_SLOPE: number = constant(-1010580540);

/** 2 / (1 + x) for x in [0, 1], with 2 integer bits: three steps of Newton's iteration from a line. */
function twoOverOnePlus(x: number): number {
  const halfDenominator = halfSum(x, ONE);
  let estimate = saturateFixed16(
    constant(1515870810) + multiplyFixed16(halfDenominator, constant(-1010580540)),
  );
  for (let step = 0; step < 3; step++) {
    const residue = 2 ** 13 - multiplyFixed16(halfDenominator, estimate);
    estimate = saturateFixed16(estimate + saturateFixed16(multiplyFixed16(estimate, residue) * 4));
  }
  return estimate;
}

/** 1 / (1 + e^(−x)); x has `integerBits` integer bits. */
export function fixedPointLogistic(x: number, integerBits: number): number {
  if (x === 0) return 2 ** 14;
  const size = Math.abs(x);
  const positive = saturateFixed16(twoOverOnePlus(expOfNegative(-size, integerBits)) * 2);
  return x > 0 ? positive : ONE - positive;
}

/** tanh(x); x has `integerBits` integer bits. */
export function fixedPointTanh(x: number, integerBits: number): number {
  if (x === 0) return 0;
  // tanh(|x|) = (1 − e)/(1 + e) = 2/(1 + e) − 1 with e = e^(−2|x|): doubling is one integer bit more.
  const e = expOfNegative(-Math.abs(x), integerBits + 1);
  const size = saturateFixed16((twoOverOnePlus(e) - 2 ** 13) * 4);
  return x > 0 ? size : -size;
}
