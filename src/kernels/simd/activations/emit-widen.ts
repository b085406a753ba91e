/**
 * Emits the pass that prepares quantized activations for products: q − zero point of int8 or uint8 elements, as int16
 * (for dot products of int16) or float32 (for depthwise sums). Dot products of bytes take int8 elements as they are, or
 * as uint8 of q + 128; depthwise sums take int16 elements, which have no zero point, as int32.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown } from "../emit-basics.ts";
import type { ByteType } from "./emit-quantize.ts";

/** What elements are widened to. */
export type WideStorage = "int16" | "float32";

export function widenName(from: ByteType, storage: WideStorage): string {
  return `activation-widen-${from}-${storage}`;
}

/** Addresses in bytes, count in elements. */
export type WidenFunction = (
  source: number,
  count: number,
  target: number,
  zeroPoint: number,
) => void;

const GROUP = 8;

/** Adds the function to `module`. */
export function emitWiden(module: ModuleBuilder, from: ByteType, storage: WideStorage): void {
  const f = module.function(["i32", "i32", "i32", "i32"], [], widenName(from, storage));
  const [source, count, target, zeroPoint] = [0, 1, 2, 3].map((index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
  ];
  emitWidenOf(f, from, storage, { source, count, target, zeroPoint });
}

/** Elements that are taken, and where they go. */
type Walk = Readonly<Record<"source" | "count" | "target", Local>>;

/** Emits what `WidenFunction` does. Destroys `source`, `count` and `target`. */
export function emitWidenOf(
  f: FunctionBuilder,
  from: ByteType,
  storage: WideStorage,
  { source, count, target, zeroPoint }: Walk & { readonly zeroPoint: Local },
): void {
  const [zero, wide] = [f.local("v128"), f.local("v128")];
  const bytes = storage === "int16" ? 2 : 4;
  f.get(zeroPoint);
  f.op("i16x8.splat");
  f.set(zero);
  emitCountdown(f, count, GROUP, () => {
    f.get(source);
    f.mem(from === "int8" ? "v128.load8x8_s" : "v128.load8x8_u", 0, 0);
    f.get(zero);
    f.op("i16x8.sub");
    f.set(wide);
    if (storage === "int16") {
      f.get(target);
      f.get(wide);
      f.mem("v128.store", 0, 1);
    } else {
      emitStoreFloats(f, target, wide);
    }
    emitAddTo(f, source, GROUP);
    emitAddTo(f, target, bytes * GROUP);
  });
  emitCountdown(f, count, 1, () => {
    f.get(target);
    f.get(source);
    f.mem(from === "int8" ? "i32.load8_s" : "i32.load8_u");
    f.get(zeroPoint);
    f.op("i32.sub");
    if (storage === "int16") {
      f.mem("i32.store16");
    } else {
      f.op("f32.convert_i32_s");
      f.mem("f32.store");
    }
    emitAddTo(f, source, 1);
    emitAddTo(f, target, bytes);
  });
}

function emitStoreFloats(f: FunctionBuilder, target: Local, wide: Local): void {
  for (const [offset, extend] of [
    [0, "i32x4.extend_low_i16x8_s"],
    [16, "i32x4.extend_high_i16x8_s"],
  ] as const) {
    f.get(target);
    f.get(wide);
    f.op(extend);
    f.op("f32x4.convert_i32x4_s");
    f.mem("v128.store", offset, 2);
  }
}

export const BYTES_NAME = "activation-bytes";

/** Copies bytes, `flipped` bits turned over: 128 makes uint8 of q + 128 from int8, 0 leaves them alone. */
export type BytesFunction = (
  source: number,
  count: number,
  target: number,
  flipped: number,
) => void;

/** Adds the function to `module`. */
export function emitBytes(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32", "i32"], [], BYTES_NAME);
  const [source, count, target, flipped] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const mask = f.local("v128");
  f.get(flipped);
  f.op("i8x16.splat");
  f.set(mask);
  emitCountdown(f, count, 16, () => {
    f.get(target);
    f.get(source);
    f.mem("v128.load", 0, 0);
    f.get(mask);
    f.op("v128.xor");
    f.mem("v128.store", 0, 0);
    emitAddTo(f, source, 16);
    emitAddTo(f, target, 16);
  });
  emitCountdown(f, count, 1, () => {
    f.get(target);
    f.get(source);
    f.mem("i32.load8_u");
    f.get(flipped);
    f.op("i32.xor");
    f.mem("i32.store8");
    emitAddTo(f, source, 1);
    emitAddTo(f, target, 1);
  });
}

/** Emits int32 of int16 elements: addresses in bytes, count in elements. Destroys all operands. */
export function emitWordsOf(f: FunctionBuilder, { source, count, target }: Walk): void {
  emitCountdown(f, count, GROUP, () => {
    for (const half of [0, 1]) {
      f.get(target);
      f.get(source);
      f.mem("v128.load16x4_s", GROUP * half, 1);
      f.mem("v128.store", 2 * GROUP * half, 2);
    }
    emitAddTo(f, source, 2 * GROUP);
    emitAddTo(f, target, 4 * GROUP);
  });
  emitCountdown(f, count, 1, () => {
    f.get(target);
    f.get(source);
    f.mem("i32.load16_s");
    f.mem("i32.store");
    emitAddTo(f, source, 2);
    emitAddTo(f, target, 4);
  });
}
