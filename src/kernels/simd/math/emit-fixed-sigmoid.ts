/**
 * Emits logistic function and hyperbolic tangent on eight 16-bit fixed-point numbers, step by step as
 * `reference/fixed-point-sigmoid.ts` has them (gemmlowp's), whose rounding high product is one instruction here. How many
 * integer bits a number has is settled when the code is emitted.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import {
  EXP_OF_MINUS_EIGHTH,
  NEWTON_INTERCEPT,
  NEWTON_SLOPE,
  POWERS_OF_E,
  THIRD,
} from "../../reference/fixed-point-sigmoid.ts";

const ONE = 32767;

/** Locals that one function needs for all its functions. */
export interface FixedScratch {
  readonly x: Local;
  readonly rest: Local;
  readonly value: Local;
  readonly t: Local;
  readonly square: Local;
}

export function fixedScratch(f: FunctionBuilder): FixedScratch {
  const [x, rest, value, t, square] = Array.from({ length: 5 }, () => f.local("v128"));
  return { x, rest, value, t, square };
}

/** Emits [x] → 1 / (1 + e^−x) in Q0.15. */
export function emitFixedLogistic(f: FunctionBuilder, bits: number, scratch: FixedScratch): void {
  const { x, value } = scratch;
  f.set(x);
  emitExpOfMinusSize(f, bits, scratch);
  emitTwoOverOnePlus(f, scratch);
  f.get(value);
  f.get(value);
  f.op("i16x8.add_sat_s");
  f.set(value);
  f.get(value);
  emitConstant(f, ONE);
  f.get(value);
  f.op("i16x8.sub");
  f.get(x);
  emitConstant(f, 0);
  f.op("i16x8.gt_s");
  f.op("v128.bitselect");
  emitWhereZero(f, x, 2 ** 14, value);
}

/** Emits [x] → tanh(x) in Q0.15. */
export function emitFixedTanh(f: FunctionBuilder, bits: number, scratch: FixedScratch): void {
  const { x, value } = scratch;
  f.set(x);
  emitExpOfMinusSize(f, bits + 1, scratch);
  emitTwoOverOnePlus(f, scratch);
  f.get(value);
  emitConstant(f, 2 ** 13);
  f.op("i16x8.sub");
  f.set(value);
  emitQuadruple(f, value);
  f.set(value);
  f.get(value);
  f.get(value);
  f.op("i16x8.neg");
  f.get(x);
  emitConstant(f, 0);
  f.op("i16x8.gt_s");
  f.op("v128.bitselect");
  emitWhereZero(f, x, 0, value);
}

/** value = e^−|x| for x of so many integer bits. */
function emitExpOfMinusSize(f: FunctionBuilder, bits: number, scratch: FixedScratch): void {
  const { x, rest, value } = scratch;
  const fractionBits = 15 - bits;
  const quarter = 2 ** (fractionBits - 2);
  // −|x|, which is there for the lowest number too.
  f.get(x);
  f.op("i16x8.abs");
  f.op("i16x8.neg");
  f.set(rest);
  f.get(rest);
  emitConstant(f, quarter - 1);
  f.op("v128.and");
  emitConstant(f, quarter);
  f.op("i16x8.sub");
  f.set(value);
  f.get(value);
  f.get(rest);
  f.op("i16x8.sub");
  f.set(rest);
  f.get(value);
  f.i32(bits);
  f.op("i16x8.shl");
  f.set(value);
  emitExpNearZero(f, scratch);
  for (const [exponent, power] of POWERS_OF_E) {
    if (bits <= exponent) continue;
    const bit = 2 ** (fractionBits + exponent);
    f.get(value);
    emitConstant(f, power);
    f.op("i16x8.q15mulr_sat_s");
    f.get(value);
    f.get(rest);
    emitConstant(f, bit);
    f.op("v128.and");
    emitConstant(f, bit);
    f.op("i16x8.eq");
    f.op("v128.bitselect");
    f.set(value);
  }
  f.get(value);
  emitWhereZero(f, x, ONE, value);
  f.set(value);
}

/** value = e^value for values in [−1/4, 0), without integer bits. */
function emitExpNearZero(f: FunctionBuilder, { value, t, square }: FixedScratch): void {
  const multiply = () => f.op("i16x8.q15mulr_sat_s");
  f.get(value);
  emitConstant(f, 2 ** 12);
  f.op("i16x8.add");
  f.set(t);
  f.get(t);
  f.get(t);
  multiply();
  f.set(square);
  f.get(square);
  f.get(square);
  multiply();
  f.set(value);
  emitHalfAway(f, value, 2);
  f.get(square);
  f.get(t);
  multiply();
  f.op("i16x8.add_sat_s");
  emitConstant(f, THIRD);
  multiply();
  f.get(square);
  f.op("i16x8.add");
  f.set(value);
  emitHalfAway(f, value, 1);
  f.get(t);
  f.op("i16x8.add_sat_s");
  emitConstant(f, EXP_OF_MINUS_EIGHTH);
  multiply();
  emitConstant(f, EXP_OF_MINUS_EIGHTH);
  f.op("i16x8.add_sat_s");
  f.set(value);
}

/** value = 2 / (1 + value) for values in [0, 1], with 2 integer bits: Newton's iteration. */
function emitTwoOverOnePlus(
  f: FunctionBuilder,
  { value, t: half, square: step }: FixedScratch,
): void {
  f.get(value);
  emitConstant(f, ONE);
  f.op("i16x8.avgr_u");
  f.set(half);
  f.get(half);
  emitConstant(f, NEWTON_SLOPE);
  f.op("i16x8.q15mulr_sat_s");
  emitConstant(f, NEWTON_INTERCEPT);
  f.op("i16x8.add_sat_s");
  f.set(value);
  for (let times = 0; times < 3; times++) {
    f.get(value);
    emitConstant(f, 2 ** 13);
    f.get(half);
    f.get(value);
    f.op("i16x8.q15mulr_sat_s");
    f.op("i16x8.sub");
    f.get(value);
    f.op("i16x8.q15mulr_sat_s");
    f.set(step);
    emitQuadruple(f, step);
    f.op("i16x8.add_sat_s");
    f.set(value);
  }
}

/** Emits [] → value / 2^exponent, halves away from zero. */
function emitHalfAway(f: FunctionBuilder, value: Local, exponent: number): void {
  f.get(value);
  f.get(value);
  f.i32(15);
  f.op("i16x8.shr_s");
  f.op("i16x8.add");
  emitConstant(f, 2 ** (exponent - 1));
  f.op("i16x8.add");
  f.i32(exponent);
  f.op("i16x8.shr_s");
}

/** Emits [] → 4 · value, saturated. Uses `value`. */
function emitQuadruple(f: FunctionBuilder, value: Local): void {
  f.get(value);
  f.get(value);
  f.op("i16x8.add_sat_s");
  f.set(value);
  f.get(value);
  f.get(value);
  f.op("i16x8.add_sat_s");
}

/** Emits [y] → y, or `result` in lanes where x is 0. Uses `scratch`. */
function emitWhereZero(f: FunctionBuilder, x: Local, result: number, scratch: Local): void {
  f.set(scratch);
  emitConstant(f, result);
  f.get(scratch);
  f.get(x);
  emitConstant(f, 0);
  f.op("i16x8.eq");
  f.op("v128.bitselect");
}

/** Emits [] → `value` in all lanes, as one constant. */
function emitConstant(f: FunctionBuilder, value: number): void {
  f.v128(new Uint8Array(new Int16Array(8).fill(value).buffer));
}
