/**
 * Quantizing activations on the fly, for operators with int8 weights and float activations ("hybrid", "dynamic range").
 * The law is that of the x86 and ARM builds of TensorFlow Lite 2.21 (optimized/neon_tensor_utils.cc): products are
 * rounded in groups of 8 by adding ±0.5 in float32 and truncating, the rest of a vector half away from zero. The
 * portable build differs in the last step: it adds the zero point before it rounds.
 */
import { roundHalfAway } from "../../base/rounding.ts";

/** How a vector was quantized: real ≈ scale × (q − zeroPoint). */
export interface QuantizedVector {
  readonly scale: number;
  readonly zeroPoint: number;
}

const { fround } = Math;

/**
 * Writes q − zeroPoint of `count` floats from `at` on to `centered[0..count)`, which is what integer products need:
 * padding is then 0 and no row sums are. Symmetric: scale = max|v| / 127; asymmetric: range with 0, 255 steps.
 */
export function quantizeVector(
  values: Float32Array,
  at: number,
  count: number,
  asymmetric: boolean,
  centered: Float64Array,
): QuantizedVector {
  const [min, max] = extremesOf(values, at, count);
  const parameters = (asymmetric ? asymmetricParameters : symmetricParameters)(min, max);
  const { inverse, low, high } = parameters;
  if (inverse === 0) {
    centered.fill(0, 0, count);
    return parameters;
  }
  roundProducts(values, at, count, inverse, centered);
  for (let i = 0; i < count; i++) centered[i] = Math.max(low, Math.min(high, centered[i]));
  return parameters;
}

/** What quantizing needs to know: q − zeroPoint = clamp(round(v × inverse), low, high). */
export interface ActivationParameters extends QuantizedVector {
  /** 0 for a vector of zeros, whose scale is 1. */
  readonly inverse: number;
  readonly low: number;
  readonly high: number;
}

/** scale = range / 127, inverse = 127 / range, from the extremes of a vector, 0 among them. */
export function symmetricParameters(min: number, max: number): ActivationParameters {
  const range = Math.max(-min, max);
  const bounds = { zeroPoint: 0, low: -127, high: 127 };
  if (range === 0) return { ...bounds, scale: 1, inverse: 0 };
  return { ...bounds, scale: fround(range / 127), inverse: fround(127 / range) };
}

/** scale = (max − min) / 255 from the extremes of a vector, 0 among them. */
export function asymmetricParameters(min: number, max: number): ActivationParameters {
  if (min === max) return { scale: 1, zeroPoint: 0, inverse: 0, low: -128, high: 127 };
  const step = fround(max - min) / 255;
  const zeroPoint = asymmetricZeroPoint(min / step, max / step);
  const scale = fround(step);
  const inverse = scale === 0 ? 0 : fround(1 / scale);
  return { scale, zeroPoint, inverse, low: -128 - zeroPoint, high: 127 - zeroPoint };
}

function extremesOf(
  values: Float32Array,
  at: number,
  count: number,
): readonly [min: number, max: number] {
  let min = 0;
  let max = 0;
  for (let i = at; i < at + count; i++) {
    const value = values[i];
    if (value < min) min = value;
    else if (value > max) max = value;
  }
  return [min, max];
}

/** The int8 zero point for a range given in steps, from whichever end of the range is nearer to 0. */
function asymmetricZeroPoint(minSteps: number, maxSteps: number): number {
  const fromMin = -128 - minSteps;
  const fromMax = 127 - maxSteps;
  const zeroPoint = 128 + Math.abs(minSteps) < 127 + Math.abs(maxSteps) ? fromMin : fromMax;
  return Math.max(-128, Math.min(127, roundHalfAway(zeroPoint)));
}

function roundProducts(
  values: Float32Array,
  at: number,
  count: number,
  factor: number,
  rounded: Float64Array,
): void {
  const grouped = count - (count % 8);
  for (let i = 0; i < grouped; i++) {
    const product = fround(values[at + i] * factor);
    rounded[i] = Math.trunc(fround(product + (product < 0 ? -0.5 : 0.5)));
  }
  for (let i = grouped; i < count; i++) {
    rounded[i] = roundHalfAway(fround(values[at + i] * factor));
  }
}
