/** Emits out[i] = condition[i] ? x[i] : y[i] on words of 32 bits; x and y may each be one repeated word. */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown } from "../emit-basics.ts";

/** Which operands are one word for all elements. */
export interface SelectVariant {
  readonly repeatsX: boolean;
  readonly repeatsY: boolean;
}

export function selectName({ repeatsX, repeatsY }: SelectVariant): string {
  return `x32-select${repeatsX ? "-repeat-x" : ""}${repeatsY ? "-repeat-y" : ""}`;
}

/** Addresses in bytes; condition: bytes, true where they are not 0. */
export type SelectFunction = (
  condition: number,
  x: number,
  y: number,
  out: number,
  count: number,
) => void;

/** Adds the function to `module`. */
export function emitSelect(module: ModuleBuilder, variant: SelectVariant): void {
  const f = module.function(Array<"i32">(5).fill("i32"), [], selectName(variant));
  const [condition, x, y, out, count] = [0, 1, 2, 3, 4].map((index) => f.param(index)) as Local[];
  const choices = [
    { address: x, isRepeated: variant.repeatsX },
    { address: y, isRepeated: variant.repeatsY },
  ];
  for (const lanes of [4, 1] as const) {
    emitCountdown(f, count, lanes, () => {
      f.get(out);
      for (const { address, isRepeated } of choices) {
        f.get(address);
        if (isRepeated || lanes === 1) f.mem("v128.load32_splat");
        else f.mem("v128.load", 0, 2);
      }
      f.get(condition);
      f.mem(lanes === 4 ? "v128.load32_zero" : "v128.load8_splat", 0, 0);
      f.op("i16x8.extend_low_i8x16_u");
      f.op("i32x4.extend_low_i16x8_u");
      f.i32(0);
      f.op("i32x4.splat");
      f.op("i32x4.ne");
      f.op("v128.bitselect");
      if (lanes === 4) f.mem("v128.store", 0, 2);
      else f.memLane("v128.store32_lane", 0);
      for (const { address, isRepeated } of choices) {
        if (!isRepeated) emitAddTo(f, address, 4 * lanes);
      }
      emitAddTo(f, condition, lanes);
      emitAddTo(f, out, 4 * lanes);
    });
  }
}
