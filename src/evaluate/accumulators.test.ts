import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addLatency, mergeLatency, NO_RUNS, summarizeLatency } from "./latency.ts";
import { addDifference, mergeDifference, NO_DIFFERENCE } from "./output-difference.ts";
import { addTopK, bestOf, emptyTopK, mergeTopK, rankOf, topKShare } from "./top-k.ts";

describe("top-k", () => {
  it("ranks like a stable sort from high to low", () => {
    const scores = fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.float({ noNaN: true })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(scores, (values) => {
        const order = values.map((_, index) => index).sort((a, b) => values[b]! - values[a]!);
        for (const [rank, index] of order.entries()) expect(rankOf(values, index)).toBe(rank);
        expect(bestOf(values)).toBe(order[0]);
      }),
      { seed: 2 },
    );
  });

  it("never counts a score that is not a number as a hit", () => {
    expect(rankOf([Number.NaN, 1], 0)).toBe(2);
    expect(bestOf([Number.NaN, 1, 0])).toBe(1);
  });

  it("gives shares, and none without samples", () => {
    let count = emptyTopK(2);
    expect(topKShare(count, 1)).toBeUndefined();
    count = addTopK(count, [0.1, 0.7, 0.2], 1);
    count = addTopK(count, [0.1, 0.7, 0.2], 2);
    count = addTopK(count, [0.1, 0.7, 0.2], 0);
    expect(count).toEqual({ samples: 3, hits: [1, 2] });
    expect(topKShare(count, 2)).toBe(2 / 3);
    expect(topKShare(count, 3)).toBeUndefined();
  });
});

describe("output difference", () => {
  it("keeps the largest, the mean and the agreement", () => {
    const a = new Float32Array([0.25, 0.75]);
    const b = new Float32Array([0.75, 0.25]);
    let total = addDifference(NO_DIFFERENCE, a, b);
    total = addDifference(total, a, a);
    expect(total).toEqual({ samples: 2, agreements: 1, elements: 4, sum: 1, largest: 0.5 });
  });

  it("shows a broken output instead of hiding it", () => {
    const broken = new Float32Array([Number.NaN]);
    expect(addDifference(NO_DIFFERENCE, broken, new Float32Array([1])).sum).toBeNaN();
    const infinite = new Float32Array([Number.POSITIVE_INFINITY]);
    expect(addDifference(NO_DIFFERENCE, infinite, infinite).largest).toBe(0);
  });
});

describe("latency", () => {
  it("finds median and 90th percentile within a percent", () => {
    let count = NO_RUNS;
    for (let ms = 1; ms <= 100; ms++) count = addLatency(count, ms);
    const summary = summarizeLatency(count);
    expect(summary?.mean).toBe(50.5);
    expect(summary?.least).toBe(1);
    expect(Math.abs((summary?.median ?? 0) / 50 - 1)).toBeLessThan(0.01);
    expect(Math.abs((summary?.p90 ?? 0) / 90 - 1)).toBeLessThan(0.01);
    expect(summarizeLatency(NO_RUNS)).toBeUndefined();
  });
});

describe("merging", () => {
  it("does not depend on how samples are divided, and has an empty element", () => {
    const samples = fc.array(
      fc.record({ label: fc.nat(3), scores: fc.array(fc.nat(8), { minLength: 4, maxLength: 4 }) }),
    );
    const count = (list: { label: number; scores: number[] }[]) => ({
      top: list.reduce((sum, { scores, label }) => addTopK(sum, scores, label), emptyTopK(3)),
      gap: list.reduce(
        (sum, { scores, label }) =>
          addDifference(sum, Float32Array.from(scores), new Float32Array(4).fill(label)),
        NO_DIFFERENCE,
      ),
      time: list.reduce((sum, { label }) => addLatency(sum, label + 1), NO_RUNS),
    });
    fc.assert(
      fc.property(samples, fc.nat(), (list, cut) => {
        const at = cut % (list.length + 1);
        const whole = count(list);
        const left = count(list.slice(0, at));
        const right = count(list.slice(at));
        expect(mergeTopK(left.top, right.top)).toEqual(whole.top);
        expect(mergeDifference(left.gap, right.gap)).toEqual(whole.gap);
        expect(mergeLatency(left.time, right.time)).toEqual(whole.time);
        expect(mergeTopK(emptyTopK(3), whole.top)).toEqual(whole.top);
      }),
      { seed: 3 },
    );
  });
});
