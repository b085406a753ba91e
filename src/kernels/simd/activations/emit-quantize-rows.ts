/**
 * Emits the quantization of rows of floats, each with a scale of its own: range, parameters (`reference/hybrid.ts` has
 * the formulas; they are in float64 there and here) and the pass of `emit-quantize.ts`, without a return to the caller
 * between them. Short vectors spend most of their time there.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import { emitQuantizeOf, type QuantizeVariant, quantizeName } from "./emit-quantize.ts";
import { emitRangeOf } from "./emit-range.ts";

export interface QuantizeRowsVariant extends QuantizeVariant {
  readonly asymmetric: boolean;
  /** What an int8 zero point becomes in the storage by addition; undefined where none is kept. */
  readonly storedZero: number | undefined;
}

export function quantizeRowsName(variant: QuantizeRowsVariant): string {
  return `${quantizeName(variant)}-rows-${variant.asymmetric ? "asymmetric" : "symmetric"}`;
}

/**
 * Addresses and `targetStride` in bytes, `count` floats a row. Writes float32[rows] at `scales` and int32[rows], the zero
 * points that the storage keeps, at `zeroPoints`. `range`: 8 bytes of its own.
 */
export type QuantizeRowsFunction = (
  source: number,
  count: number,
  target: number,
  targetStride: number,
  rows: number,
  scales: number,
  zeroPoints: number,
  range: number,
) => void;

/** What the parameters of a row become, float64. */
interface Parameters {
  readonly scale: Local;
  readonly inverse: Local;
  readonly zeroPoint: Local;
}

/**
 * Adds the function to `module`. It holds the passes instead of calling them: V8 14 ends the process when it compiles
 * functions with calls at once, without a first, quick compilation (`runtime/compile.ts`).
 */
export function emitQuantizeRows(module: ModuleBuilder, variant: QuantizeRowsVariant): void {
  const f = module.function(Array<"i32">(8).fill("i32"), [], quantizeRowsName(variant));
  const [source, count, target, stride, rows, scales, zeroPoints, range] = Array.from(
    { length: 8 },
    (_, index) => f.param(index),
  ) as Local[];
  const parameters = { scale: f.local("f64"), inverse: f.local("f64"), zeroPoint: f.local("f64") };
  const { asymmetric, storedZero } = variant;
  const emitStored = () => {
    if (storedZero === undefined) {
      f.i32(0);
      return;
    }
    f.get(parameters.zeroPoint);
    f.op("i32.trunc_sat_f64_s");
    f.i32(storedZero);
    f.op("i32.add");
  };
  const make = (type: "i32" | "f32") => f.local(type);
  const row = { source: make("i32"), count: make("i32"), target: make("i32") };
  const numbers = { inverse: make("f32"), low: make("f32"), high: make("f32") };
  const stored = make("i32");
  const startRow = () => {
    emitCopy(f, source, row.source);
    emitCopy(f, count, row.count);
  };
  emitCountdown(f, rows, 1, () => {
    startRow();
    emitRangeOf(f, { source: row.source, count: row.count, result: range });
    if (asymmetric) emitAsymmetric(f, range, parameters);
    else emitSymmetric(f, range, parameters);
    f.get(scales);
    f.get(parameters.scale);
    f.op("f32.demote_f64");
    f.mem("f32.store");
    emitStored();
    f.set(stored);
    f.get(zeroPoints);
    f.get(stored);
    f.mem("i32.store");
    f.get(parameters.inverse);
    f.op("f32.demote_f64");
    f.set(numbers.inverse);
    for (const [bound, into] of [
      [asymmetric ? -128 : -127, numbers.low],
      [127, numbers.high],
    ] as const) {
      f.f64(bound);
      f.get(parameters.zeroPoint);
      f.op("f64.sub");
      f.op("f32.demote_f64");
      f.set(into);
    }
    startRow();
    emitCopy(f, target, row.target);
    emitQuantizeOf(f, variant, { ...row, ...numbers, stored });
    emitAdvance(f, source, count, 4);
    emitAdvance(f, target, stride, 1);
    for (const pointer of [scales, zeroPoints]) emitAddTo(f, pointer, 4);
  });
}

