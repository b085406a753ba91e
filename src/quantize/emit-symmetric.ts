/**
 * The inner loop of symmetric quantization as WebAssembly SIMD: eight values a turn, in double precision, with the very
 * steps of `quantizeRun` in `symmetric.ts`. Only the order in which the error sums are added differs.
 */
import type { FunctionBuilder, Local } from "../wasm/function-builder.ts";
import { ModuleBuilder } from "../wasm/module-builder.ts";

/** Values per turn; the function takes multiples of it. */
export const GROUP = 8;

/** Addresses in bytes. Writes float64[4] at `sums`: Σ v², Σ error², largest |error|, number clipped. */
export type SymmetricFunction = (
  values: number,
  count: number,
  out: number,
  sums: number,
  scale: number,
  stored: number,
  qmax: number,
) => void;

/** The largest double below 1/2: see `symmetric.ts`. */
const HALF = 0.49999999999999994;

interface Frame {
  readonly f: FunctionBuilder;
  readonly scale: Local;
  readonly stored: Local;
  /** qmax + 1/2: values of this many steps and more are clipped. */
  readonly limit: Local;
  /** qmax + 0.9, whose whole part is qmax. */
  readonly most: Local;
  readonly signal: Local;
  readonly noise: Local;
  readonly largest: Local;
  /** int64 counts. */
  readonly clipped: Local;
}

/** A module with the function "quantize" on an imported memory. */
export function emitSymmetric(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 1 });
  const params = ["i32", "i32", "i32", "i32", "f64", "f64", "f64"] as const;
  const f = module.function(params, [], "quantize");
  const [values, count, out, sums] = [0, 1, 2, 3].map((index) => f.param(index)) as [
    Local,
    Local,
    Local,
    Local,
  ];
  const frame: Frame = {
    f,
    scale: splat(f, f.param(4), 0),
    stored: splat(f, f.param(5), 0),
    limit: splat(f, f.param(6), 0.5),
    most: splat(f, f.param(6), 0.9),
    signal: f.local("v128"),
    noise: f.local("v128"),
    largest: f.local("v128"),
    clipped: f.local("v128"),
  };
  f.block((exit) => {
    f.loop((again) => {
      f.get(count);
      f.i32(0);
      f.op("i32.le_s");
      f.brIf(exit);
      f.get(out);
      emitFour(frame, values, 0);
      emitFour(frame, values, 16);
      f.op("i16x8.narrow_i32x4_s");
      narrowToBytes(f);
      f.memLane("v128.store64_lane", 0, 0, 0);
      add(f, values, 4 * GROUP);
      add(f, out, GROUP);
      add(f, count, -GROUP);
      f.br(again);
    });
  });
  emitSums(frame, sums);
  return module.finish();
}

function splat(f: FunctionBuilder, value: Local, offset: number): Local {
  const vector = f.local("v128");
  f.get(value);
  f.f64(offset);
  f.op("f64.add");
  f.op("f64x2.splat");
  f.set(vector);
  return vector;
}

function add(f: FunctionBuilder, target: Local, amount: number): void {
  f.get(target);
  f.i32(amount);
  f.op("i32.add");
  f.set(target);
}

/** Leaves int32[4] of signed steps for the four values at `values` + `offset`. */
function emitFour(frame: Frame, values: Local, offset: number): void {
  const { f } = frame;
  const [bits, sign, magnitudes] = [f.local("v128"), f.local("v128"), f.local("v128")];
  f.get(values);
  f.mem("v128.load", offset, 2);
  f.tee(bits);
  f.i32(31);
  f.op("i32x4.shr_s");
  f.set(sign);
  f.get(bits);
  f.op("f32x4.abs");
  f.set(magnitudes);
  emitTwo(frame, magnitudes, false);
  emitTwo(frame, magnitudes, true);
  f.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  f.get(sign);
  f.op("v128.xor");
  f.get(sign);
  f.op("i32x4.sub");
}

/** Leaves int32 steps of two magnitudes in the low half, and adds their errors to the sums. */
function emitTwo(frame: Frame, magnitudes: Local, high: boolean): void {
  const { f, scale, stored, limit, most, signal, noise, largest, clipped } = frame;
  const [value, steps, error] = [f.local("v128"), f.local("v128"), f.local("v128")];
  f.get(magnitudes);
  if (high) {
    f.get(magnitudes);
    f.shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  }
  f.op("f64x2.promote_low_f32x4");
  f.tee(value);
  f.get(scale);
  f.op("f64x2.div");
  f.set(steps);
  // A true comparison is −1 in 64 bits.
  accumulate(f, clipped, "i64x2.sub", () => {
    f.get(steps);
    f.get(limit);
    f.op("f64x2.ge");
  });
  f.get(steps);
  f.f64(HALF);
  f.op("f64x2.splat");
  f.op("f64x2.add");
  f.get(most);
  f.op("f64x2.pmin");
  f.op("f64x2.trunc");
  f.set(steps);
  f.get(value);
  f.get(steps);
  f.get(stored);
  f.op("f64x2.mul");
  f.op("f64x2.sub");
  f.set(error);
  accumulate(f, signal, "f64x2.add", () => square(f, value));
  accumulate(f, noise, "f64x2.add", () => square(f, error));
  accumulate(f, largest, "f64x2.pmax", () => {
    f.get(error);
    f.op("f64x2.abs");
  });
  f.get(steps);
  f.op("i32x4.trunc_sat_f64x2_s_zero");
}

function square(f: FunctionBuilder, value: Local): void {
  f.get(value);
  f.get(value);
  f.op("f64x2.mul");
}

function accumulate(
  f: FunctionBuilder,
  total: Local,
  op: "f64x2.add" | "f64x2.pmax" | "i64x2.sub",
  term: () => void,
): void {
  f.get(total);
  term();
  f.op(op);
  f.set(total);
}

/** [int16x8] → its elements as bytes in the low half. */
function narrowToBytes(f: FunctionBuilder): void {
  const words = f.local("v128");
  f.tee(words);
  f.get(words);
  f.op("i8x16.narrow_i16x8_s");
}

function emitSums({ f, signal, noise, largest, clipped }: Frame, sums: Local): void {
  const store = (offset: number, total: Local, op: "f64.add" | "f64.max") => {
    f.get(sums);
    f.get(total);
    f.lane("f64x2.extract_lane", 0);
    f.get(total);
    f.lane("f64x2.extract_lane", 1);
    f.op(op);
    f.mem("f64.store", offset);
  };
  store(0, signal, "f64.add");
  store(8, noise, "f64.add");
  store(16, largest, "f64.max");
  f.get(sums);
  f.get(clipped);
  f.lane("i64x2.extract_lane", 0);
  f.get(clipped);
  f.lane("i64x2.extract_lane", 1);
  f.op("i64.add");
  f.op("f64.convert_i64_s");
  f.mem("f64.store", 24);
}
