/**
 * Emits the two passes that turn float32 activations into q − zero point:
 *
 * - range: min and max of `count` floats, both widened to contain 0;
 * - quantize: round(v · inverse) half away from zero, kept within [low, high] = [−128 − z, 127 − z], stored as int16
 *   (for dot products of int16), float32 (for depthwise sums), or with the zero point of the storage added as bytes (for
 *   dot products of bytes).
 *
 * Rounding is TensorFlow Lite's vector form on x86: trunc(x + 0.5 with the sign of x), the sum rounded to float32, in
 * groups of eight; the remaining elements use exact half-away rounding (neon_tensor_utils.cc).
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown, emitSplat, emitSplatConstant } from "../emit-basics.ts";

export type QuantizedStorage = "int16" | "float32" | ByteType;
export type ByteType = "int8" | "uint8";

export const RANGE_NAME = "activation-range";

/**
 * A pass for one storage. `relaxed`: truncates to integers with one instruction, which relaxed SIMD leaves open only for
 * values that do not fit; these were clamped.
 */
export interface QuantizeVariant {
  readonly storage: QuantizedStorage;
  readonly relaxed: boolean;
}

export function quantizeName({ storage, relaxed }: QuantizeVariant): string {
  return `activation-quantize-${storage}-${relaxed ? "relaxed" : "simd"}`;
}

/** Writes float32 min and max at `result`. */
export type RangeFunction = (source: number, count: number, result: number) => void;

/** Bytes of a stored element. */
export function storedBytes(storage: QuantizedStorage): number {
  if (storage === "float32") return 4;
  return storage === "int16" ? 2 : 1;
}

/** Addresses in bytes, counts in elements. zeroPoint: added to what is stored as bytes, else unused. */
export type QuantizeFunction = (
  source: number,
  count: number,
  target: number,
  inverse: number,
  low: number,
  high: number,
  zeroPoint: number,
) => void;

const GROUP = 8;

/** Adds the range pass. NaN is passed over. */
export function emitRange(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32"], [], RANGE_NAME);
  emitRangeOf(f, { source: f.param(0), count: f.param(1), result: f.param(2) });
}

/** Emits the range pass. Destroys `source` and `count`. */
export function emitRangeOf(
  f: FunctionBuilder,
  { source, count, result }: Readonly<Record<"source" | "count" | "result", Local>>,
): void {
  const value = f.local("v128");
  const extremes = Array.from({ length: 4 }, () => [f.local("v128"), f.local("v128")] as const);
  for (const extreme of extremes.flat()) {
    f.v128(new Uint8Array(16));
    f.set(extreme);
  }
  const take = (vector: number) => {
    const [low, high] = extremes[vector];
    f.get(low);
    f.get(value);
    f.op("f32x4.pmin");
    f.set(low);
    f.get(high);
    f.get(value);
    f.op("f32x4.pmax");
    f.set(high);
  };
  emitCountdown(f, count, 16, () => {
    for (let vector = 0; vector < 4; vector++) {
      load(f, source, 16 * vector, value);
      take(vector);
    }
    emitAddTo(f, source, 64);
  });
  emitCountdown(f, count, 1, () => {
    f.get(source);
    f.mem("v128.load32_splat");
    f.set(value);
    take(0);
    emitAddTo(f, source, 4);
  });
  for (const [index, op] of (["f32x4.pmin", "f32x4.pmax"] as const).entries()) {
    emitHorizontal(
      f,
      extremes.map((pair) => pair[index]),
      op,
    );
    f.set(value);
    f.get(result);
    f.get(value);
    f.memLane("v128.store32_lane", 0, 4 * index);
  }
}

/** Leaves a vector whose lane 0 is `op` over all lanes of `vectors`. */
function emitHorizontal(
  f: FunctionBuilder,
  vectors: readonly Local[],
  op: "f32x4.pmin" | "f32x4.pmax",
): void {
  const all = f.local("v128");
  f.get(vectors[0]);
  for (const vector of vectors.slice(1)) {
    f.get(vector);
    f.op(op);
  }
  f.set(all);
  for (const distance of [2, 1]) {
    f.get(all);
    f.get(all);
    f.get(all);
    f.shuffle(Array.from({ length: 16 }, (_, byte) => (byte + 4 * distance) % 16));
    f.op(op);
    f.set(all);
  }
  f.get(all);
}

/** Adds the quantize pass of a variant. */
export function emitQuantize(module: ModuleBuilder, variant: QuantizeVariant): void {
  const params = ["i32", "i32", "i32", "f32", "f32", "f32", "i32"] as const;
  const f = module.function(params, [], quantizeName(variant));
  const [source, count, target, inverse, low, high, stored] = params.map((_, index) =>
    f.param(index),
  ) as [Local, Local, Local, Local, Local, Local, Local];
  emitQuantizeOf(f, variant, { source, count, target, inverse, low, high, stored });
}

/** What `QuantizeFunction` takes; `stored` is the zero point that is added to bytes. */
export type QuantizeOperands = Readonly<
  Record<"source" | "count" | "target" | "inverse" | "low" | "high" | "stored", Local>
>;

