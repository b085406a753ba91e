import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openFastRun } from "./fast-symmetric.ts";
import { axisSlices, blockSlices, measureMagnitudes, tensorSlices } from "./slices.ts";
import { quantizeSymmetric, symmetricScale } from "./symmetric.ts";

function quantize(values: number[], slices = tensorSlices([values.length])) {
  const floats = Float32Array.from(values);
  const { largest } = measureMagnitudes(floats, slices);
  const scales = largest.map((magnitude) => symmetricScale(magnitude, 127));
  const out = new Int8Array(values.length);
  const tally = quantizeSymmetric(floats, slices, scales, 127, out);
  return { q: [...out], scales: [...scales], tally };
}

describe("symmetric int8", () => {
  test("maps -10 … 30 to steps of 30/127: -10 to -42, 0 to 0, 30 to 127", () => {
    const { q, scales } = quantize([-10, 0, 10, 20, 30]);
    expect(scales).toEqual([30 / 127]);
    expect(q).toEqual([-42, 0, 42, 85, 127]);
  });

  test("never stores -128", () => {
    expect(quantize([-30, -29.99, 10]).q).toEqual([-127, -127, 42]);
    expect(quantize([-1e20, 5e19]).q).toEqual([-127, 64]);
  });

  test("rounds ties away from zero", () => {
    // With a largest magnitude of 127 the scale is exactly 1.
    expect(quantize([127, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 126.5, -126.5]).q).toEqual([
      127, 1, -1, 2, -2, 3, -3, 127, -127,
    ]);
    expect(quantize([127, 0.49999997, -0.49999997]).q).toEqual([127, 0, 0]);
  });

  test("gives a channel of zeros the scale 1e-6/254 and keeps its neighbours apart", () => {
    const { q, scales } = quantize([0, 0, 0.5, -0.25], axisSlices([2, 2], 0));
    expect(scales).toEqual([1e-6 / 254, 0.5 / 127]);
    expect(q).toEqual([0, 0, 127, -64]);
  });

  test("gives columns scales of their own when the axis is the last", () => {
    const { q, scales } = quantize([1, -20, -0.5, 10], axisSlices([2, 2], 1));
    expect(scales).toEqual([1 / 127, 20 / 127]);
    expect(q).toEqual([127, -127, -64, 64]);
  });

  test("gives blocks of a row scales of their own", () => {
    const { scales } = quantize([1, 2, 30, 40, 5, 6, 70, 80], blockSlices([2, 4], 2));
    expect(scales).toEqual([2, 40, 6, 80].map((largest) => largest / 127));
  });

  test("stores NaN as 0 and does not let it into the range", () => {
    const { q, scales } = quantize([Number.NaN, 2, -1]);
    expect(scales).toEqual([2 / 127]);
    expect(q).toEqual([0, 127, -64]);
  });

  test("is never further from a value than half a step", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        (values) => {
          const { q, scales, tally } = quantize(values);
          const half = scales[0]! * 0.5 * (1 + 1e-6);
          return (
            values.every((value, index) => Math.abs(value - scales[0]! * q[index]!) <= half) &&
            q.every((integer) => Math.abs(integer) <= 127) &&
            tally.clipped === 0
          );
        },
      ),
    );
  });

  test("measures what was lost against the stored scale", () => {
    const { q, scales, tally } = quantize([1, 0.3, -0.7]);
    const stored = Math.fround(scales[0]!);
    const errors = [1, Math.fround(0.3), Math.fround(-0.7)].map((v, i) =>
      Math.abs(v - stored * q[i]!),
    );
    expect(tally.largestError).toBe(Math.max(...errors));
    expect(tally.noise).toBeCloseTo(
      errors.reduce((sum, e) => sum + e * e, 0),
      12,
    );
    expect(tally.clipped).toBe(0);
  });
});

test("magnitudes count what is not finite and leave it out", () => {
  const values = Float32Array.of(1, Number.NaN, -3, Number.NEGATIVE_INFINITY, 2, 5);
  const found = measureMagnitudes(values, axisSlices([2, 3], 0));
  expect([...found.largest]).toEqual([3, 5]);
  expect(found).toMatchObject({ nan: 1, infinite: 1 });
});

describe("large tensors", () => {
  test("get the integers and the errors of small ones, whatever the values", () => {
    const inner = 1031;
    const rows = 40;
    const specials = [0, -0, 1e-30, -1e-30, 0.5, -0.5, 1e20, -1e20, 3.5, -3.5];
    const values = Float32Array.from({ length: rows * inner }, (_, index) =>
      index % 97 < specials.length && index % 3 === 0
        ? specials[index % 97]!
        : Math.sin(index * 12.9898) * 10 ** (Math.floor(index / inner) % 5),
    );
    const slices = axisSlices([rows, inner], 0);
    // Scales below the range, so that some values are clipped, and ties where the scale is 1.
    const scales = Float64Array.from({ length: rows }, (_, row) =>
      row % 4 === 0 ? 1 : 10 ** (row % 5) / 90,
    );
    const whole = new Int8Array(values.length);
    const tally = quantizeSymmetric(values, slices, scales, 127, whole, openFastRun());
    const parts = { signal: 0, noise: 0, largestError: 0, clipped: 0 };
    for (let row = 0; row < rows; row++) {
      const out = new Int8Array(inner);
      const piece = values.slice(row * inner, (row + 1) * inner);
      const own = quantizeSymmetric(
        piece,
        axisSlices([1, inner], 0),
        scales.slice(row, row + 1),
        127,
        out,
      );
      expect(whole.subarray(row * inner, (row + 1) * inner)).toEqual(out);
      parts.signal += own.signal;
      parts.noise += own.noise;
      parts.largestError = Math.max(parts.largestError, own.largestError);
      parts.clipped += own.clipped;
    }
    expect(parts.clipped).toBeGreaterThan(0);
    expect([tally.clipped, tally.largestError]).toEqual([parts.clipped, parts.largestError]);
    expect(tally.signal / parts.signal).toBeCloseTo(1, 12);
    expect(tally.noise / parts.noise).toBeCloseTo(1, 12);
  });

  test("store NaN as 0", () => {
    const values = new Float32Array(64 * 1024).fill(Number.NaN);
    values[5] = 2;
    const out = new Int8Array(values.length);
    const slices = tensorSlices([values.length]);
    quantizeSymmetric(values, slices, Float64Array.of(2 / 127), 127, out, openFastRun());
    expect([...out.subarray(4, 7)]).toEqual([0, 127, 0]);
  });
});
