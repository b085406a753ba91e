import { describe, expect, it } from "vitest";
import type { Diagnostic } from "../base/errors.ts";
import { decideShapes, type ShapedInput, type ShapeOptions } from "./input-shapes.ts";

const image: ShapedInput = {
  key: "image",
  tensorName: "serving_default_image:0",
  signatureShape: [-1, 8, -1, 3],
};
const scale: ShapedInput = { key: "scale", tensorName: "scale", signatureShape: [] };
const any: ShapedInput = { key: "any", tensorName: "any", signatureShape: undefined };

function decide(inputs: readonly ShapedInput[], options: ShapeOptions = {}) {
  const diagnostics: Diagnostic[] = [];
  const shapes = decideShapes(inputs, options, diagnostics);
  return { shapes, ids: diagnostics.map(({ id }) => id) };
}

describe("decideShapes", () => {
  it("makes an open batch 1, leaves other open dimensions, and says both", () => {
    expect(decide([image, scale])).toEqual({
      shapes: [[1, 8, -1, 3], []],
      ids: ["batch-fixed", "dimension-open"],
    });
  });

  it("leaves the batch open when asked to", () => {
    expect(decide([image], { keepDynamicBatch: true }).shapes).toEqual([[-1, 8, -1, 3]]);
  });

  it("says when not even the rank is known", () => {
    expect(decide([any])).toEqual({ shapes: [undefined], ids: ["unknown-rank"] });
  });

  it.each(["image", "serving_default_image:0", "serving_default_image"])(
    "takes a shape for %s",
    (name) => {
      const inputShapes = [{ name, shape: [4, 8, 9, 3] }];
      expect(decide([scale, image], { inputShapes }).shapes).toEqual([[], [4, 8, 9, 3]]);
    },
  );

  it("takes shapes without names in the order of the inputs", () => {
    const inputShapes = [{ shape: [2, 8, 8, 3] }, { shape: [5] }];
    expect(decide([image, any], { inputShapes }).shapes).toEqual([[2, 8, 8, 3], [5]]);
  });

  it.each<[string, ShapeOptions, RegExp]>([
    [
      "another rank",
      { inputShapes: [{ shape: [1, 8] }] },
      /shape \[1, 8\], expected \[-1, 8, -1, 3\]/,
    ],
    ["another fixed size", { inputShapes: [{ shape: [1, 7, 1, 3] }] }, /expected \[-1, 8, -1, 3\]/],
    ["a size of 0", { inputShapes: [{ shape: [0, 8, 1, 3] }] }, /shape \[0, 8, 1, 3\]/],
    [
      "a name that no input has",
      { inputShapes: [{ name: "picture", shape: [1] }] },
      /expected "image"/,
    ],
    [
      "more shapes than inputs",
      { inputShapes: [{ shape: [1, 8, 1, 3] }, { shape: [1] }] },
      /more shapes/,
    ],
  ])("refuses %s", (_, options, message) => {
    expect(() => decide([image], options)).toThrow(message);
  });
});
