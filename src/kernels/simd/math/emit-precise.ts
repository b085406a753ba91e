/**
 * Emits logistic function and hyperbolic tangent on four floats, computed in float64 and rounded once, so that the
 * result is what rounding the functions of JavaScript gives (unless those lie within some 2^-51 of a tie). Recurrent
 * steps with quantized states need that: the last bit of a state can decide how it is quantized.
 *
 * y = k·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by the rational approximation of FreeBSD's e_exp.c (Sun Microsystems):
 *
 *   t = r²,  c = r − t·P(t),  e^r − 1 = r·c / (2 − c) + r
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

/** Locals that one function needs for all its precise functions. */
export interface PreciseScratch {
  readonly x: Local;
  readonly low: Local;
  readonly k: Local;
  readonly r: Local;
  readonly tail: Local;
  readonly t: Local;
  readonly c: Local;
  /** y − k·ln 2 without the lower part of ln 2. */
  readonly upper: Local;
  readonly power: Local;
}

export function preciseScratch(f: FunctionBuilder): PreciseScratch {
  const [x, low, k, r, tail, t, c, upper, power] = Array.from({ length: 9 }, () => f.local("v128"));
  return { x, low, k, r, tail, t, c, upper, power };
}

/** Emits [f32x4 x] → 1 / (1 + e^−x). */
export function emitPreciseLogistic(f: FunctionBuilder, scratch: PreciseScratch): void {
  emitInDoubles(f, scratch, () => {
    f.op("f64x2.neg");
    emitExpParts(f, scratch);
    // 1 + e^y = 1 + power·(1 − m)
    emitConstant(f, 1);
    emitConstant(f, 1);
    f.get(scratch.t);
    f.op("f64x2.sub");
    f.get(scratch.power);
    f.op("f64x2.mul");
    emitConstant(f, 1);
    f.op("f64x2.add");
    f.op("f64x2.div");
  });
}

/** Emits [f32x4 x] → tanh(x) = −u / (u + 2) with u = e^(−2|x|) − 1, and the sign of x. */
export function emitPreciseTanh(f: FunctionBuilder, scratch: PreciseScratch): void {
  const { x, t, power } = scratch;
  emitInDoubles(f, scratch, () => {
    f.op("f64x2.abs");
    emitConstant(f, -2);
    f.op("f64x2.mul");
    emitExpParts(f, scratch);
    // u = (power − 1) − power·m
    f.get(power);
    emitConstant(f, 1);
    f.op("f64x2.sub");
    f.get(power);
    f.get(t);
    f.op("f64x2.mul");
    f.op("f64x2.sub");
    f.tee(t);
    f.op("f64x2.neg");
    f.get(t);
    emitConstant(f, 2);
    f.op("f64x2.add");
    f.op("f64x2.div");
    f.op("f64x2.abs");
  });
  f.get(x);
  f.i32(-(2 ** 31));
  f.op("i32x4.splat");
  f.op("v128.and");
  f.op("v128.or");
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

/** Emits [y] → []: leaves 2^k in `power` and m = 1 − e^r in `t`, so that e^y = power·(1 − m). */
function emitExpParts(f: FunctionBuilder, scratch: PreciseScratch): void {
  const { k, r, tail, t, upper, power } = scratch;
  emitConstant(f, LOWEST);
  f.op("f64x2.max");
  emitConstant(f, HIGHEST);
  f.op("f64x2.min");
  f.tee(r);
  emitConstant(f, Math.LOG2E);
  f.op("f64x2.mul");
  f.op("f64x2.nearest");
  f.set(k);
  f.get(r);
  f.get(k);
  emitConstant(f, LN2_HIGH);
  f.op("f64x2.mul");
  f.op("f64x2.sub");
  f.set(upper);
  f.get(k);
  emitConstant(f, LN2_LOW);
  f.op("f64x2.mul");
  f.set(tail);
  f.get(upper);
  f.get(tail);
  f.op("f64x2.sub");
  f.set(r);
  f.get(tail);
  emitQuotient(f, scratch);
  f.op("f64x2.sub");
  f.get(upper);
  f.op("f64x2.sub");
  f.set(t);
  f.get(k);
  f.op("i32x4.trunc_sat_f64x2_s_zero");
  f.op("i64x2.extend_low_i32x4_s");
  f.i64(1023n);
  f.op("i64x2.splat");
  f.op("i64x2.add");
  f.i32(52);
  f.op("i64x2.shl");
  f.set(power);
}

/** Emits [] → r·c / (2 − c). */
function emitQuotient(f: FunctionBuilder, { r, t, c }: PreciseScratch): void {
  f.get(r);
  f.get(r);
  f.op("f64x2.mul");
  f.set(t);
  f.get(r);
  f.get(t);
  POLYNOMIAL.forEach((coefficient, index) => {
    if (index > 0) {
      f.get(t);
      f.op("f64x2.mul");
    }
    emitConstant(f, coefficient);
    if (index > 0) f.op("f64x2.add");
  });
  f.op("f64x2.mul");
  f.op("f64x2.sub");
  f.set(c);
  f.get(r);
  f.get(c);
  f.op("f64x2.mul");
  emitConstant(f, 2);
  f.get(c);
  f.op("f64x2.sub");
  f.op("f64x2.div");
}

function emitConstant(f: FunctionBuilder, value: number): void {
  f.f64(value);
  f.op("f64x2.splat");
}
