import fc from "fast-check";
import { expect, it } from "vitest";
import { cutIntoCopies } from "./row-copies.ts";

it("makes one copy of what stays in order, and one of a transposed row", () => {
  expect(cutIntoCopies(Int32Array.of(3, 4, 5, 6))).toEqual([
    { source: 3, sourceStride: 0, target: 0, targetStride: 4, rows: 1, length: 4 },
  ]);
  expect(cutIntoCopies(Int32Array.of(0, 3, 6, 1, 4, 7))).toEqual([
    { source: 0, sourceStride: 3, target: 0, targetStride: 1, rows: 3, length: 1 },
    { source: 1, sourceStride: 3, target: 3, targetStride: 1, rows: 3, length: 1 },
  ]);
});

it("moves every element to its place", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1 }), (list) => {
      const moved = new Array<number>(list.length).fill(-1);
      for (const copy of cutIntoCopies(Int32Array.from(list))) {
        for (let row = 0; row < copy.rows; row++) {
          for (let index = 0; index < copy.length; index++) {
            const source = copy.source + row * copy.sourceStride + index;
            moved[copy.target + row * copy.targetStride + index] = source;
          }
        }
      }
      expect(moved).toEqual(list);
    }),
  );
});
