/**
 * Emits products with weights that lie as the operator has them, [units, depth], for weights that are not constant: they
 * are read once each time, so there would be nothing to gain from packing them.
 *
 *   out[r, n] = clamp(Σ_k x[r, k] · w[n, k] + bias[n])
 *
 * Sums run in four lanes along k, for four units at a time.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown, emitSplat } from "../emit-basics.ts";

export const DOT_ROWS_NAME = "f32-dot-rows";

/** Addresses and `outStride` in bytes; rows of x and of the weights follow each other. bias: float32[units]. */
export type DotRowsFunction = (
  x: number,
  rows: number,
  depth: number,
  weights: number,
  units: number,
  bias: number,
  out: number,
  outStride: number,
  low: number,
  high: number,
) => void;

/** Units at a time. */
const GROUP = 4;

/** Adds the function to `module`. */
export function emitDotRows(module: ModuleBuilder): void {
  const f = module.function([...Array<"i32">(8).fill("i32"), "f32", "f32"], [], DOT_ROWS_NAME);
  const [x, rows, depth, weights, units, bias, out, outStride] = Array.from(
    { length: 8 },
    (_, index) => f.param(index),
  ) as Local[];
  const [low, high] = [emitSplat(f, f.param(8)), emitSplat(f, f.param(9))];
  const [at, left, column, biasAt, target, start] = Array.from({ length: 6 }, () => f.local("i32"));
  const sums = Array.from({ length: GROUP }, () => f.local("v128"));
  const pointers = sums.map(() => f.local("i32"));
  const value = f.local("v128");
  const emitUnits = (count: 1 | 4) => {
    const own = { sums: sums.slice(0, count), pointers: pointers.slice(0, count) };
    own.pointers.forEach((pointer, index) => {
      emitCopy(f, index === 0 ? start : own.pointers[index - 1], pointer);
      if (index > 0) emitAdvance(f, pointer, depth, 4);
    });
    for (const sum of own.sums) {
      f.v128(new Uint8Array(16));
      f.set(sum);
    }
    emitCopy(f, x, at);
    emitCopy(f, depth, left);
    for (const lanes of [4, 1] as const) {
      emitCountdown(f, left, lanes, () => emitProducts(f, at, value, own, lanes));
    }
    emitTotals(f, own.sums, value);
    f.get(value);
    f.get(biasAt);
    f.mem(count === 4 ? "v128.load" : "v128.load32_zero", 0, 2);
    f.op("f32x4.add");
    f.get(low);
    f.op("f32x4.pmax");
    f.get(high);
    f.op("f32x4.pmin");
    f.set(value);
    f.get(target);
    f.get(value);
    if (count === 4) f.mem("v128.store", 0, 2);
    else f.memLane("v128.store32_lane", 0);
    for (const pointer of [biasAt, target]) emitAddTo(f, pointer, 4 * count);
    emitAdvance(f, start, depth, 4 * count);
  };
  emitCountdown(f, rows, 1, () => {
    emitCopy(f, weights, start);
    emitCopy(f, units, column);
    emitCopy(f, bias, biasAt);
    emitCopy(f, out, target);
    for (const count of [4, 1] as const) {
      emitCountdown(f, column, count, () => emitUnits(count));
    }
    emitAdvance(f, x, depth, 4);
    emitAdvance(f, out, outStride, 1);
  });
}

/** sums[i] += x[k] · w[i, k] for some k. */
function emitProducts(
  f: FunctionBuilder,
  x: Local,
  value: Local,
  { sums, pointers }: { readonly sums: readonly Local[]; readonly pointers: readonly Local[] },
  lanes: 1 | 4,
): void {
  const load = lanes === 4 ? "v128.load" : "v128.load32_zero";
  f.get(x);
  f.mem(load, 0, 2);
  f.set(value);
  sums.forEach((sum, index) => {
    f.get(sum);
    f.get(value);
    f.get(pointers[index]);
    f.mem(load, 0, 2);
    f.op("f32x4.mul");
    f.op("f32x4.add");
    f.set(sum);
  });
  for (const pointer of [x, ...pointers]) emitAddTo(f, pointer, 4 * lanes);
}

/** value = the sums of the lanes of each vector, one behind the other. A single vector gives the first lane only. */
function emitTotals(f: FunctionBuilder, sums: readonly Local[], value: Local): void {
  const at = (index: number) => sums[Math.min(index, sums.length - 1)] as Local;
  const [LOW, HIGH] = [words(0, 4, 1, 5), words(2, 6, 3, 7)];
  for (const pair of [0, 2]) {
    for (const order of [LOW, HIGH]) {
      f.get(at(pair));
      f.get(at(pair + 1));
      f.shuffle(order);
    }
    f.op("f32x4.add");
  }
  // Of the two vectors [a0 + a2, b0 + b2, a1 + a3, b1 + b3], the halves are added.
  const second = f.local("v128");
  f.set(second);
  f.set(value);
  for (const order of [words(0, 1, 4, 5), words(2, 3, 6, 7)]) {
    f.get(value);
    f.get(second);
    f.shuffle(order);
  }
  f.op("f32x4.add");
  f.set(value);
}

/** The bytes of four words, of which 0–3 are the first vector's. */
function words(...order: readonly number[]): number[] {
  return order.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));
}
