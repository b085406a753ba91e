/** Emitted pools and means against the reference, on random geometries. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import { oneOperatorModel } from "../one-operator-model.ts";
import { activation, activations, expectAgreement, type Kind, RUNS } from "./agreement.ts";

const kinds = fc.constantFrom<Kind>("float", "int8", "uint8");
const size = fc.integer({ min: 1, max: 9 });
const channels = fc.integer({ min: 1, max: 37 });

it("pools agree on random geometries", async () => {
  await fc.assert(
    fc.asyncProperty(
      kinds,
      fc.constantFrom("AVERAGE_POOL_2D" as const, "MAX_POOL_2D" as const, "L2_POOL_2D" as const),
      fc.tuple(fc.integer({ min: 1, max: 2 }), size, size, channels),
      fc.tuple(size, size),
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      fc.constantFrom("SAME" as const, "VALID" as const),
      activations,
      async (kind, op, shape, filter, stride, padding, fused) => {
        fc.pre(op !== "L2_POOL_2D" || kind === "float");
        fc.pre(padding === "SAME" || (filter[0] <= shape[1] && filter[1] <= shape[2]));
        const options = {
          ...defaultsOf("Pool2DOptions"),
          padding,
          filter_height: filter[0],
          filter_width: filter[1],
          stride_h: stride[0],
          stride_w: stride[1],
          fused_activation_function: fused,
        } as const;
        const model = oneOperatorModel(
          op,
          { type: "Pool2DOptions", value: options } as BuiltinOptions,
          [activation(kind, shape, 0.02)],
          activation(kind, [1], 0.02),
        );
        await expectAgreement(model, kind !== "float");
      },
    ),
    { ...RUNS, numRuns: 120 },
  );
});

it("means over neighbouring axes agree to the bit", async () => {
  const axes = fc.constantFrom([1, 2], [2, 1], [0], [1], [0, 1], [0, 1, 2], [-2]);
  await fc.assert(
    fc.asyncProperty(
      kinds,
      fc.tuple(size, size, size, channels),
      axes,
      fc.boolean(),
      fc.double({ min: 0.004, max: 0.3, noNaN: true }),
      async (kind, shape, reduced, keep_dims, scale) => {
        const options = { ...defaultsOf("ReducerOptions"), keep_dims };
        const axis = { shape: [reduced.length], dtype: "int32", data: Int32Array.from(reduced) };
        const model = oneOperatorModel(
          "MEAN",
          { type: "ReducerOptions", value: options } as BuiltinOptions,
          [activation(kind, shape, 0.02), { ...axis, dtype: "int32" }],
          activation(kind, [1], scale),
        );
        await expectAgreement(model, true);
      },
    ),
    RUNS,
  );
});
