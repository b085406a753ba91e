/**
 * The weight formulas of TensorFlow 1.13 (lite/tools/optimize/quantize_weights.cc and
 * lite/kernels/internal/reference/portable_tensor_utils.cc), all in single precision. That release stored the signed
 * bytes under the type uint8; here they are stored as int8, which today's interpreters read.
 */
import { type ErrorTally, newErrorTally } from "./error-tally.ts";

const HALF = 0.5;

/** Rounds half away from zero; exact for the float32 products that come here. */
function roundAway(value: number): number {
  return value < 0 ? -Math.floor(HALF - value) : Math.floor(value + HALF);
}

/**
 * Per-tensor symmetric: s = f32(largest / 127), q = clamp(round(f32(v · f32(127 / largest))), −127, 127), half away
 * from zero; a tensor of zeros has scale 1.
 */
export function quantizeSymmetricR113(
  values: Float32Array,
  largest: number,
  out: Int8Array,
): { scale: Float32Array; tally: ErrorTally } {
  const tally = newErrorTally();
  if (largest === 0) return { scale: Float32Array.of(1), tally };
  const scale = Math.fround(largest / 127);
  const inverse = Math.fround(127 / largest);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    const q = Math.max(-127, Math.min(127, roundAway(Math.fround(value * inverse))));
    out[index] = q;
    addError(tally, value, q * scale);
  }
  return { scale: Float32Array.of(scale), tally };
}

/**
 * Per-tensor asymmetric uint8: s = (max − min) / 255; of the zero points that min and max ask for, the one with the
 * smaller error is rounded and clamped to 0 … 255; q = round(z + v / s). The range is widened to contain 0, and q is
 * clamped: the original does neither, and its bytes wrap around where all weights have one sign. Zeros only: s = 0.
 */
export function quantizeAsymmetricR113(values: Float32Array): {
  bytes: Uint8Array;
  scale: Float32Array;
  zeroPoint: number[];
  tally: ErrorTally;
} {
  let min = 0;
  let max = 0;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const scale = Math.fround(Math.fround(max - min) / 255);
  const zeroPoint = zeroPointR113(min, max, scale);
  const inverse = scale === 0 ? 0 : 1 / scale;
  const tally = newErrorTally();
  const bytes = new Uint8Array(values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    const q = Math.max(0, Math.min(255, roundAway(Math.fround(zeroPoint + inverse * value))));
    bytes[index] = q;
    addError(tally, value, scale * (q - zeroPoint));
  }
  return { bytes, scale: Float32Array.of(scale), zeroPoint: [zeroPoint], tally };
}

function zeroPointR113(min: number, max: number, scale: number): number {
  if (scale === 0) return 0;
  const fromMin = Math.fround(0 - min / scale);
  const fromMax = Math.fround(255 - max / scale);
  const errorFromMin = Math.abs(min / scale);
  const errorFromMax = 255 + Math.abs(max / scale);
  const chosen = errorFromMin < errorFromMax ? fromMin : fromMax;
  return Math.max(0, Math.min(255, roundAway(chosen)));
}

function addError(tally: ErrorTally, value: number, stored: number): void {
  const error = Math.abs(value - stored);
  tally.signal += value * value;
  tally.noise += error * error;
  if (error > tally.largestError) tally.largestError = error;
}
