/**
 * Emits e^x on four floats: x = n·ln 2 + r with |r| ≤ ln 2 / 2, e^r by a polynomial of degree 7 (the minimax
 * coefficients of the Cephes library's expf), and 2^n by two exponents, so that results run from 0 over subnormals to
 * infinity. Relative error below 2^-22 where the result is a normal float; NaN stays NaN.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitSplatConstant } from "../emit-basics.ts";

const COEFFICIENTS = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5,
];
/** ln 2 in two parts: the first has so few bits that its products with n are exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;
/** Beyond these the result is 0 or infinity. */
const LOWEST = -104;
const HIGHEST = 89;

/** Locals that one function needs for all its exponentials. */
export interface ExpScratch {
  readonly x: Local;
  readonly n: Local;
  readonly power: Local;
  readonly exponent: Local;
}

export function expScratch(f: FunctionBuilder): ExpScratch {
  const [x, n, power, exponent] = Array.from({ length: 4 }, () => f.local("v128"));
  return { x, n, power, exponent };
}

/** Emits [x] → e^x. */
export function emitExp(f: FunctionBuilder, { x, n, power, exponent }: ExpScratch): void {
  emitSplatConstant(f, LOWEST);
  f.op("f32x4.max");
  emitSplatConstant(f, HIGHEST);
  f.op("f32x4.min");
  f.tee(x);
  emitSplatConstant(f, Math.LOG2E);
  f.op("f32x4.mul");
  f.op("f32x4.nearest");
  f.set(n);
  f.get(x);
  for (const part of [LN2_HIGH, LN2_LOW]) {
    f.get(n);
    emitSplatConstant(f, part);
    f.op("f32x4.mul");
    f.op("f32x4.sub");
  }
  f.set(x);
  emitPolynomial(f, x, COEFFICIENTS);
  for (let times = 0; times < 2; times++) {
    f.get(x);
    f.op("f32x4.mul");
  }
  f.get(x);
  f.op("f32x4.add");
  emitSplatConstant(f, 1);
  f.op("f32x4.add");
  f.set(power);
  f.get(n);
  f.op("i32x4.trunc_sat_f32x4_s");
  f.tee(n);
  f.i32(1);
  f.op("i32x4.shr_s");
  f.set(exponent);
  f.get(power);
  f.get(exponent);
  emitPowerOfTwo(f);
  f.op("f32x4.mul");
  f.get(n);
  f.get(exponent);
  f.op("i32x4.sub");
  emitPowerOfTwo(f);
  f.op("f32x4.mul");
}

/** Emits [] → c₀·xⁿ + … + cₙ by Horner's rule. */
export function emitPolynomial(
  f: FunctionBuilder,
  x: Local,
  coefficients: readonly number[],
): void {
  coefficients.forEach((coefficient, index) => {
    if (index > 0) {
      f.get(x);
      f.op("f32x4.mul");
    }
    emitSplatConstant(f, coefficient);
    if (index > 0) f.op("f32x4.add");
  });
}

/** Emits [int32 n] → 2^n for n from −126 to 127. */
function emitPowerOfTwo(f: FunctionBuilder): void {
  f.i32(127);
  f.op("i32x4.splat");
  f.op("i32x4.add");
  f.i32(23);
  f.op("i32x4.shl");
}
