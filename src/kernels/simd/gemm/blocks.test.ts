import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evenParts, type Part } from "../even-parts.ts";
import { shareProduct } from "./blocks.ts";

const covers = (parts: readonly Part[], end: number): boolean => {
  const ends = parts.map(({ at, count }) => at + count);
  const starts = parts.map(({ at }) => at);
  return starts.every((at, index) => at === (ends[index - 1] ?? 0)) && ends.at(-1) === end;
};

describe("evenParts", () => {
  it("covers everything in parts that differ by one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 40 }), (n, parts) => {
        const cut = evenParts(n, parts);
        const sizes = cut.map(({ count }) => count);
        expect(covers(cut, n)).toBe(true);
        expect(cut.length).toBe(Math.min(parts, n));
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("shareProduct", () => {
  const size = fc.integer({ min: 1, max: 3000 });
  it("covers a product in whole tiles, with calls for each thread", () => {
    const shapes = fc.record({ rows: size, n: size, mr: fc.constantFrom(1, 4, 6), weights: size });
    fc.assert(
      fc.property(shapes, fc.integer({ min: 2, max: 8 }), size, (shape, threads, blocks) => {
        const { rows, n, mr, weights } = shape;
        const tile = { mr, nr: 8 };
        const bytes = { row: 100, weights: weights * 100 };
        const tiles = Math.ceil(rows / mr);
        const cuts = shareProduct({ rows, n }, tile, bytes, Math.min(blocks, tiles), threads);
        expect([covers(cuts.rows, rows), covers(cuts.columns, n)]).toEqual([true, true]);
        expect(cuts.rows.every(({ at }) => at % mr === 0)).toBe(true);
        expect(cuts.columns.every(({ at }) => at % 8 === 0)).toBe(true);
        const enough = Math.min(2 * threads, Math.ceil(n / 8));
        expect(cuts.rows.length * cuts.columns.length).toBeGreaterThanOrEqual(enough);
      }),
    );
  });

  it("gives two threads half of the rows each where the weights are small", () => {
    const bytes = { row: 64 * 4 + 384 * 4, weights: 64 * 384 * 4 };
    const { rows, columns } = shareProduct({ rows: 196, n: 384 }, { mr: 6, nr: 8 }, bytes, 1, 2);
    expect(columns).toEqual([{ at: 0, count: 384 }]);
    expect(rows.map(({ count }) => count)).toEqual([48, 48, 48, 52]);
  });

  it("gives each thread a part of the weights where they are large", () => {
    const bytes = { row: 160 * 4 + 960 * 4, weights: 160 * 960 * 4 };
    const { rows, columns } = shareProduct({ rows: 49, n: 960 }, { mr: 6, nr: 8 }, bytes, 1, 2);
    expect(rows).toEqual([{ at: 0, count: 49 }]);
    expect(columns.map(({ count }) => count)).toEqual([240, 240, 240, 240]);
  });
});
