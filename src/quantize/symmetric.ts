/**
 * Symmetric weights: real = scale × q with q in −qmax … qmax and zero point 0, one scale per slice (whole tensor,
 * channel or block). The numbers are those of the TensorFlow 2.21 converter, to the bit
 * (compiler/mlir/lite/quantization/common/quantization_lib/quantization_utils.cc).
 */
import { type ErrorTally, newErrorTally } from "./error-tally.ts";
import type { FastRun } from "./fast-symmetric.ts";
import type { Slices } from "./slices.ts";

/** Ranges narrower than this are widened to it, so that a channel of zeros has a usable scale. */
const SMALLEST_RANGE = 1e-6;

/** The largest double below 1/2: adding it and cutting off the fraction rounds half away from zero, without the slip that 1/2 makes just below 1/2. */
const HALF = 0.49999999999999994;

/** Neighbours with one scale that are worth a call of emitted code. */
const FAST_RUN = 256;

/**
 * Scale of a symmetric range: 2·M / (2·qmax) in double precision, where M is the largest magnitude and 2·M is at
 * least 1e-6. The file stores it as float32; values are divided by the double.
 */
export function symmetricScale(largest: number, qmax: number): number {
  return Math.max(2 * largest, SMALLEST_RANGE) / (2 * qmax);
}

/**
 * q = clamp(round(v / scale), −qmax, qmax), half away from zero; NaN becomes 0. `scales` are the doubles of the
 * slices; errors are measured against the float32 that the file stores. `values` must be finite where errors matter.
 * Long runs go through `fastRun` where it is given; the integers are the same.
 */
export function quantizeSymmetric(
  values: Float32Array,
  { outer, slices, inner }: Slices,
  scales: Float64Array,
  qmax: number,
  out: Int8Array,
  fastRun?: FastRun,
): ErrorTally {
  const tally = newErrorTally();
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  const run = inner >= FAST_RUN ? fastRun : undefined;
  for (let o = 0; o < outer; o++) {
    const base = o * slices * inner;
    if (inner === 1) {
      quantizeColumns(values, words, base, scales, qmax, out, tally);
    } else {
      for (let s = 0; s < slices; s++) {
        const [from, end, scale] = [base + s * inner, base + (s + 1) * inner, scales[s]!];
        const start = run?.(values, from, end, scale, qmax, out, tally) ?? from;
        quantizeRun(values, words, start, end, scale, qmax, out, tally);
      }
    }
  }
  return tally;
}

/** Neighbours share one scale. The sign is put back with integer arithmetic: a branch on it would be mispredicted half of the time. */
function quantizeRun(
  values: Float32Array,
  words: Int32Array,
  start: number,
  end: number,
  scale: number,
  qmax: number,
  out: Int8Array,
  tally: ErrorTally,
): void {
  const stored = Math.fround(scale);
  const limit = qmax + 0.5;
  let signal = 0;
  let noise = 0;
  let largestError = tally.largestError;
  let clipped = 0;
  for (let index = start; index < end; index++) {
    const value = values[index]!;
    const steps = Math.abs(value) / scale;
    let q = qmax;
    if (steps >= limit) clipped++;
    else q = (steps + HALF) | 0;
    const sign = words[index]! >> 31;
    q = (q ^ sign) - sign;
    out[index] = q;
    const error = Math.abs(value - q * stored);
    signal += value * value;
    noise += error * error;
    if (error > largestError) largestError = error;
  }
  tally.signal += signal;
  tally.noise += noise;
  tally.largestError = largestError;
  tally.clipped += clipped;
}

/** Neighbours have different scales: the quantized axis is the last one. */
function quantizeColumns(
  values: Float32Array,
  words: Int32Array,
  start: number,
  scales: Float64Array,
  qmax: number,
  out: Int8Array,
  tally: ErrorTally,
): void {
  const limit = qmax + 0.5;
  let { signal, noise, largestError, clipped } = tally;
  for (let s = 0, index = start; s < scales.length; s++, index++) {
    const value = values[index]!;
    const scale = scales[s]!;
    const steps = Math.abs(value) / scale;
    let q = qmax;
    if (steps >= limit) clipped++;
    else q = (steps + HALF) | 0;
    const sign = words[index]! >> 31;
    q = (q ^ sign) - sign;
    out[index] = q;
    const error = Math.abs(value - q * Math.fround(scale));
    signal += value * value;
    noise += error * error;
    if (error > largestError) largestError = error;
  }
  tally.signal = signal;
  tally.noise = noise;
  tally.largestError = largestError;
  tally.clipped = clipped;
}
