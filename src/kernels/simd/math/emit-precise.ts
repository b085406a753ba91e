/**
 * Emits logistic function and hyperbolic tangent on four floats, computed in float64 and rounded once, so that the
 * result is what rounding the functions of JavaScript gives (unless those lie within some 2^-50 of a tie). Recurrent
 * steps with quantized states need that: the last bit of a state can decide how it is quantized.
 *
 * y = k·ln 2 + r with |r| ≤ ln 2 / 2; e^r by the rational approximation of FreeBSD's e_exp.c (Sun Microsystems),
 *
 *   c = r − r²·P(r²),  D = 2 − c,  e^r = (D + 2r) / D
 *
 * so that with p = 2^k both functions need one division:
 *
 *   1 / (1 + e^y) = D / (D + p·(D + 2r))            (1 − e^y) / (1 + e^y) = ((1 − p)·D − 2pr) / (D + p·(D + 2r))
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";

const POLYNOMIAL = [
  4.1381367970572385e-8, -1.6533902205465252e-6, 6.613756321437934e-5, -2.7777777777015593e-3,
  1.6666666666666602e-1,
];
/** ln 2 in two parts: products of the first with k are exact. */
const LN2_HIGH = 6.931471803691238e-1;
const LN2_LOW = 1.9082149292705877e-10;
/** Beyond these exponents are out of range, and results as good as constant. */
const LOWEST = -708;
const HIGHEST = 708;
/** Added to a small number, it leaves the nearest integer in the low bits: 1.5 · 2^52. */
const ROUNDING = 6755399441055744;

/** Locals that one function needs for all its precise functions. */
export interface PreciseScratch {
  readonly x: Local;
  readonly low: Local;
  readonly k: Local;
  readonly r: Local;
  readonly t: Local;
  readonly divisor: Local;
  readonly power: Local;
}

export function preciseScratch(f: FunctionBuilder): PreciseScratch {
  const [x, low, k, r, t, divisor, power] = Array.from({ length: 7 }, () => f.local("v128"));
  return { x, low, k, r, t, divisor, power };
}

/** Emits [f32x4 x] → 1 / (1 + e^−x). */
export function emitPreciseLogistic(f: FunctionBuilder, scratch: PreciseScratch): void {
  emitInDoubles(f, scratch, () => {
    f.op("f64x2.neg");
    emitExpParts(f, scratch);
    f.get(scratch.divisor);
    emitSum(f, scratch);
    f.op("f64x2.div");
  });
}

/** Emits [f32x4 x] → tanh(x) = (1 − e^y) / (1 + e^y) with y = −2|x|, and the sign of x. */
export function emitPreciseTanh(f: FunctionBuilder, scratch: PreciseScratch): void {
  const { x, r, divisor, power } = scratch;
  emitInDoubles(f, scratch, () => {
    f.op("f64x2.abs");
    emitConstant(f, -2);
    f.op("f64x2.mul");
    emitExpParts(f, scratch);
    emitConstant(f, 1);
    f.get(power);
    f.op("f64x2.sub");
    f.get(divisor);
    f.op("f64x2.mul");
    f.get(power);
    f.get(r);
    f.op("f64x2.mul");
    f.op("f64x2.sub");
    emitSum(f, scratch);
    f.op("f64x2.div");
    f.op("f64x2.abs");
  });
  f.get(x);
  f.i32(-(2 ** 31));
  f.op("i32x4.splat");
  f.op("v128.and");
  f.op("v128.or");
}

/** Emits [] → D + p·(D + 2r). */
function emitSum(f: FunctionBuilder, { divisor, power, r }: PreciseScratch): void {
  f.get(divisor);
  f.get(power);
  f.get(divisor);
  f.get(r);
  f.op("f64x2.add");
  f.op("f64x2.mul");
  f.op("f64x2.add");
}

/** Emits [f32x4] → f32x4 with `body`, [f64x2] → f64x2, for each half; `scratch.x` holds the operand. */
function emitInDoubles(f: FunctionBuilder, { x, low }: PreciseScratch, body: () => void): void {
  f.tee(x);
  f.op("f64x2.promote_low_f32x4");
  body();
  f.op("f32x4.demote_f64x2_zero");
  f.set(low);
  f.get(low);
  f.get(x);
  f.get(x);
  f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  f.op("f64x2.promote_low_f32x4");
  body();
  f.op("f32x4.demote_f64x2_zero");
  f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
}

/** Emits [y] → []: leaves p in `power`, D in `divisor` and 2r in `r`. */
function emitExpParts(f: FunctionBuilder, scratch: PreciseScratch): void {
  const { k, r, t, divisor, power } = scratch;
  // Unlike max and min these are one instruction, and keep NaN as the first operand.
  emitConstant(f, LOWEST);
  f.op("f64x2.pmax");
  emitConstant(f, HIGHEST);
  f.op("f64x2.pmin");
  f.tee(r);
  emitConstant(f, Math.LOG2E);
  f.op("f64x2.mul");
  emitConstant(f, ROUNDING);
  f.op("f64x2.add");
  f.tee(power);
  emitConstant(f, ROUNDING);
  f.op("f64x2.sub");
  f.set(k);
  f.get(r);
  for (const part of [LN2_HIGH, LN2_LOW]) {
    f.get(k);
    emitConstant(f, part);
    f.op("f64x2.mul");
    f.op("f64x2.sub");
  }
  f.tee(r);
  f.get(r);
  f.op("f64x2.mul");
  f.set(t);
  emitConstant(f, 2);
  f.get(r);
  emitPolynomial(f, t);
  f.get(t);
  f.op("f64x2.mul");
  f.op("f64x2.sub");
  f.op("f64x2.sub");
  f.set(divisor);
  f.get(r);
  f.get(r);
  f.op("f64x2.add");
  f.set(r);
  f.get(power);
  f.i64(1023n);
  f.op("i64x2.splat");
  f.op("i64x2.add");
  f.i32(52);
  f.op("i64x2.shl");
  f.set(power);
}

/** Emits [] → P(t). */
function emitPolynomial(f: FunctionBuilder, t: Local): void {
  POLYNOMIAL.forEach((coefficient, index) => {
    if (index > 0) {
      f.get(t);
      f.op("f64x2.mul");
    }
    emitConstant(f, coefficient);
    if (index > 0) f.op("f64x2.add");
  });
}

/** Emits [] → `value` in both lanes, as one constant. */
function emitConstant(f: FunctionBuilder, value: number): void {
  f.v128(new Uint8Array(Float64Array.of(value, value).buffer));
}
