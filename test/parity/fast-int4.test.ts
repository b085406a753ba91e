/** Products with int4 weights, which stay packed, against the reference. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { activation, biases, expectAgreement, type Kind, RUNS, uniform } from "./agreement.ts";

/** Random nibbles, two in a byte, one scale for each of the first axis. */
function nibbles(shape: readonly number[]): OperandSpec {
  const next = uniform(11);
  const length = shape.reduce((product, axis) => product * axis, 1);
  const data = Uint8Array.from({ length: Math.ceil(length / 2) }, () => (next() + 1) * 128);
  const scale = Float32Array.from({ length: shape[0] ?? 0 }, () => (next() + 1.5) / 10);
  return { shape, dtype: "int4", data, scale, axis: 0 };
}

const kinds = fc.constantFrom<Kind>("hybrid", "int8", "int16", "int16, int32 bias");
const size = fc.integer({ min: 1, max: 70 });

it("fully connected layers of int4 agree to the bit", async () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 6 }), size, size);
  await fc.assert(
    fc.asyncProperty(kinds, sizes, async (kind, [rows, depth, units]) => {
      const model = oneOperatorModel(
        "FULLY_CONNECTED",
        { type: "FullyConnectedOptions", value: defaultsOf("FullyConnectedOptions") },
        [activation(kind, [rows, depth], 0.02), nibbles([units, depth]), biases(kind, units)],
        activation(kind, [1], 0.11),
      );
      await expectAgreement(model, true);
    }),
    RUNS,
  );
});

it("convolutions of int4 agree to the bit, in groups and transposed too", async () => {
  const kernel = fc.integer({ min: 1, max: 3 });
  const groups = fc.integer({ min: 0, max: 3 });
  const geometry = fc.tuple(kernel, groups, fc.integer({ min: 1, max: 9 }));
  await fc.assert(
    fc.asyncProperty(kinds, geometry, size, async (kind, [k, groups, inputs], units) => {
      const isTransposed = groups === 0;
      const outputs = isTransposed ? units : units * groups;
      const image = activation(kind, [1, 5, 6, isTransposed ? inputs : inputs * groups], 0.02);
      const operands = [nibbles([outputs, k, k, inputs]), image, biases(kind, outputs)] as const;
      const [filter, , bias] = operands;
      const strides = { stride_h: 1, stride_w: 1 } as const;
      const output = activation(kind, [1], 0.11);
      const model = isTransposed
        ? oneOperatorModel(
            "TRANSPOSE_CONV",
            {
              type: "TransposeConvOptions",
              value: { ...defaultsOf("TransposeConvOptions"), ...strides },
            },
            [{ shape: [4], dtype: "int32", data: Int32Array.of(1, 5, 6, outputs) }, ...operands],
            output,
          )
        : oneOperatorModel(
            "CONV_2D",
            { type: "Conv2DOptions", value: { ...defaultsOf("Conv2DOptions"), ...strides } },
            [image, filter, bias],
            output,
          );
      await expectAgreement(model, true);
    }),
    RUNS,
  );
});
