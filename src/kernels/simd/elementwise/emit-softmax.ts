/**
 * Emits softmax of rows of floats: e^(β·(x − max)) / Σ, in three passes over a row. The exponentials are those of
 * `math/emit-exp.ts`; sums run in four lanes.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitSplat } from "../emit-basics.ts";
import { emitExp, expScratch } from "../math/emit-exp.ts";

export const SOFTMAX_NAME = "f32-softmax";

/** Addresses in bytes. */
export type SoftmaxFunction = (
  source: number,
  rows: number,
  depth: number,
  out: number,
  beta: number,
) => void;

/** Adds the function to `module`. */
export function emitSoftmax(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32", "i32", "f32"], [], SOFTMAX_NAME);
  const [source, rows, depth, out] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const beta = emitSplat(f, f.param(4));
  const [from, to, left] = Array.from({ length: 3 }, () => f.local("i32"));
  const [max, sum, value] = Array.from({ length: 3 }, () => f.local("v128"));
  const scratch = expScratch(f);
  const walk = (turn: (lanes: 1 | 4) => void) => {
    emitCopy(f, source, from);
    emitCopy(f, out, to);
    emitCopy(f, depth, left);
    for (const lanes of [4, 1] as const) {
      emitCountdown(f, left, lanes, () => {
        turn(lanes);
        for (const pointer of [from, to]) emitAddTo(f, pointer, 4 * lanes);
      });
    }
  };
  const store = (lanes: 1 | 4) => {
    f.get(to);
    f.get(value);
    if (lanes === 4) f.mem("v128.store", 0, 2);
    else f.memLane("v128.store32_lane", 0);
  };
  emitCountdown(f, rows, 1, () => {
    f.f32(-Infinity);
    f.op("f32x4.splat");
    f.set(max);
    walk((lanes) => {
      f.get(max);
      f.get(from);
      f.mem(lanes === 4 ? "v128.load" : "v128.load32_splat", 0, 2);
      f.op("f32x4.pmax");
      f.set(max);
    });
    emitFold(f, max, "f32x4.pmax");
    f.f32(0);
    f.op("f32x4.splat");
    f.set(sum);
    walk((lanes) => {
      f.get(from);
      f.mem(lanes === 4 ? "v128.load" : "v128.load32_splat", 0, 2);
      f.get(max);
      f.op("f32x4.sub");
      f.get(beta);
      f.op("f32x4.mul");
      emitExp(f, scratch);
      f.set(value);
      store(lanes);
      f.get(sum);
      f.get(value);
      if (lanes === 1) keepFirstLane(f);
      f.op("f32x4.add");
      f.set(sum);
    });
    emitFold(f, sum, "f32x4.add");
    walk((lanes) => {
      f.get(to);
      f.mem(lanes === 4 ? "v128.load" : "v128.load32_zero", 0, 2);
      f.get(sum);
      f.op("f32x4.div");
      f.set(value);
      store(lanes);
    });
    emitCopy(f, from, source);
    emitCopy(f, to, out);
  });
}

/** vector = its four lanes folded, in all lanes. */
function emitFold(f: FunctionBuilder, vector: Local, op: "f32x4.pmax" | "f32x4.add"): void {
  for (const order of [
    [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7],
    [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11],
  ]) {
    f.get(vector);
    f.get(vector);
    f.get(vector);
    f.shuffle(order);
    f.op(op);
    f.set(vector);
  }
}

/** Emits [v] → v with 0 in all lanes but the first. */
function keepFirstLane(f: FunctionBuilder): void {
  f.v128(Uint8Array.from({ length: 16 }, (_, index) => (index < 4 ? 255 : 0)));
  f.op("v128.and");
}
