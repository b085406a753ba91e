/**
 * Emits the requantization of rows of int32 sums (`emit-requantize.ts` has the formula), for products whose sums are
 * complete only after several calls, or that round halves away from zero: there 1 is taken off negative numbers between
 * the two steps, where a column says so.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";
import { emitHighMultiply, emitNarrow } from "../emit-requantize.ts";

/** "int16-sum": added to the int16 that is there. */
export type RequantizedOutput = "int8" | "uint8" | "int16" | "int16-sum";

export function requantizeRowsName(output: RequantizedOutput): string {
  return `i32-requantize-rows-${output}`;
}

/**
 * Addresses in bytes. multipliers, exponents (2^(31−r)), away (−1 where halves are rounded away from zero, else 0):
 * int32 per column. low, high: the range of the result.
 */
export type RequantizeRowsFunction = (
  sums: number,
  rows: number,
  columns: number,
  out: number,
  multipliers: number,
  exponents: number,
  away: number,
  zeroPoint: number,
  low: number,
  high: number,
) => void;

function isWide(output: RequantizedOutput): output is "int16" | "int16-sum" {
  return output === "int16" || output === "int16-sum";
}

/** Adds the function to `module`. */
export function emitRequantizeRows(module: ModuleBuilder, output: RequantizedOutput): void {
  const f = module.function(Array<"i32">(10).fill("i32"), [], requantizeRowsName(output));
  const [sums, rows, columns, out, ...starts] = Array.from({ length: 7 }, (_, index) =>
    f.param(index),
  ) as Local[];
  const bounds = [7, 8, 9].map((index) => {
    const vector = f.local("v128");
    f.get(f.param(index));
    f.op("i32x4.splat");
    f.set(vector);
    return vector;
  });
  const pointers = starts.map(() => f.local("i32"));
  const [left, value] = [f.local("i32"), f.local("v128")];
  const wide = [f.local("v128"), f.local("v128")] as const;
  const itemBytes = isWide(output) ? 2 : 1;
  emitCountdown(f, rows, 1, () => {
    starts.forEach((start, index) => {
      emitCopy(f, start, pointers[index]);
    });
    emitCopy(f, columns, left);
    for (const lanes of [4, 1] as const) {
      emitCountdown(f, left, lanes, () => {
        emitRequantized(f, [sums, ...pointers], lanes, wide);
        f.set(value);
        if (output === "int16-sum") emitAddHalf(f, value, out, lanes);
        emitBounded(f, value, bounds);
        emitStore(f, output, value, out, lanes);
        for (const pointer of [sums, ...pointers]) emitAddTo(f, pointer, 4 * lanes);
        emitAddTo(f, out, itemBytes * lanes);
      });
    }
  });
}

/** Emits [] → requantized sums. */
function emitRequantized(
  f: FunctionBuilder,
  [sums, multipliers, exponents, away]: readonly Local[],
  lanes: 1 | 4,
  wide: readonly [Local, Local],
): void {
  const load = (address: Local) => {
    f.get(address);
    f.mem(lanes === 4 ? "v128.load" : "v128.load32_zero", 0, 2);
  };
  const product = f.local("v128");
  load(sums);
  load(multipliers);
  emitHighMultiply(f, wide);
  f.tee(product);
  f.get(product);
  f.i32(31);
  f.op("i32x4.shr_s");
  load(away);
  f.op("v128.and");
  f.op("i32x4.add");
  load(exponents);
  emitHighMultiply(f, wide);
}

/** value += the int16 at `out`. */
function emitAddHalf(f: FunctionBuilder, value: Local, out: Local, lanes: 1 | 4): void {
  f.get(value);
  f.get(out);
  f.mem(lanes === 4 ? "v128.load64_zero" : "v128.load16_splat", 0, 1);
  f.op("i32x4.extend_low_i16x8_s");
  f.op("i32x4.add");
  f.set(value);
}

/** value = min(max(value + zeroPoint, low), high) */
function emitBounded(f: FunctionBuilder, value: Local, bounds: readonly Local[]): void {
  f.get(value);
  for (const [index, op] of (["i32x4.add", "i32x4.max_s", "i32x4.min_s"] as const).entries()) {
    f.get(bounds[index]);
    f.op(op);
  }
  f.set(value);
}

function emitStore(
  f: FunctionBuilder,
  output: RequantizedOutput,
  value: Local,
  out: Local,
  lanes: 1 | 4,
): void {
  if (isWide(output)) {
    f.get(value);
    f.get(value);
    f.op("i16x8.narrow_i32x4_s");
    f.set(value);
  } else {
    emitNarrow(f, [value], output, value);
  }
  f.get(out);
  f.get(value);
  if (isWide(output)) {
    f.memLane(lanes === 4 ? "v128.store64_lane" : "v128.store16_lane", 0, 0, 1);
  } else {
    f.memLane(lanes === 4 ? "v128.store32_lane" : "v128.store8_lane", 0, 0, 0);
  }
}
