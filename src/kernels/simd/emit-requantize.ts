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

/** Emits [doubles] → doubles whose low halves are the nearest int32. `rounding` is the constant, where a local has it. */
export function emitNearest(f: FunctionBuilder, rounding?: Local): void {
  if (rounding === undefined) {
    f.f64(ROUNDING);
    f.op("f64x2.splat");
  } else {
    f.get(rounding);
  }
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
  { from, relaxed, halves, joined }: SmallSums,
): void {
  if (joined !== undefined) {
    f.get(sum);
    f.get(joined.highestBit);
    f.op("v128.xor");
    f.set(sum);
  }
  halves.forEach((half, index) => {
    if (joined === undefined) emitConvertedDoubles(f, sum, index as 0 | 1, from);
    else emitUnpackedDoubles(f, sum, index as 0 | 1, joined);
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
    emitNearest(f, joined?.rounding);
    f.set(half);
  });
  f.get(halves[0]);
  f.get(halves[1]);
  emitLowHalves(f);
  f.set(sum);
}

/** Emits [] → two of four numbers as doubles. */
function emitConvertedDoubles(
  f: FunctionBuilder,
  numbers: Local,
  half: 0 | 1,
  from: SmallSums["from"],
): void {
  f.get(numbers);
  if (half === 1) {
    f.get(numbers);
    f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  }
  f.op(from === "int32" ? "f64x2.convert_low_i32x4_s" : "f64x2.promote_low_f32x4");
}

/** The upper half of 2^52: a double with it is 2^52 and what its lower half is as an unsigned number. */
const UPPER_HALF = 0x43300000;

/** Constants in all lanes. Engines join what has the same one, not an equal one. */
export interface JoinedDoubles {
  readonly highestBit: Local;
  readonly upperHalf: Local;
  /** 2^52 + 2^31, as a double. */
  readonly distance: Local;
  readonly rounding: Local;
}

/** Emits the constants, once in a function. */
export function beginJoinedDoubles(f: FunctionBuilder): JoinedDoubles {
  const splat = (constant: () => void, op: "i32x4.splat" | "f64x2.splat"): Local => {
    const vector = f.local("v128");
    constant();
    f.op(op);
    f.set(vector);
    return vector;
  };
  return {
    highestBit: splat(() => f.i32(-(2 ** 31)), "i32x4.splat"),
    upperHalf: splat(() => f.i32(UPPER_HALF), "i32x4.splat"),
    distance: splat(() => f.f64(2 ** 52 + 2 ** 31), "f64x2.splat"),
    rounding: splat(() => f.f64(ROUNDING), "f64x2.splat"),
  };
}

/** Columns of eight as joined vectors want them: the first halves of two vectors lie side by side, and then the second. */
const JOINED_COLUMNS = [0, 1, 4, 5, 2, 3, 6, 7];

/** Columns as a stage with joined doubles reads them: doubles in the order of `loadColumnDoubles`, others as they are. */
export function joinedColumns<Column extends Float32Array | Int32Array | Float64Array>(
  values: Column,
): Column | Float64Array {
  if (!(values instanceof Float64Array)) return values;
  const whole = new Float64Array(Math.ceil(values.length / 8) * 8);
  whole.set(values);
  return whole.map((_, at) => whole[at - (at % 8) + (JOINED_COLUMNS[at % 8] ?? 0)] ?? 0);
}

/** Loads both halves of the doubles of four columns, the vector-th four from `address` and `offset` on. */
export function loadColumnDoubles(
  f: FunctionBuilder,
  {
    address,
    offset,
    vector,
  }: { readonly address: Local; readonly offset: number; readonly vector: number },
  joined: boolean,
  into: readonly Local[],
): void {
  into.forEach((half, index) => {
    const place = joined ? 4 * (vector >> 1) + 2 * index + (vector & 1) : 2 * vector + index;
    f.get(address);
    f.mem("v128.load", offset + 16 * place, 3);
    f.set(half);
  });
}

/**
 * Emits [] → the doubles of two of four int32 whose highest bits are turned over, by instructions that engines can join
 * to wider ones, which they cannot with conversions.
 */
function emitUnpackedDoubles(
  f: FunctionBuilder,
  flipped: Local,
  half: 0 | 1,
  { upperHalf, distance }: JoinedDoubles,
): void {
  const first = 8 * half;
  f.get(flipped);
  f.get(upperHalf);
  f.shuffle([0, 16, 4, 20].flatMap((word) => [0, 1, 2, 3].map((byte) => first + word + byte)));
  f.get(distance);
  f.op("f64x2.sub");
}

/** How small sums come, and room for work. */
export interface SmallSums {
  readonly from: "int32" | "float32";
  /** Makes doubles by instructions that engines can join to wider ones. int32 only. */
  readonly joined?: JoinedDoubles | undefined;
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

/** Which of four vectors become the halves of a vector of int16. */
const HALVES: readonly (readonly number[])[] = [
  [0, 1],
  [2, 3],
];
/** The same where engines should join the two: first with first and second with second, which are neighbours. */
const JOINED_HALVES: readonly (readonly number[])[] = [
  [0, 2],
  [1, 3],
];

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
  { joined = false }: { readonly joined?: boolean } = {},
): void {
  const at = (index: number) => vectors[Math.min(index, vectors.length - 1)];
  const halves = vectors.length <= 2 ? [[0, 1]] : joined ? JOINED_HALVES : HALVES;
  for (const [first = 0, second = 0] of halves) {
    f.get(at(first));
    f.get(at(second));
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
  if (halves !== JOINED_HALVES) return;
  f.get(into);
  f.get(into);
  f.shuffle([0, 8, 4, 12].flatMap((first) => [0, 1, 2, 3].map((byte) => first + byte)));
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
