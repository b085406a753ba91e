/**
 * The arithmetic of a pool: how one element of a window is folded in, and what becomes of the fold. A stage works on
 * groups of channels; a group of one uses the first lane only.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitNarrow } from "../emit-requantize.ts";

/** "l2" is the root of the mean square. */
export type PoolFold = "average" | "max" | "l2";
export type PoolData = "f32" | "int8" | "uint8";

export interface PoolVariant {
  readonly fold: PoolFold;
  readonly data: PoolData;
}

/** What a stage works with: lowest and highest result in all lanes, elements of the window as i32. */
export interface PoolFrame {
  readonly f: FunctionBuilder;
  readonly low: Local;
  readonly high: Local;
  readonly count: Local;
}

export interface PoolStage {
  /** Channels per turn, largest first; the last is 1. */
  readonly groups: readonly number[];
  readonly inputBytes: number;
  readonly outputBytes: number;
  start(group: number): void;
  /** Folds in `group` channels at `address`. */
  add(address: Local, group: number): void;
  /** Stores `group` results at `out`. */
  finish(out: Local, group: number): void;
}

/** The stage of a variant. */
export function poolStage(frame: PoolFrame, variant: PoolVariant): PoolStage {
  if (variant.data === "f32") return floatStage(frame, variant.fold);
  return variant.fold === "max"
    ? byteMaxStage(frame, variant.data)
    : byteAverageStage(frame, variant.data);
}

function floatStage({ f, low, high, count }: PoolFrame, fold: PoolFold): PoolStage {
  const folded = Array.from({ length: 4 }, () => f.local("v128"));
  const element = f.local("v128");
  const vectors = (group: number) => folded.slice(0, Math.ceil(group / 4));
  const store = (out: Local, vector: Local, index: number, group: number) => {
    f.get(out);
    f.get(vector);
    if (group === 1) f.memLane("v128.store32_lane", 0);
    else f.mem("v128.store", 16 * index, 2);
  };
  return {
    groups: [16, 4, 1],
    inputBytes: 4,
    outputBytes: 4,
    start(group) {
      for (const vector of vectors(group)) {
        f.f32(fold === "max" ? -Infinity : 0);
        f.op("f32x4.splat");
        f.set(vector);
      }
    },
    add(address, group) {
      vectors(group).forEach((vector, index) => {
        f.get(vector);
        f.get(address);
        if (group === 1) f.mem("v128.load32_zero");
        else f.mem("v128.load", 16 * index, 2);
        if (fold === "l2") {
          f.tee(element);
          f.get(element);
          f.op("f32x4.mul");
        }
        f.op(fold === "max" ? "f32x4.pmax" : "f32x4.add");
        f.set(vector);
      });
    },
    finish(out, group) {
      for (const vector of vectors(group)) {
        f.get(vector);
        if (fold !== "max") {
          f.get(count);
          f.op("f32.convert_i32_s");
          f.op("f32x4.splat");
          f.op("f32x4.div");
        }
        if (fold === "l2") f.op("f32x4.sqrt");
        f.get(low);
        f.op("f32x4.max");
        f.get(high);
        f.op("f32x4.min");
        f.set(vector);
      }
      vectors(group).forEach((vector, index) => {
        store(out, vector, index, group);
      });
    },
  };
}

/** Largest of 16 bytes at a time, clamped in the type of the elements. */
function byteMaxStage({ f, low, high }: PoolFrame, data: "int8" | "uint8"): PoolStage {
  const largest = f.local("v128");
  const [max, min] =
    data === "int8"
      ? (["i8x16.max_s", "i8x16.min_s"] as const)
      : (["i8x16.max_u", "i8x16.min_u"] as const);
  return {
    groups: [16, 1],
    inputBytes: 1,
    outputBytes: 1,
    start() {
      f.i32(data === "int8" ? -128 : 0);
      f.op("i8x16.splat");
      f.set(largest);
    },
    add(address, group) {
      f.get(largest);
      f.get(address);
      f.mem(group === 1 ? "v128.load8_splat" : "v128.load", 0, 0);
      f.op(max);
      f.set(largest);
    },
    finish(out, group) {
      f.get(out);
      f.get(largest);
      f.get(low);
      f.op(max);
      f.get(high);
      f.op(min);
      if (group === 1) f.memLane("v128.store8_lane", 0);
      else f.mem("v128.store", 0, 0);
    },
  };
}

/** Averages of bytes from sums of int32, 8 at a time, rounded half away from zero. */
function byteAverageStage(frame: PoolFrame, data: "int8" | "uint8"): PoolStage {
  const { f } = frame;
  const isSigned = data === "int8";
  const sums = [f.local("v128"), f.local("v128")] as const;
  const wide = f.local("v128");
  const finishOne = averaging(frame);
  const used = (group: number) => (group === 1 ? sums.slice(0, 1) : sums);
  return {
    groups: [8, 1],
    inputBytes: 1,
    outputBytes: 1,
    start(group) {
      for (const sum of used(group)) {
        f.i32(0);
        f.op("i32x4.splat");
        f.set(sum);
      }
    },
    add(address, group) {
      f.get(address);
      if (group === 1) {
        f.mem(isSigned ? "i32.load8_s" : "i32.load8_u");
        f.op("i32x4.splat");
        f.get(sums[0]);
        f.op("i32x4.add");
        f.set(sums[0]);
        return;
      }
      f.mem(isSigned ? "v128.load8x8_s" : "v128.load8x8_u", 0, 0);
      f.set(wide);
      sums.forEach((sum, half) => {
        f.get(wide);
        f.op(half === 0 ? "i32x4.extend_low_i16x8_s" : "i32x4.extend_high_i16x8_s");
        f.get(sum);
        f.op("i32x4.add");
        f.set(sum);
      });
    },
    finish(out, group) {
      for (const sum of used(group)) finishOne(sum);
      emitNarrow(f, used(group), data, wide);
      f.get(out);
      f.get(wide);
      if (group === 1) f.memLane("v128.store8_lane", 0);
      else f.memLane("v128.store64_lane", 0, 0, 0);
    },
  };
}

/**
 * sum = clamp(trunc((sum ± count/2) / count)), the sign that of the sum. Quotients of int32 are exact enough in float64
 * for the truncation to be right.
 */
function averaging({ f, low, high, count }: PoolFrame): (sum: Local) => void {
  const half = f.local("v128");
  const quotients = [f.local("v128"), f.local("v128")] as const;
  const LANES_2_3 = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
  return (sum) => {
    f.get(count);
    f.i32(1);
    f.op("i32.shr_u");
    f.op("i32x4.splat");
    f.set(half);
    f.get(sum);
    f.get(half);
    f.get(half);
    f.op("i32x4.neg");
    f.get(sum);
    f.i32(0);
    f.op("i32x4.splat");
    f.op("i32x4.gt_s");
    f.op("v128.bitselect");
    f.op("i32x4.add");
    f.set(sum);
    quotients.forEach((quotient, pair) => {
      f.get(sum);
      if (pair === 1) {
        f.get(sum);
        f.shuffle(LANES_2_3);
      }
      f.op("f64x2.convert_low_i32x4_s");
      f.get(count);
      f.op("f64.convert_i32_s");
      f.op("f64x2.splat");
      f.op("f64x2.div");
      f.op("i32x4.trunc_sat_f64x2_s_zero");
      f.set(quotient);
    });
    f.get(quotients[0]);
    f.get(quotients[1]);
    f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
    f.get(low);
    f.op("i32x4.max_s");
    f.get(high);
    f.op("i32x4.min_s");
    f.set(sum);
  };
}
