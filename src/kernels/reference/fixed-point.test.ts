import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  multiplyByQuantizedMultiplier,
  multiplyBySingleRounding,
  multiplyWideByQuantizedMultiplier,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
  saturatingRoundingDoublingHighMul,
} from "./fixed-point.ts";

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const mantissa = fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 });

/** The C formulas on unbounded integers, as the specification states them. */
function highMulOnBigInts(a: number, b: number): number {
  const product = BigInt(a) * BigInt(b);
  const nudge = product >= 0n ? 1n << 30n : 1n - (1n << 30n);
  return Number((product + nudge) / (1n << 31n));
}

describe("fixed-point building blocks", () => {
  it("splits a factor into a mantissa of 31 bits and a shift", () => {
    expect(quantizeMultiplier(0.5)).toEqual({ multiplier: 2 ** 30, shift: 0 });
    expect(quantizeMultiplier(1)).toEqual({ multiplier: 2 ** 30, shift: 1 });
    expect(quantizeMultiplier(0.75)).toEqual({ multiplier: 3 * 2 ** 29, shift: 0 });
    expect(quantizeMultiplier(1 - 2 ** -40)).toEqual({ multiplier: 2 ** 30, shift: 1 });
    expect(quantizeMultiplier(2 ** -40)).toEqual({ multiplier: 0, shift: 0 });
    expect(quantizeMultiplier(0)).toEqual({ multiplier: 0, shift: 0 });
  });

  it("reproduces every factor to 31 bits", () => {
    fc.assert(
      fc.property(fc.double({ min: 2 ** -30, max: 1024, noNaN: true }), (real) => {
        const { multiplier, shift } = quantizeMultiplier(real);
        expect(Math.abs(multiplier * 2 ** (shift - 31) - real)).toBeLessThanOrEqual(
          real * 2 ** -31,
        );
        expect(multiplier).toBeGreaterThanOrEqual(2 ** 30);
        expect(multiplier).toBeLessThan(2 ** 31);
      }),
    );
  });

  it("computes the doubling high product exactly", () => {
    fc.assert(
      fc.property(int32, int32, (a, b) => {
        fc.pre(a !== -(2 ** 31) || b !== a);
        expect(saturatingRoundingDoublingHighMul(a, b)).toBe(highMulOnBigInts(a, b) + 0);
      }),
    );
    expect(saturatingRoundingDoublingHighMul(-(2 ** 31), -(2 ** 31))).toBe(2 ** 31 - 1);
  });

  it("divides by powers of two with ties away from zero", () => {
    expect([-3, -2, -1, 1, 2, 3].map((x) => roundingDivideByPowerOfTwo(x * 2, 2))).toEqual([
      -2, -1, -1, 1, 1, 2,
    ]);
  });

  it("rounds twice or once, as asked", () => {
    fc.assert(
      fc.property(int32, mantissa, fc.integer({ min: -31, max: 0 }), (x, multiplier, shift) => {
        const high = BigInt(highMulOnBigInts(x, multiplier));
        const divisor = 1n << BigInt(-shift);
        const magnitude = ((high < 0n ? -high : high) * 2n + divisor) / (2n * divisor);
        const twice = Number(high < 0n ? -magnitude : magnitude);
        expect(multiplyByQuantizedMultiplier(x, multiplier, shift)).toBe(twice);

        const total = BigInt(31 - shift);
        const once = (BigInt(x) * BigInt(multiplier) + (1n << (total - 1n))) >> total;
        expect(multiplyBySingleRounding(x, multiplier, shift)).toBe(Number(once));
      }),
    );
  });

  it("multiplies accumulators beyond 32 bits exactly", () => {
    const wide = fc.integer({ min: -(2 ** 48), max: 2 ** 48 });
    fc.assert(
      fc.property(wide, mantissa, fc.integer({ min: -20, max: 8 }), (x, multiplier, shift) => {
        const reduced = multiplier >= 0x7fff0000 ? 0x7fffn : BigInt((multiplier + 0x8000) >> 16);
        const total = BigInt(15 - shift);
        const expected = (BigInt(x) * reduced + (1n << (total - 1n))) >> total;
        expect(multiplyWideByQuantizedMultiplier(x, multiplier, shift)).toBe(Number(expected));
      }),
    );
  });
});
