import { describe, expect, test } from "vitest";
import { findBounds } from "./range-methods.ts";
import { axisSlices, measureMagnitudes, tensorSlices } from "./slices.ts";
import { quantizeSymmetric, symmetricScale } from "./symmetric.ts";
import type { RangeMethod } from "./weight-format.ts";

/** Seeded, with long tails: the third power of a uniform number. */
function tailedValues(count: number): Float32Array {
  let state = 9;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) ** 3;
  });
}

function noiseWith(method: RangeMethod, values: Float32Array, qmax: number): number {
  const slices = tensorSlices([values.length]);
  const { largest } = measureMagnitudes(values, slices);
  const bounds = findBounds(method, values, slices, largest, qmax);
  const scales = bounds.map((bound) => symmetricScale(bound, qmax));
  return quantizeSymmetric(values, slices, scales, qmax, new Int8Array(values.length)).noise;
}

describe("ranges for four bits", () => {
  const values = tailedValues(4096);

  test("mse has less noise than any clipping to a multiple of a tenth", () => {
    const least = noiseWith("mse", values, 7);
    const slices = tensorSlices([values.length]);
    for (let share = 0.2; share <= 1.001; share += 0.1) {
      const scales = Float64Array.of(share / 7);
      const { noise } = quantizeSymmetric(values, slices, scales, 7, new Int8Array(4096));
      expect(least).toBeLessThanOrEqual(noise);
    }
  });

  test("octav has less noise than the largest magnitude, and its bound is a fixed point", () => {
    expect(noiseWith("octav", values, 7)).toBeLessThan(noiseWith("min_max", values, 7));
    const slices = tensorSlices([values.length]);
    const { largest } = measureMagnitudes(values, slices);
    const bound = findBounds("octav", values, slices, largest, 7)[0]!;
    const above = values.filter((value) => Math.abs(value) > bound);
    const sum = above.reduce((total, value) => total + Math.abs(value), 0);
    const rounding = 1 / (3 * 15 ** 2);
    const next = sum / (rounding * (values.length - above.length) + above.length);
    expect(next).toBeCloseTo(bound, 6);
  });
});

test("every slice has its own bound, at most its largest magnitude, and zeros keep 0", () => {
  const values = Float32Array.of(0, 0, 0, 1, 0.1, -0.1, 8, 8, -8);
  const slices = axisSlices([3, 3], 0);
  const { largest } = measureMagnitudes(values, slices);
  for (const method of ["min_max", "mse", "octav"] as const) {
    const bounds = findBounds(method, values, slices, largest, 127);
    expect(bounds[0]).toBe(0);
    expect(bounds[1]).toBeLessThanOrEqual(1);
    expect(bounds[2]).toBe(8);
  }
});
