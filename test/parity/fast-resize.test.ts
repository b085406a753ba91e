/** Emitted bilinear resizes against the reference, for every rule of where pixels stand. */
import fc from "fast-check";
import { it } from "vitest";
import { oneOperatorModel } from "../one-operator-model.ts";
import { activation, expectAgreement, type Kind, RUNS } from "./agreement.ts";

it("bilinear resizes agree, up and down, of bytes to the bit", async () => {
  const size = fc.integer({ min: 1, max: 9 });
  const rules = fc.constantFrom([false, false], [true, false], [false, true]);
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 2 }), size, size, fc.integer({ min: 1, max: 11 })),
      fc.tuple(size, size),
      rules,
      fc.constantFrom<Kind>("float", "int8", "uint8"),
      async (shape, requested, [align_corners, half_pixel_centers], kind) => {
        const model = oneOperatorModel(
          "RESIZE_BILINEAR",
          { type: "ResizeBilinearOptions", value: { align_corners, half_pixel_centers } },
          [
            activation(kind, shape, 0.1),
            { shape: [2], dtype: "int32", data: Int32Array.from(requested) },
          ],
          activation(kind, [1], 0.1),
        );
        await expectAgreement(model, kind !== "float");
      },
    ),
    { ...RUNS, numRuns: 120 },
  );
});
