import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assert } from "../../../base/errors.ts";
import { packPairLists, planPairLists } from "./pair-lists.ts";
import { LIST_COLUMNS } from "./variants.ts";

const matrix = fc
  .record({ n: fc.integer({ min: 1, max: 20 }), k: fc.integer({ min: 1, max: 40 }) })
  .chain(({ n, k }) =>
    fc.record({
      n: fc.constant(n),
      k: fc.constant(k),
      values: fc.array(fc.integer({ min: -128, max: 127 }), { minLength: n * k, maxLength: n * k }),
    }),
  );

/** Weights by column and k as a panel's lists have them, and the largest sum of a pair among fitting steps. */
function unpacked(bytes: ArrayBuffer, panels: number, panelBytes: number, k: number) {
  const weights: number[][] = [];
  let largestSum = 0;
  for (let panel = 0; panel < panels; panel++) {
    const at = panel * panelBytes;
    const [fitting = 0, large = 0, offset = 0] = new Int32Array(bytes, at, 4);
    const starts = new Int32Array(bytes, at + 16, fitting + large);
    const narrow = new Int8Array(bytes, at + offset, fitting * LIST_COLUMNS * 4);
    const words = new Int16Array(bytes, at + offset + narrow.length, large * LIST_COLUMNS * 4);
    for (let column = 0; column < LIST_COLUMNS; column++) {
      const own = Array<number>(Math.ceil(k / 4) * 4).fill(NaN);
      for (const [step, start] of starts.entries()) {
        for (let index = 0; index < 4; index++) {
          const half = (step - fitting) * 2 + (index % 2);
          own[start + index] =
            (step < fitting
              ? narrow[(step * LIST_COLUMNS + column) * 4 + index]
              : words[(half * LIST_COLUMNS + column) * 2 + Math.floor(index / 2)]) ?? NaN;
        }
        for (const first of step < fitting ? [start, start + 2] : []) {
          largestSum = Math.max(largestSum, Math.abs((own[first] ?? 0) + (own[first + 1] ?? 0)));
        }
      }
      weights.push(own);
    }
  }
  return { weights, largestSum };
}

describe("lists of steps", () => {
  it("have every weight once, and none that overflows among the fitting", () => {
    fc.assert(
      fc.property(matrix, ({ n, k, values }) => {
        const weights = Int8Array.from(values);
        const lists = planPairLists(weights, n, k);
        assert(lists !== undefined, "lists of any steps");
        const bytes = new ArrayBuffer(lists.byteLength);
        packPairLists(weights, n, k, lists, { buffer: bytes, address: 0 });
        const panels = Math.ceil(n / LIST_COLUMNS);
        const packed = unpacked(bytes, panels, lists.panelBytes, k);
        const expected = Array.from({ length: panels * LIST_COLUMNS }, (_, column) =>
          Array.from({ length: Math.ceil(k / 4) * 4 }, (_, index) =>
            column < n && index < k ? weights[column * k + index] : 0,
          ),
        );
        expect(packed.weights).toEqual(expected);
        expect(packed.largestSum).toBeLessThanOrEqual(128);
      }),
    );
  });

  it("take a step as large for one pair of one column alone", () => {
    const weights = new Int8Array(LIST_COLUMNS * 8);
    weights.set([64, 64, -128, 0], 0);
    weights.set([0, 0, 64, 65], 8 + 4);
    expect(planPairLists(weights, LIST_COLUMNS, 8)).toMatchObject({
      largeShare: 0.5,
      isLarge: Uint8Array.of(0, 1),
    });
  });

  it("are not made where too many steps are large", () => {
    const weights = new Int8Array(LIST_COLUMNS * 8);
    weights.set([127, 2], 4);
    expect(planPairLists(weights, LIST_COLUMNS, 8, 0.5)).toBeDefined();
    expect(planPairLists(weights, LIST_COLUMNS, 8, 0.4)).toBeUndefined();
  });
});
