/**
 * Bounds of symmetric ranges that are smaller than the largest magnitude: clipping a few outliers makes the steps
 * finer for all others, which pays at low bit widths.
 */
import type { Slices } from "./slices.ts";
import type { RangeMethod } from "./weight-format.ts";

/** Largest double below 1/2: rounds half away from zero, as the stored values are rounded. */
const HALF = 0.49999999999999994;

/** Shares of the largest magnitude that the search tries first, and the finer steps around the best of them. */
const COARSE_STEP = 0.05;
const SMALLEST_SHARE = 0.2;
const FINE_STEP = 0.01;

/** The iteration converges quadratically: it is at its fixed point long before this. */
const OCTAV_ITERATIONS = 20;

/**
 * The bound of every slice. `largest` are the largest magnitudes, which are also the upper limits; `values` are
 * finite; integers go from −qmax to qmax.
 */
export function findBounds(
  method: RangeMethod,
  values: Float32Array,
  slices: Slices,
  largest: Float64Array,
  qmax: number,
): Float64Array {
  if (method === "min_max") return largest;
  const slice = new Float32Array(slices.outer * slices.inner);
  return largest.map((limit, index) => {
    if (limit === 0) return 0;
    collectMagnitudes(values, slices, index, slice);
    return method === "mse" ? mseBound(slice, limit, qmax) : octavBound(slice, limit, qmax);
  });
}

/** The magnitudes of one slice, side by side. */
function collectMagnitudes(
  values: Float32Array,
  { outer, slices, inner }: Slices,
  slice: number,
  out: Float32Array,
): void {
  let at = 0;
  for (let o = 0; o < outer; o++) {
    const start = (o * slices + slice) * inner;
    for (let index = start; index < start + inner; index++) out[at++] = Math.abs(values[index]!);
  }
}

/**
 * argmin over c of Σ (|v| − s·min(qmax, round(|v|/s)))² with s = c/qmax, for c = limit · share, share in 1, 0.95 …
 * 0.2 and then in steps of 0.01 around the best. Never worse than the limit itself.
 */
function mseBound(magnitudes: Float32Array, limit: number, qmax: number): number {
  let best = 1;
  let least = squaredError(magnitudes, limit / qmax, qmax);
  const attempt = (share: number) => {
    const error = squaredError(magnitudes, (limit * share) / qmax, qmax);
    if (error < least) {
      least = error;
      best = share;
    }
  };
  for (let share = 1 - COARSE_STEP; share >= SMALLEST_SHARE; share -= COARSE_STEP) attempt(share);
  const center = best;
  for (let step = -4; step <= 4; step++) {
    const share = center + step * FINE_STEP;
    if (step !== 0 && share <= 1) attempt(share);
  }
  return limit * best;
}

function squaredError(magnitudes: Float32Array, scale: number, qmax: number): number {
  const limit = qmax + 0.5;
  let total = 0;
  for (let index = 0; index < magnitudes.length; index++) {
    const magnitude = magnitudes[index]!;
    const steps = magnitude / scale;
    const q = steps >= limit ? qmax : (steps + HALF) | 0;
    const error = magnitude - q * scale;
    total += error * error;
  }
  return total;
}

/**
 * Fixed point of c ← Σ_{|v|>c} |v| / (4⁻ᴮ/3 · #{|v| ≤ c} + #{|v| > c}), which balances the error of clipping with
 * the rounding error c²·4⁻ᴮ/3 of B bits (Sakr et al., "Optimal Clipping and Magnitude-aware Differentiation for
 * Improved Quantization-aware Training", ICML 2022, equation 7), and at most the limit.
 */
function octavBound(magnitudes: Float32Array, limit: number, qmax: number): number {
  const levels = 2 * qmax + 1;
  const rounding = 1 / (3 * levels * levels);
  let bound = 0;
  for (let iteration = 0; iteration < OCTAV_ITERATIONS; iteration++) {
    let sum = 0;
    let above = 0;
    for (let index = 0; index < magnitudes.length; index++) {
      const magnitude = magnitudes[index]!;
      if (magnitude > bound) {
        sum += magnitude;
        above++;
      }
    }
    if (above === 0) break;
    const next = sum / (rounding * (magnitudes.length - above) + above);
    if (Math.abs(next - bound) <= 1e-9 * next) break;
    bound = next;
  }
  return Math.min(bound, limit);
}
