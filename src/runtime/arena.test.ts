import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planArena } from "./arena.ts";

describe("planArena", () => {
  it("gives a chain of equal tensors two slots", () => {
    const chain = [0, 1, 2, 3].map((step) => ({ byteLength: 64, first: step, last: step + 1 }));
    const { offsets, byteLength } = planArena(chain);
    expect(byteLength).toBe(128);
    expect(offsets[0]).toBe(offsets[2]);
    expect(offsets[1]).toBe(offsets[3]);
  });

  it("fits a small tensor into a hole below a larger one", () => {
    const { byteLength } = planArena([
      { byteLength: 1024, first: 2, last: 3 },
      { byteLength: 512, first: 0, last: 1 },
      { byteLength: 256, first: 1, last: 2 },
    ]);
    expect(byteLength).toBe(1024 + 256);
  });

  it("needs no memory for nothing", () => {
    expect(planArena([])).toEqual({ offsets: [], byteLength: 0 });
    expect(planArena([{ byteLength: 0, first: 0, last: 9 }]).byteLength).toBe(0);
  });

  it("never lets tensors that live together overlap", () => {
    const lifetime = fc
      .record({
        byteLength: fc.integer({ min: 0, max: 5000 }),
        first: fc.nat(20),
        length: fc.nat(6),
      })
      .map(({ byteLength, first, length }) => ({ byteLength, first, last: first + length }));
    fc.assert(
      fc.property(fc.array(lifetime, { maxLength: 30 }), (lifetimes) => {
        const { offsets, byteLength } = planArena(lifetimes);
        lifetimes.forEach((a, i) => {
          const start = offsets[i]!;
          expect(start % 64).toBe(0);
          expect(start + a.byteLength).toBeLessThanOrEqual(byteLength);
          lifetimes.slice(0, i).forEach((b, j) => {
            const together = a.first <= b.last && b.first <= a.last;
            const apart =
              start + a.byteLength <= offsets[j]! || offsets[j]! + b.byteLength <= start;
            expect(!together || apart || a.byteLength === 0 || b.byteLength === 0).toBe(true);
          });
        });
      }),
    );
  });
});