/** Emits the quantize pass. Destroys `source`, `count` and `target`. */
export function emitQuantizeOf(
  f: FunctionBuilder,
  { storage, relaxed }: QuantizeVariant,
  operands: QuantizeOperands,
): void {
  const { source, count, target, stored } = operands;
  const [inverse, low, high] = [operands.inverse, operands.low, operands.high].map((value) =>
    emitSplat(f, value),
  );
  const bytes = storedBytes(storage);
  const zeroPoint = emitZeroPointSplat(f, stored);
  const halves = emitHalves(f);
  const parts = [f.local("v128"), f.local("v128")];
  const bounds = { low: low as Local, high: high as Local };
  emitCountdown(f, count, GROUP, () => {
    parts.forEach((part, index) => {
      load(f, source, 16 * index, part);
      emitScaled(f, part, inverse as Local);
      emitHalfAway(f, part, halves);
      emitClamp(f, part, bounds);
      f.get(part);
      f.op(relaxed ? "i32x4.relaxed_trunc_f32x4_s" : "i32x4.trunc_sat_f32x4_s");
      f.set(part);
    });
    emitStore(f, storage, target, parts, zeroPoint);
    emitAddTo(f, source, 4 * GROUP);
    emitAddTo(f, target, bytes * GROUP);
  });
  emitCountdown(f, count, 1, () => {
    const [part] = parts as [Local];
    f.get(source);
    f.mem("v128.load32_zero");
    f.set(part);
    emitScaled(f, part, inverse as Local);
    emitRoundExact(f, part);
    emitClamp(f, part, bounds);
    f.get(target);
    f.get(part);
    if (storage === "float32") {
      f.memLane("v128.store32_lane", 0);
    } else {
      f.op("i32x4.trunc_sat_f32x4_s");
      f.lane("i32x4.extract_lane", 0);
      if (storage === "int16") {
        f.mem("i32.store16");
      } else {
        f.get(stored);
        f.op("i32.add");
        f.mem("i32.store8");
      }
    }
    emitAddTo(f, source, 4);
    emitAddTo(f, target, bytes);
  });
}

function load(f: FunctionBuilder, address: Local, offset: number, into: Local): void {
  f.get(address);
  f.mem("v128.load", offset, 2);
  f.set(into);
}

function emitScaled(f: FunctionBuilder, value: Local, inverse: Local): void {
  f.get(value);
  f.get(inverse);
  f.op("f32x4.mul");
  f.set(value);
}

/** 0.5 and the sign bit in all lanes, set once: engines pair operations only on one and the same vector. */
interface Halves {
  readonly half: Local;
  readonly sign: Local;
}

function emitHalves(f: FunctionBuilder): Halves {
  const [half, sign] = [f.local("v128"), f.local("v128")];
  emitSplatConstant(f, 0.5);
  f.set(half);
  emitSplatConstant(f, -0);
  f.set(sign);
  return { half, sign };
}

/** x = f32(x + copysign(0.5, x)), which is truncated once it is clamped: the bounds are integers. */
function emitHalfAway(f: FunctionBuilder, x: Local, { half, sign }: Halves): void {
  f.get(x);
  f.get(half);
  f.get(x);
  f.get(sign);
  f.op("v128.and");
  f.op("v128.or");
  f.op("f32x4.add");
  f.set(x);
}

/** x = trunc(x) + trunc(2 · (x − trunc(x))): the fraction's double is exact, and ±1 from one half on. */
function emitRoundExact(f: FunctionBuilder, x: Local): void {
  const whole = f.local("v128");
  f.get(x);
  f.op("f32x4.trunc");
  f.tee(whole);
  f.get(x);
  f.get(whole);
  f.op("f32x4.sub");
  f.f32(2);
  f.op("f32x4.splat");
  f.op("f32x4.mul");
  f.op("f32x4.trunc");
  f.op("f32x4.add");
  f.set(x);
}

function emitClamp(
  f: FunctionBuilder,
  x: Local,
  { low, high }: { readonly low: Local; readonly high: Local },
): void {
  // In this order NaN becomes the lower bound.
  f.get(low);
  f.get(x);
  f.op("f32x4.pmax");
  f.get(high);
  f.op("f32x4.pmin");
  f.set(x);
}

/** The zero point of bytes as int16 in all lanes. */
function emitZeroPointSplat(f: FunctionBuilder, stored: Local): Local {
  const vector = f.local("v128");
  f.get(stored);
  f.op("i16x8.splat");
  f.set(vector);
  return vector;
}

function emitStore(
  f: FunctionBuilder,
  storage: QuantizedStorage,
  target: Local,
  parts: readonly Local[],
  zeroPoint: Local,
): void {
  if (storage === "float32") {
    parts.forEach((part, index) => {
      f.get(target);
      f.get(part);
      f.op("f32x4.convert_i32x4_s");
      f.mem("v128.store", 16 * index, 2);
    });
    return;
  }
  f.get(target);
  for (const part of parts) f.get(part);
  f.op("i16x8.narrow_i32x4_s");
  if (storage === "int16") {
    f.mem("v128.store", 0, 1);
    return;
  }
  const [words] = parts as [Local];
  f.get(zeroPoint);
  f.op("i16x8.add");
  f.tee(words);
  f.get(words);
  f.op(storage === "int8" ? "i8x16.narrow_i16x8_s" : "i8x16.narrow_i16x8_u");
  f.memLane("v128.store64_lane", 0, 0, 0);
}
