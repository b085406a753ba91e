/** Emitted bilinear resizes against the reference, for every rule of where pixels stand. */
import fc from "fast-check";
import { it } from "vitest";
import { oneOperatorModel } from "../one-operator-model.ts";
import { expectAgreement, RUNS } from "./agreement.ts";

it("bilinear resizes of floats agree, up and down", async () => {
  const size = fc.integer({ min: 1, max: 9 });
  const rules = fc.constantFrom([false, false], [true, false], [false, true]);
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 2 }), size, size, fc.integer({ min: 1, max: 11 })),
      fc.tuple(size, size),
      rules,
      async (shape, requested, [align_corners, half_pixel_centers]) => {
        const model = oneOperatorModel(
          "RESIZE_BILINEAR",
          { type: "ResizeBilinearOptions", value: { align_corners, half_pixel_centers } },
          [{ shape }, { shape: [2], dtype: "int32", data: Int32Array.from(requested) }],
          { shape: [1] },
        );
        await expectAgreement(model, false);
      },
    ),
    RUNS,
  );
});
