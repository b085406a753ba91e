/** Emits out[i] = f32(q[i]) · scale for int8 q. */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown, emitSplat } from "../emit-basics.ts";

export const SCALE_BYTES_NAME = "int8-scale";

/** Addresses in bytes. */
export type ScaleBytesFunction = (
  source: number,
  count: number,
  out: number,
  scale: number,
) => void;

/** Adds the function to `module`. */
export function emitScaleBytes(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32", "f32"], [], SCALE_BYTES_NAME);
  const [source, count, out] = [0, 1, 2].map((index) => f.param(index)) as Local[];
  const scale = emitSplat(f, f.param(3));
  const wide = f.local("v128");
  emitCountdown(f, count, 8, () => {
    f.get(source);
    f.mem("v128.load8x8_s", 0, 0);
    f.set(wide);
    (["i32x4.extend_low_i16x8_s", "i32x4.extend_high_i16x8_s"] as const).forEach((extend, half) => {
      f.get(out);
      f.get(wide);
      f.op(extend);
      f.op("f32x4.convert_i32x4_s");
      f.get(scale);
      f.op("f32x4.mul");
      f.mem("v128.store", 16 * half, 2);
    });
    emitAddTo(f, source, 8);
    emitAddTo(f, out, 32);
  });
  emitCountdown(f, count, 1, () => {
    f.get(out);
    f.get(source);
    f.mem("i32.load8_s");
    f.op("f32.convert_i32_s");
    f.get(f.param(3));
    f.op("f32.mul");
    f.mem("f32.store");
    emitAddTo(f, source, 1);
    emitAddTo(f, out, 4);
  });
}
