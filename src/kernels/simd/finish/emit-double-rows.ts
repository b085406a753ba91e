/**
 * Emits the requantization of rows of int32 sums to int16 in float64, as `reference/output-stage.ts` has it for int16
 * activations:
 *
 *   wide: floor(((sum + bias)·factor + half)·scale)        real: (sum + bias)·factor, halves away from zero
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";
import { emitLowHalves, emitNearest } from "../emit-requantize.ts";

export type DoubleLaw = "wide" | "real";

export function doubleRowsName(law: DoubleLaw): string {
  return `i32-double-rows-${law}`;
}

/**
 * Addresses in bytes. bias, factors, halves, scales: float64 per column; the last two are not read by "real". low, high:
 * limits of the activation within int16.
 */
export type DoubleRowsFunction = (
  sums: number,
  rows: number,
  columns: number,
  out: number,
  bias: number,
  factors: number,
  halves: number,
  scales: number,
  low: number,
  high: number,
) => void;

/** Adds the function to `module`. */
export function emitDoubleRows(module: ModuleBuilder, law: DoubleLaw): void {
  const params = [...Array<"i32">(8).fill("i32"), "f64", "f64"] as const;
  const f = module.function(params, [], doubleRowsName(law));
  const [sums, rows, columns, out, ...starts] = Array.from({ length: 8 }, (_, index) =>
    f.param(index),
  ) as Local[];
  const limits = [8, 9].map((index) => {
    const vector = f.local("v128");
    f.get(f.param(index));
    f.op("f64x2.splat");
    f.set(vector);
    return vector;
  }) as [Local, Local];
  const pointers = starts.map(() => f.local("i32"));
  const [left, value] = [f.local("i32"), f.local("v128")];
  emitCountdown(f, rows, 1, () => {
    starts.forEach((start, index) => {
      emitCopy(f, start, pointers[index]);
    });
    emitCopy(f, columns, left);
    for (const lanes of [4, 1] as const) {
      emitCountdown(f, left, lanes, () => {
        for (const half of [0, 1] as const) {
          if (lanes === 1 && half === 1) continue;
          f.get(sums);
          f.mem(lanes === 4 ? "v128.load64_zero" : "v128.load32_zero", 8 * half, 2);
          f.op("f64x2.convert_low_i32x4_s");
          emitRequantized(f, law, pointers, { isSingle: lanes === 1, half }, value);
          f.get(limits[0]);
          f.op("f64x2.pmax");
          f.get(limits[1]);
          f.op("f64x2.pmin");
          emitNearest(f);
        }
        if (lanes === 4) emitLowHalves(f);
        f.set(value);
        f.get(out);
        f.get(value);
        f.get(value);
        f.op("i16x8.narrow_i32x4_s");
        f.memLane(lanes === 4 ? "v128.store64_lane" : "v128.store16_lane", 0, 0, 1);
        emitAddTo(f, sums, 4 * lanes);
        emitAddTo(f, out, 2 * lanes);
        for (const pointer of pointers) emitAddTo(f, pointer, 8 * lanes);
      });
    }
  });
}

/** Emits [sums] → requantized sums, of two columns or of a single one. Uses `value`. */
function emitRequantized(
  f: FunctionBuilder,
  law: DoubleLaw,
  [bias, factors, halves, scales]: readonly Local[],
  { isSingle, half }: { readonly isSingle: boolean; readonly half: 0 | 1 },
  value: Local,
): void {
  const combine = (address: Local, op: "f64x2.add" | "f64x2.mul") => {
    f.get(address);
    f.mem(isSingle ? "v128.load64_zero" : "v128.load", 16 * half, 3);
    f.op(op);
  };
  combine(bias, "f64x2.add");
  combine(factors, "f64x2.mul");
  if (law === "wide") {
    combine(halves, "f64x2.add");
    combine(scales, "f64x2.mul");
    f.op("f64x2.floor");
    return;
  }
  // trunc(x) + trunc(2·(x − trunc(x))): the fraction's double is exact, and ±1 from one half on.
  f.set(value);
  f.get(value);
  f.op("f64x2.trunc");
  f.get(value);
  f.get(value);
  f.op("f64x2.trunc");
  f.op("f64x2.sub");
  f.f64(2);
  f.op("f64x2.splat");
  f.op("f64x2.mul");
  f.op("f64x2.trunc");
  f.op("f64x2.add");
}
