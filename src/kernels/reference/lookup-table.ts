/**
 * Functions of one quantized tensor by table, as TensorFlow Lite 2.21 (kernels/internal/common.h) builds them: one entry
 * per value of an 8-bit type; 513 entries for int16, read with linear interpolation. Steps are in float32, but those of
 * the tables of SOFTMAX in float64.
 */
import { roundHalfAway } from "../../base/rounding.ts";
import type { PerTensorQuantization } from "../require.ts";
import { quantizedRange } from "./fixed-point.ts";

const { fround } = Math;

/** Maps a stored integer to a stored integer. */
export type IntegerFunction = (q: number) => number;

function clamp(value: number, min: number, max: number): number {
  return value < min ? min : value > max ? max : value;
}

/**
 * The table of a real function f for an 8-bit type: out[q] = clamp(round(f(s·(q − z)) · (1/s')) + z').
 */
export function byteTable(
  dtype: "int8" | "uint8",
  from: PerTensorQuantization,
  to: PerTensorQuantization,
  f: (x: number) => number,
): IntegerFunction {
  const { min, max } = quantizedRange(dtype);
  const inverse = fround(1 / to.scale);
  const table = new Int16Array(max - min + 1);
  for (let q = min; q <= max; q++) {
    const y = fround(f(fround(from.scale * (q - from.zeroPoint))));
    const quantized = roundHalfAway(fround(y * inverse)) + to.zeroPoint;
    table[q - min] = clamp(quantized, min, max);
  }
  return (q) => table[q - min];
}

const STEPS = 512;

/** The table of a real function for int16, from the ranges that the two quantizations span. */
export function int16Table(
  from: PerTensorQuantization,
  to: PerTensorQuantization,
  f: (x: number) => number,
): IntegerFunction {
  const outputMin = fround(to.scale * (-32768 - to.zeroPoint));
  const outputMax = fround(to.scale * (32767 - to.zeroPoint));
  return int16TableOver(
    fround(from.scale * (-32768 - from.zeroPoint)),
    fround(from.scale * (32767 - from.zeroPoint)),
    fround(65536 / fround(outputMax - outputMin)),
    f,
    fround,
  );
}

/**
 * The table of a real function for int16 from inputMin to inputMax; a real 1 is stored as `toStored`. Each entry is the
 * function at the start of its step, moved by half the error that interpolation would make in the middle of the step.
 * `rounded` is the arithmetic: fround for float32, the identity for float64.
 */
export function int16TableOver(
  inputMin: number,
  inputMax: number,
  toStored: number,
  f: (x: number) => number,
  rounded: (x: number) => number,
): IntegerFunction {
  const table = new Int16Array(STEPS + 1);
  const step = rounded(rounded(inputMax - inputMin) / STEPS);
  const halfStep = rounded(step / 2);
  const scaled = (x: number) => rounded(rounded(f(x)) * toStored);
  for (let i = 0; i < STEPS; i++) {
    const start = rounded(inputMin + rounded(i * step));
    const sample = roundHalfAway(scaled(start));
    const next = scaled(rounded(inputMin + rounded((i + 1) * step)));
    const interpolated = roundHalfAway(rounded(rounded(next + sample) / 2));
    const middle = roundHalfAway(scaled(rounded(start + halfStep)));
    const bias = roundHalfAway(rounded(rounded(interpolated - middle) / 2));
    table[i] = clamp(sample - bias, -32768, 32767);
  }
  table[STEPS] = clamp(roundHalfAway(scaled(inputMax)), -32768, 32767);
  return (q) => {
    const index = 256 + (q >> 7);
    const base = table[index];
    const slope = ((table[index + 1] - base) << 16) >> 16;
    return base + ((slope * (q & 127) + 64) >> 7);
  };
}
