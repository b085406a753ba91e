/**
 * Emits what comes last in hybrid products whose int32 sums are complete only after several calls:
 *
 *   out = clamp(f32(sum) · f32(scale[column] · scale) + bias[column])
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitSplat } from "../emit-basics.ts";

export const SCALE_ROWS_NAME = "i32-scale-rows";

/** Addresses in bytes; scales and bias: float32 per column. */
export type ScaleRowsFunction = (
  sums: number,
  rows: number,
  columns: number,
  out: number,
  scales: number,
  bias: number,
  scale: number,
  low: number,
  high: number,
) => void;

/** Adds the function to `module`. */
export function emitScaleRows(module: ModuleBuilder): void {
  const params = [...Array<"i32">(6).fill("i32"), "f32", "f32", "f32"] as const;
  const f = module.function(params, [], SCALE_ROWS_NAME);
  const [sums, rows, columns, out, scales, bias] = Array.from({ length: 6 }, (_, index) =>
    f.param(index),
  ) as Local[];
  const [scale, low, high] = [6, 7, 8].map((index) => emitSplat(f, f.param(index)));
  const [scaleAt, biasAt, left] = Array.from({ length: 3 }, () => f.local("i32"));
  emitCountdown(f, rows, 1, () => {
    emitCopy(f, scales, scaleAt);
    emitCopy(f, bias, biasAt);
    emitCopy(f, columns, left);
    for (const lanes of [4, 1]) {
      const load = lanes === 4 ? "v128.load" : "v128.load32_zero";
      emitCountdown(f, left, lanes, () => {
        f.get(out);
        f.get(sums);
        f.mem(load, 0, 2);
        f.op("f32x4.convert_i32x4_s");
        f.get(scaleAt);
        f.mem(load, 0, 2);
        f.get(scale as Local);
        f.op("f32x4.mul");
        f.op("f32x4.mul");
        f.get(biasAt);
        f.mem(load, 0, 2);
        f.op("f32x4.add");
        f.get(low as Local);
        f.op("f32x4.pmax");
        f.get(high as Local);
        f.op("f32x4.pmin");
        if (lanes === 4) f.mem("v128.store", 0, 2);
        else f.memLane("v128.store32_lane", 0);
        for (const pointer of [sums, scaleAt, biasAt, out]) emitAddTo(f, pointer, 4 * lanes);
      });
    }
  });
}
