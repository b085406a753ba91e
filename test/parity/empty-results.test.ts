/** Windows that are larger than what they slide over leave nothing: a result without elements, on all kernels. */
import { expect, it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import { oneOperatorModel } from "../one-operator-model.ts";
import { activation, biases, type Kind, run, weights } from "./agreement.ts";

const KINDS: Kind[] = ["float", "hybrid", "int8", "uint8"];

it.each(KINDS)("CONV_2D (%s) has an empty result below the size of its window", async (kind) => {
  const value = {
    ...defaultsOf("Conv2DOptions"),
    padding: "VALID",
    stride_h: 1,
    stride_w: 3,
  } as const;
  const model = oneOperatorModel(
    "CONV_2D",
    { type: "Conv2DOptions", value },
    [activation(kind, [3, 8, 4, 3], 0.02), weights(kind, [6, 1, 5, 3], 6, 0), biases(kind, 6)],
    activation(kind, [1], 0.02),
  );
  for (const kernels of ["reference", "simd"] as const) {
    const { outputs } = await run(model, kernels);
    expect(outputs.map(({ length }) => length)).toEqual([0]);
  }
});
