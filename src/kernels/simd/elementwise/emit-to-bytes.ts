/**
 * Emits the quantization of floats to bytes, as `reference/quantize.ts` defines it: in groups of 8 the product with the
 * reciprocal of the scale, ties to even; the rest divided, ties away from zero, in float64. NaN becomes 0.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import { emitAddTo, emitCountdown, emitSplat } from "../emit-basics.ts";
import { emitNarrow } from "../emit-requantize.ts";

export function toBytesName(to: ByteType): string {
  return `f32-to-${to}`;
}

/** Addresses in bytes; `low` and `high` are the range of the type. */
export type ToBytesFunction = (
  source: number,
  count: number,
  out: number,
  scale: number,
  inverse: number,
  zeroPoint: number,
  low: number,
  high: number,
) => void;

const GROUP = 8;

/** Adds the function to `module`. */
export function emitToBytes(module: ModuleBuilder, to: ByteType): void {
  const params = [...Array<"i32">(3).fill("i32"), ...Array<"f32">(5).fill("f32")] as const;
  const f = module.function(params, [], toBytesName(to));
  const [source, count, out, scale, inverse, zeroPoint, low, high] = params.map((_, index) =>
    f.param(index),
  ) as Local[];
  const [inverses, zeros, lows, highs] = [inverse, zeroPoint, low, high].map((value) =>
    emitSplat(f, value),
  ) as Local[];
  const halves = [f.local("v128"), f.local("v128")] as const;
  const bytes = f.local("v128");
  emitCountdown(f, count, GROUP, () => {
    halves.forEach((half, index) => {
      f.get(source);
      f.mem("v128.load", 16 * index, 2);
      f.get(inverses);
      f.op("f32x4.mul");
      f.op("f32x4.nearest");
      f.get(zeros);
      f.op("f32x4.add");
      f.get(lows);
      f.op("f32x4.max");
      f.get(highs);
      f.op("f32x4.min");
      f.op("i32x4.trunc_sat_f32x4_s");
      f.set(half);
    });
    emitNarrow(f, halves, to, bytes);
    f.get(out);
    f.get(bytes);
    f.memLane("v128.store64_lane", 0, 0, 0);
    emitAddTo(f, source, 4 * GROUP);
    emitAddTo(f, out, GROUP);
  });
  const value = f.local("f64");
  emitCountdown(f, count, 1, () => {
    f.get(source);
    f.mem("f32.load");
    f.op("f64.promote_f32");
    f.get(scale);
    f.op("f64.promote_f32");
    f.op("f64.div");
    f.set(value);
    f.get(out);
    emitRoundHalfAway(f, value);
    for (const [bound, op] of [
      [zeroPoint, "f64.add"],
      [low, "f64.max"],
      [high, "f64.min"],
    ] as const) {
      f.get(bound);
      f.op("f64.promote_f32");
      f.op(op);
    }
    f.op("i32.trunc_sat_f64_s");
    f.mem("i32.store8");
    emitAddTo(f, source, 4);
    emitAddTo(f, out, 1);
  });
}

/**
 * Emits [] → value rounded, ties away from zero. `value` is a quotient of float32 numbers: one that is no tie is too far
 * from it for the rounding of a float64 to make it one by adding ½.
 */
function emitRoundHalfAway(f: FunctionBuilder, value: Local): void {
  f.get(value);
  f.op("f64.abs");
  f.f64(0.5);
  f.op("f64.add");
  f.op("f64.floor");
  f.get(value);
  f.op("f64.copysign");
}
