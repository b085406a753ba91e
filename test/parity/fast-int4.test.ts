/** Products with int4 weights, which stay packed, against the reference. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { biases, expectAgreement, RUNS, uniform } from "./agreement.ts";

/** Random nibbles, two in a byte, one scale for each of the first axis. */
function nibbles(shape: readonly number[]): OperandSpec {
  const next = uniform(11);
  const length = shape.reduce((product, axis) => product * axis, 1);
  const data = Uint8Array.from({ length: Math.ceil(length / 2) }, () => (next() + 1) * 128);
  const scale = Float32Array.from({ length: shape[0] ?? 0 }, () => (next() + 1.5) / 10);
  return { shape, dtype: "int4", data, scale, axis: 0 };
}

const size = fc.integer({ min: 1, max: 70 });

it("fully connected layers of int4 agree to the bit", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), size, size, async (rows, depth, units) => {
      const model = oneOperatorModel(
        "FULLY_CONNECTED",
        { type: "FullyConnectedOptions", value: defaultsOf("FullyConnectedOptions") },
        [{ shape: [rows, depth] }, nibbles([units, depth]), biases("float", units)],
        { shape: [1] },
      );
      await expectAgreement(model, true);
    }),
    RUNS,
  );
});

it("convolutions of int4 agree to the bit", async () => {
  const kernel = fc.integer({ min: 1, max: 3 });
  await fc.assert(
    fc.asyncProperty(kernel, fc.integer({ min: 1, max: 21 }), size, async (k, inputs, outputs) => {
      const value = { ...defaultsOf("Conv2DOptions"), stride_h: 1, stride_w: 1 };
      const model = oneOperatorModel(
        "CONV_2D",
        { type: "Conv2DOptions", value },
        [{ shape: [1, 5, 6, inputs] }, nibbles([outputs, k, k, inputs]), biases("float", outputs)],
        { shape: [1] },
      );
      await expectAgreement(model, true);
    }),
    RUNS,
  );
});
