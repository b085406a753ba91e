/**
 * float16 storage: clamp(v, −65504, 65504), then the nearest half float, ties to even; NaN stays NaN
 * (compiler/mlir/lite/transforms/prepare_quantize_dynamic_range.cc).
 */
import { fromFloat16, toFloat16 } from "../base/float16.ts";
import { type ErrorTally, newErrorTally } from "./error-tally.ts";

/** float32 bits: half of the smallest half float, the smallest normal one, 65504, and infinity. */
const VANISHING_BITS = 0x33000000;
const SMALLEST_NORMAL_BITS = 0x38800000;
const LARGEST_BITS = 0x477fe000;
const INFINITY_BITS = 0x7f800000;
/** What the exponents of float32 and float16 differ by, in float32 bits. */
const REBIAS = 0x38000000;

/** 2⁴² + 1: v·c − (v·c − v) is v rounded to 11 significant bits in double arithmetic (Veltkamp's splitting). */
const SPLITTER = 4398046511105;

const FLOAT16_LARGEST_BITS = 0x7bff;

export interface HalfFloats {
  readonly bytes: Uint8Array;
  readonly tally: ErrorTally;
  readonly nan: number;
  readonly infinite: number;
}

/**
 * Narrows values to half floats, into `into` or new memory. What is beyond ±65504 is counted as clipped; NaN and
 * infinities are counted, and left out of the errors.
 */
export function toHalfFloats(
  values: Float32Array,
  into: Uint8Array = new Uint8Array(2 * values.length),
): HalfFloats {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(into.buffer, into.byteOffset, values.length);
  const tally = newErrorTally();
  let nan = 0;
  let infinite = 0;
  let { signal, noise, largestError } = tally;
  for (let index = 0; index < values.length; index++) {
    const word = words[index]!;
    const magnitude = word & 0x7fffffff;
    const value = values[index]!;
    let error: number;
    if (magnitude >= SMALLEST_NORMAL_BITS && magnitude <= LARGEST_BITS) {
      const rebased = magnitude - REBIAS;
      bits[index] = ((word >>> 16) & 0x8000) | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13);
      const split = value * SPLITTER;
      error = Math.abs(value - (split - (split - value)));
    } else {
      bits[index] = narrowRare(value, word, magnitude);
      if (magnitude > INFINITY_BITS) nan++;
      else if (magnitude === INFINITY_BITS) infinite++;
      if (magnitude >= INFINITY_BITS) continue;
      if (magnitude > LARGEST_BITS) tally.clipped++;
      error = Math.abs(value - fromFloat16(bits[index]!));
    }
    signal += value * value;
    noise += error * error;
    if (error > largestError) largestError = error;
  }
  Object.assign(tally, { signal, noise, largestError });
  return { bytes: into, tally, nan, infinite };
}

/** Whatever is not a normal half float: too small, too large, NaN. */
function narrowRare(value: number, word: number, magnitude: number): number {
  const sign = (word >>> 16) & 0x8000;
  if (magnitude > INFINITY_BITS) {
    // By its bits: as a number, a NaN would lose the payload that the official tools keep.
    return sign | 0x7e00 | ((magnitude & 0x7fffff) >> 13);
  }
  if (magnitude < VANISHING_BITS) return sign;
  return magnitude > LARGEST_BITS ? sign | FLOAT16_LARGEST_BITS : toFloat16(value);
}
