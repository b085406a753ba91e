/** Emits rows of floats divided by their length: x / max(√Σx², 10⁻⁶); sums run in four lanes. */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown, emitSplatConstant } from "../emit-basics.ts";

export const L2_ROWS_NAME = "f32-l2-rows";

/** Addresses in bytes. */
export type L2RowsFunction = (source: number, rows: number, depth: number, out: number) => void;

/** The least length that a row is divided by. */
const LEAST = 1e-6;

/** Adds the function to `module`. */
export function emitL2Rows(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32", "i32"], [], L2_ROWS_NAME);
  const [source, rows, depth, out] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const [at, left] = [f.local("i32"), f.local("i32")];
  const [sum, value] = [f.local("v128"), f.local("v128")];
  const walk = (turn: (lanes: 1 | 4) => void) => {
    emitCopy(f, source, at);
    emitCopy(f, depth, left);
    for (const lanes of [4, 1] as const) {
      emitCountdown(f, left, lanes, () => {
        f.get(at);
        f.mem(lanes === 4 ? "v128.load" : "v128.load32_zero", 0, 2);
        f.set(value);
        turn(lanes);
        emitAddTo(f, at, 4 * lanes);
      });
    }
  };
  emitCountdown(f, rows, 1, () => {
    emitSplatConstant(f, 0);
    f.set(sum);
    walk(() => {
      f.get(sum);
      f.get(value);
      f.get(value);
      f.op("f32x4.mul");
      f.op("f32x4.add");
      f.set(sum);
    });
    for (const distance of [8, 4]) {
      f.get(sum);
      f.get(sum);
      f.get(sum);
      f.shuffle(Array.from({ length: 16 }, (_, byte) => (byte + distance) % 16));
      f.op("f32x4.add");
      f.set(sum);
    }
    f.get(sum);
    f.op("f32x4.sqrt");
    emitSplatConstant(f, LEAST);
    f.op("f32x4.max");
    f.set(sum);
    walk((lanes) => {
      f.get(out);
      f.get(value);
      f.get(sum);
      f.op("f32x4.div");
      if (lanes === 4) f.mem("v128.store", 0, 2);
      else f.memLane("v128.store32_lane", 0);
      emitAddTo(f, out, 4 * lanes);
    });
    emitCopy(f, at, source);
  });
}
