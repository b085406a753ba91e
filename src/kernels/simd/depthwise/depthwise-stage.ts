/**
 * What becomes of the sums of a depthwise convolution. Columns are arrays with one number per channel, of 32 bits or in
 * `smallSums` of 64 bits, stored one behind the other:
 *
 * - f32 [bias]: clamp(sum + bias);
 * - qd8 [scales, bias]: clamp((sum · scale) · parameter + bias), parameter = scale of the input;
 * - qs8, qu8 [multipliers, exponents, bias], all int32: clamp(requantize(sum + bias) + parameter) as bytes,
 *   parameter = zero point of the output (`emit-requantize.ts`); with small sums [factors, offsets, steps]. Ties of the second rounding go up in qs8 for channels
 *   in groups of eight, and away from zero for the rest of them and in qu8 (`reference/output-stage.ts`).
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import {
  emitHighMultiply,
  emitIntegerClamp,
  emitNarrow,
  emitRequantizeSmall,
} from "../emit-requantize.ts";
import type { DepthwiseGeometry } from "./emit-depthwise.ts";

export interface DepthwiseStage {
  /** Bytes of an element of the output. */
  readonly outputBytes: number;
  /** Turns sums[pixel][vector] of `lanes` channels into output elements and stores them. */
  finish(sums: readonly (readonly Local[])[], lanes: number): void;
}

/** Registers that a stage works with; `parameter`, `low` and `high` are splats. */
export interface StageOperands {
  readonly columns: Local;
  readonly out: Local;
  /** Byte offset of the current channel among 32-bit numbers. */
  readonly channel: Local;
  /** For addresses of the current channel in columns and output. */
  readonly columnsAt: Local;
  readonly outAt: Local;
  readonly parameter: Local;
  readonly low: Local;
  readonly high: Local;
}

/** Bytes from one column to the next. */
export function columnBytes(channels: number): number {
  return Math.ceil((channels * 4) / 64) * 64;
}

export function stageOf(
  f: FunctionBuilder,
  geometry: DepthwiseGeometry,
  operands: StageOperands,
): DepthwiseStage {
  switch (geometry.data) {
    case "f32":
    case "qd8":
      return floatStage(f, geometry, operands);
    case "qs8":
    case "qu8":
      return integerStage(f, geometry, operands);
  }
}

function floatStage(
  f: FunctionBuilder,
  { data, channels }: DepthwiseGeometry,
  operands: StageOperands,
): DepthwiseStage {
  return {
    outputBytes: 4,
    finish(sums, lanes) {
      const operand = vectorsFor(f, lanes);
      setAddresses(f, operands, 4);
      if (data === "qd8") {
        loadColumn(f, operands, 0, lanes, operand);
        forEachSum(sums, (sum, vector) => {
          f.get(sum);
          f.get(operand[vector]);
          f.op("f32x4.mul");
          f.get(operands.parameter);
          f.op("f32x4.mul");
          f.set(sum);
        });
      }
      loadColumn(f, operands, data === "qd8" ? columnBytes(channels) : 0, lanes, operand);
      forEachSum(sums, (sum, vector) => {
        f.get(sum);
        f.get(operand[vector]);
        f.op("f32x4.add");
        f.get(operands.low);
        f.op("f32x4.pmax");
        f.get(operands.high);
        f.op("f32x4.pmin");
        f.set(sum);
      });
      sums.forEach((pixel, index) => {
        pixel.forEach((sum, vector) => {
          f.get(operands.outAt);
          f.get(sum);
          const offset = index * channels * 4 + 16 * vector;
          if (lanes === 1) f.memLane("v128.store32_lane", 0, offset);
          else f.mem("v128.store", offset, 2);
        });
      });
    },
  };
}

function integerStage(
  f: FunctionBuilder,
  geometry: DepthwiseGeometry,
  operands: StageOperands,
): DepthwiseStage {
  const { data, channels } = geometry;
  const bounds = {
    zeroPoint: truncated(f, operands.parameter),
    low: truncated(f, operands.low),
    high: truncated(f, operands.high),
  };
  const wide = [f.local("v128"), f.local("v128")] as const;
  return {
    outputBytes: 1,
    finish(sums, lanes) {
      setAddresses(f, operands, 1);
      const away = data === "qu8" || lanes < 8;
      if (geometry.smallSums) requantizeSmall(f, geometry, operands, { sums, lanes, away, wide });
      else requantize(f, geometry, operands, { sums, lanes, away, wide });
      forEachSum(sums, (sum) => emitIntegerClamp(f, sum, bounds));
      const store =
        lanes === 1 ? "v128.store8_lane" : lanes === 4 ? "v128.store32_lane" : "v128.store64_lane";
      sums.forEach((pixel, index) => {
        emitNarrow(f, pixel, data === "qs8" ? "int8" : "uint8", pixel[0]);
        f.get(operands.outAt);
        f.get(pixel[0]);
        f.memLane(store, 0, index * channels, 0);
      });
    },
  };
}

