import fc from "fast-check";
import { expect, it } from "vitest";
import { evenParts } from "../even-parts.ts";
import { mostSteps, planStrips, type StripShape, stripSteps } from "./plan-strips.ts";

const shapes = fc
  .record({
    inputHeight: fc.integer({ min: 1, max: 40 }),
    kernelHeight: fc.integer({ min: 1, max: 7 }),
    strideHeight: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(2 ** 30)),
    dilationHeight: fc.integer({ min: 1, max: 5 }),
    padTop: fc.integer({ min: 0, max: 9 }),
    padBottom: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ padBottom, ...sizes }) => {
    const reach = (sizes.kernelHeight - 1) * sizes.dilationHeight + 1;
    const height = sizes.inputHeight + sizes.padTop + padBottom;
    return { ...sizes, outputHeight: Math.floor((height - reach) / sizes.strideHeight) + 1 };
  })
  .filter(({ outputHeight }) => outputHeight > 0);

/** Rows of the image that an output row reads. */
function rowsOf(shape: StripShape, y: number): number[] {
  return Array.from({ length: shape.kernelHeight }, (_, k) => {
    return y * shape.strideHeight - shape.padTop + k * shape.dilationHeight;
  }).filter((row) => row >= 0 && row < shape.inputHeight);
}

it("has every row that an output row reads in the ring, and prepares none twice in a part", () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 24 }), fc.nat(16), (shape, elements, parts) => {
      const plan = planStrips(shape, elements);
      const rings = Math.min(plan.rings, 1 + parts);
      let steps = 0;
      for (const part of evenParts(shape.outputHeight, rings)) {
        const ring = new Map<number, number>();
        const prepared = new Set<number>();
        let y = part.at;
        for (const step of stripSteps(shape, plan, part)) {
          for (let row = step.row; row < step.row + step.rows; row++) {
            expect(prepared.has(row)).toBe(false);
            prepared.add(row);
            ring.set(row % plan.ringRows, row);
          }
          for (const end = y + step.outputRows; y < end; y++) {
            for (const row of rowsOf(shape, y)) expect(ring.get(row % plan.ringRows)).toBe(row);
          }
          steps++;
        }
        expect(y).toBe(part.at + part.count);
      }
      expect(steps).toBeLessThanOrEqual(mostSteps(shape, plan));
    }),
  );
});

it("prepares whole groups of eight elements, all but the last rows of an image", () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 24 }), (shape, elements) => {
      const plan = planStrips(shape, elements);
      const part = { at: 0, count: shape.outputHeight };
      for (const { row, rows } of stripSteps(shape, plan, part)) {
        expect((row * elements) % 8).toBe(0);
        const isLast = row + rows === shape.inputHeight;
        if (!isLast) expect((rows * elements) % 8).toBe(0);
      }
    }),
  );
});

it("keeps three rows of an image for a kernel of three, in as many rings as three images would fill", () => {
  const shape = { inputHeight: 56, outputHeight: 56, kernelHeight: 3, strideHeight: 1 };
  const plan = planStrips({ ...shape, dilationHeight: 1, padTop: 1 }, 56 * 144);
  expect(plan).toEqual({ unitRows: 1, ringRows: 3, rings: 16 });
  const small = { inputHeight: 7, outputHeight: 7, kernelHeight: 5, strideHeight: 1 };
  expect(planStrips({ ...small, dilationHeight: 1, padTop: 2 }, 7 * 960).rings).toBe(4);
});

it("skips rows that no kernel row reads", () => {
  const shape = { inputHeight: 7, outputHeight: 3, kernelHeight: 1, strideHeight: 3 };
  const steps = stripSteps(
    { ...shape, dilationHeight: 1, padTop: 0 },
    planStrips({ ...shape, dilationHeight: 1, padTop: 0 }, 8),
    { at: 0, count: 3 },
  );
  expect(steps.map(({ row }) => row)).toEqual([0, 3, 6]);
});