/** Emits [] → min or max of the row. */
function emitExtreme(f: FunctionBuilder, range: Local, which: "min" | "max"): void {
  f.get(range);
  f.mem("f32.load", which === "min" ? 0 : 4);
  f.op("f64.promote_f32");
}

/** scale = largest magnitude / 127, inverse = 127 / largest magnitude; 1 and 0 for zeros. */
function emitSymmetric(
  f: FunctionBuilder,
  range: Local,
  { scale, inverse, zeroPoint }: Parameters,
): void {
  const largest = f.local("f64");
  emitExtreme(f, range, "min");
  f.op("f64.neg");
  emitExtreme(f, range, "max");
  f.op("f64.max");
  f.set(largest);
  f.f64(0);
  f.set(zeroPoint);
  f.get(largest);
  f.f64(0);
  f.op("f64.eq");
  f.if(
    () => emitZeros(f, scale, inverse),
    () => {
      f.get(largest);
      f.f64(127);
      f.op("f64.div");
      f.set(scale);
      f.f64(127);
      f.get(largest);
      f.op("f64.div");
      f.set(inverse);
    },
  );
}

/** scale = (max − min) / 255, and the zero point from the end of the range that is nearer to 0. */
function emitAsymmetric(
  f: FunctionBuilder,
  range: Local,
  { scale, inverse, zeroPoint }: Parameters,
): void {
  const steps = { min: f.local("f64"), max: f.local("f64") };
  const ends = [
    { which: "min", end: -128 },
    { which: "max", end: 127 },
  ] as const;
  emitExtreme(f, range, "min");
  emitExtreme(f, range, "max");
  f.op("f64.eq");
  f.if(
    () => {
      emitZeros(f, scale, inverse);
      f.f64(0);
      f.set(zeroPoint);
    },
    () => {
      emitExtreme(f, range, "max");
      emitExtreme(f, range, "min");
      f.op("f64.sub");
      f.op("f32.demote_f64");
      f.op("f64.promote_f32");
      f.f64(255);
      f.op("f64.div");
      f.set(scale);
      for (const { which } of ends) {
        emitExtreme(f, range, which);
        f.get(scale);
        f.op("f64.div");
        f.set(steps[which]);
      }
      for (const { which, end } of ends) {
        f.f64(end);
        f.get(steps[which]);
        f.op("f64.sub");
      }
      for (const { which, end } of ends) {
        f.get(steps[which]);
        f.op("f64.abs");
        f.f64(Math.abs(end));
        f.op("f64.add");
      }
      f.op("f64.lt");
      f.select();
      emitRoundAndClamp(f, zeroPoint);
      emitInverse(f, scale, inverse);
    },
  );
}

/** Emits [v] → []: zeroPoint = v rounded half away from zero, from −128 to 127. */
function emitRoundAndClamp(f: FunctionBuilder, zeroPoint: Local): void {
  f.set(zeroPoint);
  f.get(zeroPoint);
  f.op("f64.trunc");
  f.get(zeroPoint);
  f.get(zeroPoint);
  f.op("f64.trunc");
  f.op("f64.sub");
  f.f64(2);
  f.op("f64.mul");
  f.op("f64.trunc");
  f.op("f64.add");
  f.f64(127);
  f.op("f64.min");
  f.f64(-128);
  f.op("f64.max");
  f.set(zeroPoint);
}

/** inverse = 1 / f32(scale), 0 where that scale is 0. */
function emitInverse(f: FunctionBuilder, scale: Local, inverse: Local): void {
  f.get(scale);
  f.op("f32.demote_f64");
  f.op("f64.promote_f32");
  f.set(scale);
  f.f64(0);
  f.f64(1);
  f.get(scale);
  f.op("f64.div");
  f.get(scale);
  f.f64(0);
  f.op("f64.eq");
  f.select();
  f.set(inverse);
}

function emitZeros(f: FunctionBuilder, scale: Local, inverse: Local): void {
  f.f64(1);
  f.set(scale);
  f.f64(0);
  f.set(inverse);
}
