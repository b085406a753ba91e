/** Emits target += source on rows of float32 or int32; rows are added one after the other and may overlap in the target. */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";

export type AddRowsData = "f32" | "i32";

export function addRowsName(data: AddRowsData): string {
  return `${data}-add-rows`;
}

/** Addresses and strides in bytes, `count` in elements of a row. */
export type AddRowsFunction = (
  source: number,
  sourceStride: number,
  target: number,
  targetStride: number,
  rows: number,
  count: number,
) => void;

/** Adds the function to `module`. */
export function emitAddRows(module: ModuleBuilder, data: AddRowsData): void {
  const f = module.function(Array<"i32">(6).fill("i32"), [], addRowsName(data));
  const [source, sourceStride, target, targetStride, rows, count] = [0, 1, 2, 3, 4, 5].map(
    (index) => f.param(index),
  ) as Local[];
  const [from, to, left] = Array.from({ length: 3 }, () => f.local("i32"));
  emitCountdown(f, rows, 1, () => {
    emitCopy(f, source, from);
    emitCopy(f, target, to);
    emitCopy(f, count, left);
    for (const lanes of [4, 1]) {
      emitCountdown(f, left, lanes, () => {
        f.get(to);
        for (const operand of [from, to]) {
          f.get(operand);
          if (lanes === 4) f.mem("v128.load", 0, 2);
          else f.mem("v128.load32_zero");
        }
        f.op(data === "f32" ? "f32x4.add" : "i32x4.add");
        if (lanes === 4) f.mem("v128.store", 0, 2);
        else f.memLane("v128.store32_lane", 0);
        for (const pointer of [from, to]) emitAddTo(f, pointer, 4 * lanes);
      });
    }
    emitAdvance(f, source, sourceStride, 1);
    emitAdvance(f, target, targetStride, 1);
  });
}
