import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planStridedSlice, type SliceMasks, sliceShape } from "./strided-slice.ts";

const NONE: SliceMasks = { begin: 0, end: 0, ellipsis: 0, newAxis: 0, shrink: 0 };
const shapeOf = (
  shape: number[],
  begin: number[],
  end: number[],
  strides: number[],
  masks = NONE,
) => sliceShape(planStridedSlice(shape, begin, end, strides, masks, "slice"));

describe("planStridedSlice", () => {
  it("counts negative bounds from the end and clamps the others", () => {
    expect(shapeOf([10], [-3], [100], [1])).toEqual([3]);
    expect(shapeOf([10], [8], [2], [-2])).toEqual([3]);
    expect(shapeOf([10], [5], [2], [1])).toEqual([0]);
  });

  it("spreads an ellipsis, inserts new axes and drops shrunk ones", () => {
    expect(
      shapeOf([2, 3, 4, 5], [0, 1], [0, 2], [1, 1], { ...NONE, ellipsis: 1, shrink: 2 }),
    ).toEqual([2, 3, 4]);
    expect(
      shapeOf([2, 3], [0, 0, 0], [0, 0, 2], [1, 1, 1], { ...NONE, newAxis: 1, begin: 2, end: 2 }),
    ).toEqual([1, 2, 2]);
  });

  it("takes a shrunk axis from an open end", () => {
    expect(shapeOf([4], [-1], [0], [1], { ...NONE, shrink: 1 })).toEqual([]);
  });

  it("leaves sizes open that depend on what is unknown", () => {
    expect(
      sliceShape(planStridedSlice([-1, 4], [0, undefined], [2, 3], [1, 1], NONE, "slice")),
    ).toEqual([-1, -1]);
  });

  it("takes as many elements as JavaScript's own walk over the indices", () => {
    const bound = fc.integer({ min: -8, max: 8 });
    const stride = fc.integer({ min: -3, max: 3 }).filter((s) => s !== 0);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        bound,
        bound,
        stride,
        (size, begin, end, step) => {
          const low = step > 0 ? 0 : -1;
          const high = step > 0 ? size : size - 1;
          const clamp = (x: number) => Math.min(Math.max(x < 0 ? x + size : x, low), high);
          let count = 0;
          for (let i = clamp(begin); step > 0 ? i < clamp(end) : i > clamp(end); i += step) count++;
          expect(shapeOf([size], [begin], [end], [step])).toEqual([count]);
        },
      ),
    );
  });
});
