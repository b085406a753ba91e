/** Emits the place of the largest or smallest of some numbers, the first of equal ones, for many rows of numbers. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";

export interface PlaceVariant {
  readonly data: "f32" | "int8" | "uint8";
  readonly wanted: "max" | "min";
  /** Bytes of a place. */
  readonly placeBytes: 4 | 8;
}

export function placeName({ data, wanted, placeBytes }: PlaceVariant): string {
  return `${data}-place-of-${wanted}-i${8 * placeBytes}`;
}

/** Addresses and steps in bytes: from row to row, and between the `depth` numbers of a row. */
export type PlaceFunction = (
  source: number,
  rows: number,
  rowStep: number,
  depth: number,
  step: number,
  out: number,
) => void;

/** Adds the function to `module`. */
export function emitPlace(module: ModuleBuilder, variant: PlaceVariant): void {
  const f = module.function(Array<"i32">(6).fill("i32"), [], placeName(variant));
  const [source, rows, rowStep, depth, step, out] = Array.from({ length: 6 }, (_, index) =>
    f.param(index),
  ) as Local[];
  const isFloat = variant.data === "f32";
  const [at, left, place, found] = Array.from({ length: 4 }, () => f.local("i32"));
  const [value, best] = [0, 1].map(() => f.local(isFloat ? "f32" : "i32"));
  emitCountdown(f, rows, 1, () => {
    emitCopy(f, source, at);
    emitCopy(f, depth, left);
    emitLoad(f, at, variant);
    f.set(best);
    for (const counter of [place, found]) {
      f.i32(0);
      f.set(counter);
    }
    emitCountdown(f, left, 1, () => {
      emitLoad(f, at, variant);
      f.tee(value);
      f.get(best);
      f.op(beats(variant));
      f.if(() => {
        emitCopy(f, value, best);
        emitCopy(f, place, found);
      });
      emitAddTo(f, place, 1);
      emitAdvance(f, at, step, 1);
    });
    f.get(out);
    f.get(found);
    if (variant.placeBytes === 4) f.mem("i32.store");
    else {
      f.op("i64.extend_i32_u");
      f.mem("i64.store");
    }
    emitAddTo(f, out, variant.placeBytes);
    emitAdvance(f, source, rowStep, 1);
  });
}

function emitLoad(f: FunctionBuilder, address: Local, { data }: PlaceVariant): void {
  f.get(address);
  f.mem(data === "f32" ? "f32.load" : data === "int8" ? "i32.load8_s" : "i32.load8_u");
}

function beats({ data, wanted }: PlaceVariant): "f32.gt" | "f32.lt" | "i32.gt_s" | "i32.lt_s" {
  if (data === "f32") return wanted === "max" ? "f32.gt" : "f32.lt";
  return wanted === "max" ? "i32.gt_s" : "i32.lt_s";
}