interface Requantized {
  readonly sums: readonly (readonly Local[])[];
  readonly lanes: number;
  /** Whether ties of the second rounding go away from zero. */
  readonly away: boolean;
  readonly wide: readonly [Local, Local];
}

function requantize(
  f: FunctionBuilder,
  { channels }: DepthwiseGeometry,
  operands: StageOperands,
  { sums, lanes, away, wide }: Requantized,
): void {
  const operand = vectorsFor(f, lanes);
  const step = columnBytes(channels);
  loadColumn(f, operands, 2 * step, lanes, operand);
  forEachSum(sums, (sum, vector) => {
    f.get(sum);
    f.op("i32x4.trunc_sat_f32x4_s");
    f.get(operand[vector]);
    f.op("i32x4.add");
    f.set(sum);
  });
  for (const column of [0, step]) {
    loadColumn(f, operands, column, lanes, operand);
    forEachSum(sums, (sum, vector) => {
      f.get(sum);
      if (away && column === step) emitTowardsAway(f, sum);
      f.get(operand[vector]);
      emitHighMultiply(f, wide);
      f.set(sum);
    });
  }
}

function requantizeSmall(
  f: FunctionBuilder,
  { channels, relaxed }: DepthwiseGeometry,
  operands: StageOperands,
  { sums, lanes, away, wide }: Requantized,
): void {
  const step = 2 * columnBytes(channels);
  const pair = () => [f.local("v128"), f.local("v128")] as const;
  const [factors, offsets, steps] = [pair(), pair(), pair()];
  // Doubles of the current channel are at columns + 2 · channel.
  f.get(operands.columnsAt);
  f.get(operands.channel);
  f.op("i32.add");
  f.set(operands.columnsAt);
  for (let vector = 0; vector < Math.max(1, lanes / 4); vector++) {
    const load = (column: number, into: readonly Local[]) => {
      into.forEach((half, index) => {
        f.get(operands.columnsAt);
        const offset = column * step + 32 * vector + 16 * index;
        if (lanes > 1) f.mem("v128.load", offset, 3);
        else f.mem("v128.load64_zero", column * step, 3);
        f.set(half);
      });
    };
    load(0, factors);
    load(1, offsets);
    if (away) load(2, steps);
    for (const pixel of sums) {
      const columns = { factors, offsets, ...(away ? { steps } : {}) };
      const sum = pixel[vector] as Local;
      emitRequantizeSmall(f, sum, columns, { from: "float32", relaxed, halves: wide });
    }
  }
}

/** Sets the addresses of the current channel; elements of the output have `outputBytes` bytes. */
function setAddresses(
  f: FunctionBuilder,
  { columns, columnsAt, out, outAt, channel }: StageOperands,
  outputBytes: 1 | 4,
): void {
  f.get(columns);
  f.get(channel);
  f.op("i32.add");
  f.set(columnsAt);
  f.get(out);
  f.get(channel);
  if (outputBytes === 1) {
    f.i32(2);
    f.op("i32.shr_u");
  }
  f.op("i32.add");
  f.set(outAt);
}

/** [p] → p − (p < 0 ? 1 : 0), so that rounding half up afterwards rounds half away from zero. `p` holds it too. */
function emitTowardsAway(f: FunctionBuilder, p: Local): void {
  f.get(p);
  f.i32(31);
  f.op("i32x4.shr_s");
  f.op("i32x4.add");
}

function truncated(f: FunctionBuilder, value: Local): Local {
  const vector = f.local("v128");
  f.get(value);
  f.op("i32x4.trunc_sat_f32x4_s");
  f.set(vector);
  return vector;
}

function vectorsFor(f: FunctionBuilder, lanes: number): readonly Local[] {
  return Array.from({ length: Math.max(1, lanes / 4) }, () => f.local("v128"));
}

function forEachSum(
  sums: readonly (readonly Local[])[],
  visit: (sum: Local, vector: number) => void,
): void {
  for (const pixel of sums) for (const [vector, sum] of pixel.entries()) visit(sum, vector);
}

/** Loads `lanes` numbers of the column at byte `offset`, for the current channel. */
function loadColumn(
  f: FunctionBuilder,
  { columnsAt }: StageOperands,
  offset: number,
  lanes: number,
  into: readonly Local[],
): void {
  into.forEach((vector, index) => {
    f.get(columnsAt);
    if (lanes === 1) f.mem("v128.load32_zero", offset);
    else f.mem("v128.load", offset + 16 * index, 2);
    f.set(vector);
  });
}
