/**
 * Emits pools over [rows, columns, channels]: a run of windows of one size, each folded channel by channel. Windows that
 * lose rows or columns at a border are runs of their own.
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import { type PoolVariant, poolStage } from "./pool-stage.ts";

export function poolName({ fold, data }: PoolVariant): string {
  const prefix = { f32: "f32", int8: "qs8", uint8: "qu8" }[data];
  return `${prefix}-pool-${fold}`;
}

/** Addresses and strides in bytes; `low` and `high` are floats for float data, integers for bytes. */
export type PoolCall = [
  source: number,
  windowStride: number,
  windows: number,
  rows: number,
  rowStride: number,
  columns: number,
  channels: number,
  out: number,
  low: number,
  high: number,
];
export type PoolFunction = (...args: PoolCall) => void;

/** Adds the function to `module`. */
export function emitPool(module: ModuleBuilder, variant: PoolVariant): void {
  const isFloat = variant.data === "f32";
  const bound = isFloat ? "f32" : "i32";
  const params = [...Array<"i32">(8).fill("i32"), bound, bound] as const;
  const f = module.function(params, [], poolName(variant));
  const at = (index: number) => f.param(index);
  const [source, windowStride, windows, rows, rowStride] = [0, 1, 2, 3, 4].map(at) as Local[];
  const [columns, channels, out] = [5, 6, 7].map(at) as Local[];
  const isBytewise = !isFloat && variant.fold === "max";
  const splat = isFloat ? "f32x4.splat" : isBytewise ? "i8x16.splat" : "i32x4.splat";
  const [low, high] = [8, 9].map((index) => {
    const vector = f.local("v128");
    f.get(at(index));
    f.op(splat);
    f.set(vector);
    return vector;
  });
  const [count, first, left] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const [row, cursor, rowsLeft, columnsLeft] = Array.from({ length: 4 }, () => f.local("i32"));
  f.get(rows);
  f.get(columns);
  f.op("i32.mul");
  f.set(count);
  const stage = poolStage({ f, low, high, count }, variant);
  const emitGroup = (group: number) => {
    stage.start(group);
    emitCopy(f, first, row);
    emitCopy(f, rows, rowsLeft);
    emitCountdown(f, rowsLeft, 1, () => {
      emitCopy(f, row, cursor);
      emitCopy(f, columns, columnsLeft);
      emitCountdown(f, columnsLeft, 1, () => {
        stage.add(cursor, group);
        emitAdvance(f, cursor, channels, stage.inputBytes);
      });
      emitAdvance(f, row, rowStride, 1);
    });
    stage.finish(out, group);
    emitAddTo(f, first, group * stage.inputBytes);
    emitAddTo(f, out, group * stage.outputBytes);
  };
  emitCountdown(f, windows, 1, () => {
    emitCopy(f, source, first);
    emitCopy(f, channels, left);
    for (const group of stage.groups) emitCountdown(f, left, group, () => emitGroup(group));
    emitAdvance(f, source, windowStride, 1);
  });
}
