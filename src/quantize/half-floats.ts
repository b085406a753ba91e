/** float16 storage: clamp(v, −65504, 65504), then the nearest half float, ties to even (prepare_quantize_dynamic_range.cc). */
import { FLOAT16_MAX, narrowFloat16, widenFloat16 } from "../base/float16.ts";
import { type ErrorTally, newErrorTally } from "./error-tally.ts";

/** Elements converted at a time: the intermediate arrays stay in the processor's cache. */
const CHUNK = 4096;

/** float32 bits of 65504 and of infinity. */
const LARGEST_BITS = 0x477fe000;
const INFINITY_BITS = 0x7f800000;

export interface HalfFloats {
  readonly bytes: Uint8Array;
  readonly tally: ErrorTally;
  readonly nan: number;
  readonly infinite: number;
}

/** Narrows values to half floats; NaN stays NaN, everything beyond ±65504 is clamped to it and counted as clipped. */
export function toHalfFloats(values: Float32Array): HalfFloats {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  const clamped = new Float32Array(CHUNK);
  const clampedWords = new Int32Array(clamped.buffer);
  const widened = new Float32Array(CHUNK);
  const tally = newErrorTally();
  let nan = 0;
  let infinite = 0;
  for (let start = 0; start < values.length; start += CHUNK) {
    const count = Math.min(CHUNK, values.length - start);
    for (let index = 0; index < count; index++) {
      // Clamped by their bits: arithmetic would not keep the payload of a NaN.
      const word = words[start + index]!;
      const magnitude = word & 0x7fffffff;
      if (magnitude > INFINITY_BITS) nan++;
      else if (magnitude === INFINITY_BITS) infinite++;
      const beyond = magnitude > LARGEST_BITS && magnitude <= INFINITY_BITS;
      clampedWords[index] = beyond ? (word & ~0x7fffffff) | LARGEST_BITS : word;
    }
    const stored = bits.subarray(start, start + count);
    narrowFloat16(clamped.subarray(0, count), stored);
    widenFloat16(stored, widened);
    tallyErrors(values, widened, start, count, tally);
  }
  return { bytes: new Uint8Array(bits.buffer), tally, nan, infinite };
}

/** Adds up what rounding did to the finite values. */
function tallyErrors(
  values: Float32Array,
  stored: Float32Array,
  start: number,
  count: number,
  tally: ErrorTally,
): void {
  for (let index = 0; index < count; index++) {
    const value = values[start + index]!;
    const error = Math.abs(value - stored[index]!);
    if (!(error < Number.POSITIVE_INFINITY)) continue;
    tally.signal += value * value;
    tally.noise += error * error;
    if (error > tally.largestError) tally.largestError = error;
    if (Math.abs(value) > FLOAT16_MAX) tally.clipped++;
  }
}
