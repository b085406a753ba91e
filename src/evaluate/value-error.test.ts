import { describe, expect, it } from "vitest";
import { measureError, mergeError, NO_ERROR, signalToNoise } from "./value-error.ts";

const row = (...values: number[]): Float32Array => Float32Array.from(values);

describe("the error between two rows", () => {
  it("is 20 dB where every value is off by a tenth", () => {
    const error = measureError(row(9, 9, 9), row(10, 10, 10));
    expect(error).toMatchObject({ elements: 3, largest: 1, largestWanted: 10 });
    expect(signalToNoise(error)).toBeCloseTo(20, 10);
  });

  it("is none for equal rows, with infinities and NaN in the same places", () => {
    const values = row(1, Number.POSITIVE_INFINITY, Number.NaN, -0);
    const error = measureError(values, values.slice());
    expect(error.largest).toBe(0);
    expect(signalToNoise(error)).toBeUndefined();
  });

  it("is NaN where one row has a NaN and the other a number", () => {
    expect(measureError(row(Number.NaN), row(1)).largest).toBeNaN();
  });

  it("merges to what one measurement over both gives, whatever the order", () => {
    const values = row(1, 2.5, -3, 4);
    const wanted = row(1, 2, -2, 8);
    const whole = measureError(values, wanted);
    const left = measureError(values.subarray(0, 2), wanted.subarray(0, 2));
    const right = measureError(values.subarray(2), wanted.subarray(2));
    expect(mergeError(left, right)).toEqual(whole);
    expect(mergeError(right, mergeError(NO_ERROR, left))).toEqual(whole);
  });
});
