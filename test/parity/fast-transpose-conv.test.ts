/** Emitted transposed convolutions against the reference, on random geometries. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import { oneOperatorModel } from "../one-operator-model.ts";
import {
  activation,
  activations,
  biases,
  expectAgreement,
  kinds,
  RUNS,
  weights,
} from "./agreement.ts";

it("transposed convolutions agree, of integers to the bit", async () => {
  const size = fc.integer({ min: 1, max: 8 });
  const small = fc.integer({ min: 1, max: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 2 }), size, size, fc.integer({ min: 1, max: 11 })),
      fc.tuple(small, small),
      fc.tuple(small, small),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom("SAME" as const, "VALID" as const),
      activations,
      fc.tuple(fc.boolean(), kinds),
      async (shape, filter, stride, outChannels, padding, fused, [hasBias, kind]) => {
        const [batch, height, width, channels] = shape;
        const extent = (input: number, axis: 0 | 1) =>
          padding === "SAME"
            ? input * stride[axis]
            : (input - 1) * stride[axis] + Math.max(filter[axis], stride[axis]);
        const out = [batch, extent(height, 0), extent(width, 1), outChannels];
        const value = {
          ...defaultsOf("TransposeConvOptions"),
          padding,
          stride_h: stride[0],
          stride_w: stride[1],
          fused_activation_function: fused,
        };
        const model = oneOperatorModel(
          "TRANSPOSE_CONV",
          { type: "TransposeConvOptions", value } as BuiltinOptions,
          [
            { shape: [4], dtype: "int32", data: Int32Array.from(out) },
            weights(kind, [outChannels, ...filter, channels], outChannels, 0),
            activation(kind, shape, 0.02),
            ...(hasBias ? [biases(kind, outChannels)] : []),
          ],
          activation(kind, [1], 0.07),
        );
        await expectAgreement(model, kind !== "float");
      },
    ),
    { ...RUNS, numRuns: 150 },
  );
});
