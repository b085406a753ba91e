/** Emits out[i] = a[i] ⋚ b[i] as bytes 1 and 0, over rows of float32 or int32 as in `emit-binary.ts`. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import type { Repeated } from "./pair-rows.ts";

export type Comparison = "eq" | "ne" | "lt" | "gt" | "le" | "ge";

export interface CompareVariant {
  readonly data: "f32" | "i32";
  readonly comparison: Comparison;
  readonly repeated: Repeated;
}

export function compareName({ data, comparison, repeated }: CompareVariant): string {
  return `${data}-v${comparison}${repeated === "none" ? "" : `-repeat-${repeated}`}`;
}

const GROUP = 16;

/**
 * Adds the function to `module`: (a, b, out, count, rows, aStride, bStride), addresses and strides in bytes, `count`
 * results in each of `rows` rows.
 */
export function emitCompare(module: ModuleBuilder, variant: CompareVariant): void {
  const f = module.function(Array<"i32">(7).fill("i32"), [], compareName(variant));
  const [a, b, out, count, rows, aStride, bStride] = Array.from({ length: 7 }, (_, index) =>
    f.param(index),
  ) as Local[];
  const operands = [a, b].map((start, side) => ({
    start,
    at: f.local("i32"),
    isRepeated: variant.repeated === (side === 0 ? "a" : "b"),
  }));
  const left = f.local("i32");
  const masks = Array.from({ length: 4 }, () => f.local("v128"));
  const turn = (elements: 1 | 16) => {
    const used = masks.slice(0, elements === 1 ? 1 : 4);
    used.forEach((mask, index) => {
      for (const { at, isRepeated } of operands) {
        f.get(at);
        if (isRepeated || elements === 1) f.mem("v128.load32_splat");
        else f.mem("v128.load", 16 * index, 2);
      }
      emitComparison(f, variant);
      f.set(mask);
    });
    f.get(out);
    emitBits(f, used);
    if (elements === GROUP) f.mem("v128.store", 0, 0);
    else f.memLane("v128.store8_lane", 0, 0, 0);
    for (const { at, isRepeated } of operands) if (!isRepeated) emitAddTo(f, at, 4 * elements);
    emitAddTo(f, out, elements);
  };
  emitCountdown(f, rows, 1, () => {
    for (const { start, at } of operands) emitCopy(f, start, at);
    emitCopy(f, count, left);
    emitCountdown(f, left, GROUP, () => turn(GROUP));
    emitCountdown(f, left, 1, () => turn(1));
    emitAdvance(f, a, aStride, 1);
    emitAdvance(f, b, bStride, 1);
  });
}

/** Emits [a, b] → a mask. */
function emitComparison(f: FunctionBuilder, { data, comparison }: CompareVariant): void {
  if (data === "f32") f.op(`f32x4.${comparison}`);
  else if (comparison === "eq" || comparison === "ne") f.op(`i32x4.${comparison}`);
  else f.op(`i32x4.${comparison}_s`);
}

/** Emits [] → bytes 1 or 0 from up to four masks of words. */
function emitBits(f: FunctionBuilder, masks: readonly Local[]): void {
  const at = (index: number) => masks[Math.min(index, masks.length - 1)] as Local;
  for (const pair of [0, 2]) {
    f.get(at(pair));
    f.get(at(pair + 1));
    f.op("i16x8.narrow_i32x4_s");
  }
  f.op("i8x16.narrow_i16x8_s");
  f.i32(1);
  f.op("i8x16.splat");
  f.op("v128.and");
}
