/** Emits out[i] = max(a[i], b[i]) or min over rows of integers, walked as in `emit-binary.ts`. */
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import type { Repeated } from "./pair-rows.ts";

export type ExtremumType = "int8" | "uint8" | "int16" | "int32";

const BYTE = { bytes: 1, splat: "v128.load8_splat", store: "v128.store8_lane" } as const;
const HALF = { bytes: 2, splat: "v128.load16_splat", store: "v128.store16_lane" } as const;
const WORD = { bytes: 4, splat: "v128.load32_splat", store: "v128.store32_lane" } as const;

/** By type: bytes of an element, and the instructions for it. */
const TYPES = {
  int8: { ...BYTE, max: "i8x16.max_s", min: "i8x16.min_s" },
  uint8: { ...BYTE, max: "i8x16.max_u", min: "i8x16.min_u" },
  int16: { ...HALF, max: "i16x8.max_s", min: "i16x8.min_s" },
  int32: { ...WORD, max: "i32x4.max_s", min: "i32x4.min_s" },
} as const satisfies Record<ExtremumType, object>;

export interface ExtremumVariant {
  readonly wanted: "max" | "min";
  readonly dtype: ExtremumType;
  readonly repeated: Repeated;
}

/** Bytes of an element. */
export function extremumBytes(dtype: ExtremumType): number {
  return TYPES[dtype].bytes;
}

export function isExtremumType(dtype: string): dtype is ExtremumType {
  return Object.hasOwn(TYPES, dtype);
}

export function extremumName({ wanted, dtype, repeated }: ExtremumVariant): string {
  return `${dtype}-v${wanted}${repeated === "none" ? "" : `-repeat-${repeated}`}`;
}

/**
 * Adds the function to `module`: (a, b, out, count, rows, aStride, bStride), addresses and strides in bytes, `count`
 * results in each of `rows` rows.
 */
export function emitExtremum(module: ModuleBuilder, variant: ExtremumVariant): void {
  const f = module.function(Array<"i32">(7).fill("i32"), [], extremumName(variant));
  const at = (index: number) => f.param(index);
  const [out, count, rows] = [at(2), at(3), at(4)];
  const operands = [0, 1].map((side) => ({
    start: at(side),
    stride: at(5 + side),
    address: f.local("i32"),
    isRepeated: variant.repeated === (side === 0 ? "a" : "b"),
  }));
  const [left, result] = [f.local("i32"), f.local("v128")];
  const { bytes, splat, store, [variant.wanted]: instruction } = TYPES[variant.dtype];
  const whole = 16 / bytes;
  const turn = (elements: number) => {
    for (const { address, isRepeated } of operands) {
      f.get(address);
      if (isRepeated || elements === 1) f.mem(splat, 0, 0);
      else f.mem("v128.load", 0, 0);
    }
    f.op(instruction);
    f.set(result);
    f.get(out);
    f.get(result);
    if (elements === 1) f.memLane(store, 0, 0, 0);
    else f.mem("v128.store", 0, 0);
    for (const { address, isRepeated } of operands) {
      if (!isRepeated) emitAddTo(f, address, bytes * elements);
    }
    emitAddTo(f, out, bytes * elements);
  };
  emitCountdown(f, rows, 1, () => {
    for (const { start, address } of operands) emitCopy(f, start, address);
    emitCopy(f, count, left);
    emitCountdown(f, left, whole, () => turn(whole));
    emitCountdown(f, left, 1, () => turn(1));
    for (const { start, stride } of operands) emitAdvance(f, start, stride, 1);
  });
}
