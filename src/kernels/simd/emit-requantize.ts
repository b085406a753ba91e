/**
 * Requantization of int32 sums as `multiplyRoundingUp` of `reference/fixed-point.ts` has it, for factors below 1/2:
 *
 *   p = floor((x · multiplier + 2^30) / 2^31),  result = floor((p + 2^(r−1)) / 2^r)
 *
 * Both steps are the same operation, a doubling high multiplication that rounds half up: the second multiplies by
 * 2^(31−r). So every column carries two int32 factors and needs no shift of its own; r = 0 has no such factor, which is
 * why larger factors are left to the reference.
 */
import type { FunctionBuilder, Local } from "../../wasm/function-builder.ts";

/** Emits [x, y] → floor((x·y + 2^30) / 2^31) per lane: the high half of 2·(x·y + 2^30) of the 64-bit products. */
export function emitHighMultiply(f: FunctionBuilder, [x, y]: readonly [Local, Local]): void {
  f.set(y);
  f.set(x);
  for (const half of ["i64x2.extmul_low_i32x4_s", "i64x2.extmul_high_i32x4_s"] as const) {
    f.get(x);
    f.get(y);
    f.op(half);
    f.i64(1n << 30n);
    f.op("i64x2.splat");
    f.op("i64x2.add");
    f.i32(1);
    f.op("i64x2.shl");
  }
  f.shuffle([4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31]);
}

/** 1.5 · 2^52: added to a double of small magnitude it leaves the nearest integer in the low 32 bits. */
const ROUNDING = 1.5 * 2 ** 52;

/** Emits [doubles] → doubles whose low halves are the nearest int32. */
export function emitNearest(f: FunctionBuilder): void {
  f.f64(ROUNDING);
  f.op("f64x2.splat");
  f.op("f64x2.add");
}

/** Emits [a, b] → the low halves of their doubles, as four int32. */
export function emitLowHalves(f: FunctionBuilder): void {
  f.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]);
}

/** Doubles of four columns, two vectors each. */
export interface DoubleColumns {
  readonly factors: readonly [Local, Local];
  readonly offsets: readonly [Local, Local];
  /** 2^−r, for ties away from zero. */
  readonly steps?: readonly [Local, Local];
}

/**
 * Requantization of small sums in doubles. With s = sum + bias the two roundings are one,
 * floor((s · multiplier + 2^30 + 2^(30+r)) / 2^(31+r)), and with |s| < 2^21 everything below is exact:
 *
 *   factor = multiplier / 2^(31+r),  offset = bias · factor + 2^−(r+1) + 2^−(r+32)
 *   result = nearest(sum · factor + offset)
 *
 * The last term keeps the value off ties. For ties away from zero, negative values are one step 2^−r lower.
 * Replaces sums (int32, or float32 that hold integers) by results in int32.
 */
export function emitRequantizeSmall(
  f: FunctionBuilder,
  sum: Local,
  { factors, offsets, steps }: DoubleColumns,
  { from, relaxed, halves }: SmallSums,
): void {
  halves.forEach((half, index) => {
    f.get(sum);
    if (index === 1) {
      f.get(sum);
      f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
    }
    f.op(from === "int32" ? "f64x2.convert_low_i32x4_s" : "f64x2.promote_low_f32x4");
    f.get(factors[index as 0 | 1]);
    if (relaxed) {
      f.get(offsets[index as 0 | 1]);
      f.op("f64x2.relaxed_madd");
    } else {
      f.op("f64x2.mul");
      f.get(offsets[index as 0 | 1]);
      f.op("f64x2.add");
    }
    if (steps !== undefined) emitStepDown(f, half, steps[index as 0 | 1]);
    emitNearest(f);
    f.set(half);
  });
  f.get(halves[0]);
  f.get(halves[1]);
  emitLowHalves(f);
  f.set(sum);
}

/** How small sums come, and room for work. */
export interface SmallSums {
  readonly from: "int32" | "float32";
  /** Whether multiply and add may be one instruction. */
  readonly relaxed: boolean;
  readonly halves: readonly [Local, Local];
}

/** Emits [x] → x − (x < 0 ? step : 0). `scratch` is overwritten. */
function emitStepDown(f: FunctionBuilder, scratch: Local, step: Local): void {
  f.tee(scratch);
  f.get(scratch);
  f.f64(0);
  f.op("f64x2.splat");
  f.op("f64x2.lt");
  f.get(step);
  f.op("v128.and");
  f.op("f64x2.sub");
}

/** What an int32 result is moved and clamped by, in all lanes. */
export interface IntegerBounds {
  readonly zeroPoint: Local;
  readonly low: Local;
  readonly high: Local;
}

/** value = min(max(value + zeroPoint, low), high) */
export function emitIntegerClamp(f: FunctionBuilder, value: Local, bounds: IntegerBounds): void {
  f.get(value);
  f.get(bounds.zeroPoint);
  f.op("i32x4.add");
  f.get(bounds.low);
  f.op("i32x4.max_s");
  f.get(bounds.high);
  f.op("i32x4.min_s");
  f.set(value);
}

/** What bytes are moved and clamped by: the zero point as int16, the bounds as bytes of the output's type, in all lanes. */
export interface ByteBounds {
  readonly zeroPoint: Local;
  readonly low: Local;
  readonly high: Local;
}

/**
 * into = clamp(vectors + zero point) as bytes, of up to four vectors of int32; missing ones repeat the last. Narrowing
 * saturates and the bounds lie within the type, so that what is left to do after it comes to the same, and to a quarter
 * of the instructions.
 */
export function emitOutputBytes(
  f: FunctionBuilder,
  vectors: readonly Local[],
  output: "int8" | "uint8",
  { zeroPoint, low, high }: ByteBounds,
  into: Local,
): void {
  const at = (index: number) => vectors[Math.min(index, vectors.length - 1)];
  const halves = vectors.length > 2 ? [0, 2] : [0];
  for (const half of halves) {
    f.get(at(half));
    f.get(at(half + 1));
    f.op("i16x8.narrow_i32x4_s");
    f.get(zeroPoint);
    f.op("i16x8.add_sat_s");
  }
  if (halves.length === 1) {
    f.tee(into);
    f.get(into);
  }
  const isSigned = output === "int8";
  f.op(isSigned ? "i8x16.narrow_i16x8_s" : "i8x16.narrow_i16x8_u");
  f.get(low);
  f.op(isSigned ? "i8x16.max_s" : "i8x16.max_u");
  f.get(high);
  f.op(isSigned ? "i8x16.min_s" : "i8x16.min_u");
  f.set(into);
}

/** Packs up to four vectors of int32 into the bytes of `into`; missing vectors repeat the last. */
export function emitNarrow(
  f: FunctionBuilder,
  vectors: readonly Local[],
  output: "int8" | "uint8",
  into: Local,
): void {
  const at = (index: number) => vectors[Math.min(index, vectors.length - 1)];
  for (const pair of [0, 2]) {
    f.get(at(pair));
    f.get(at(pair + 1));
    f.op("i16x8.narrow_i32x4_s");
  }
  f.op(output === "int8" ? "i8x16.narrow_i16x8_s" : "i8x16.narrow_i16x8_u");
  f.set(into);
}
