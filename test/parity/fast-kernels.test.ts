/**
 * Emitted kernels against the reference, through the interpreter, on random shapes and on real models. Integer and
 * hybrid operators must agree to the bit: their sums are integers and all that follows is the same. Float sums differ in
 * the order of rounding only.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import type { Model } from "../../src/model/ir.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

/** Largest float difference over the largest value: a few roundings of sums of up to some thousand terms. */
const FLOAT_BOUND = 1e-5;
const RUNS = { numRuns: 60, seed: 20261124 };

function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
}

type Output = Float32Array | Int8Array | Uint8Array;

interface Outcome {
  readonly outputs: readonly Output[];
  readonly variants: readonly (string | undefined)[];
}

async function run(model: Model | Uint8Array, kernels: "simd" | "reference"): Promise<Outcome> {
  const variants: (string | undefined)[] = [];
  const interpreter = await Interpreter.create(model, {
    kernels,
    observe: ({ variant }) => variants.push(variant),
  });
  const next = uniform(99);
  for (const { index, shape, dtype } of interpreter.getInputDetails()) {
    const length = shape.reduce((product, size) => product * size, 1);
    const draw = {
      float32: () => Float32Array.from({ length }, () => next() * 3),
      int8: () => Int8Array.from({ length }, () => Math.round(next() * 127)),
      uint8: () => Uint8Array.from({ length }, () => Math.round((next() + 1) * 127)),
    };
    interpreter.setTensor(index, draw[dtype as keyof typeof draw]());
  }
  await interpreter.invoke();
  const outputs = interpreter
    .getOutputDetails()
    .map(({ index }) => interpreter.getTensor(index) as Output);
  interpreter.dispose();
  return { outputs, variants };
}

async function expectAgreement(model: Model, isExact: boolean): Promise<void> {
  const [fast, slow] = [await run(model, "simd"), await run(model, "reference")];
  expect(fast.variants.every((variant) => variant !== undefined)).toBe(true);
  expect(slow.variants.every((variant) => variant === undefined)).toBe(true);
  for (const [index, output] of fast.outputs.entries()) {
    if (isExact) expect([...output]).toEqual([...slow.outputs[index]]);
    else expect(difference(output, slow.outputs[index])).toBeLessThanOrEqual(FLOAT_BOUND);
  }
}

function difference(a: Output, b: Output): number {
  let [worst, largest] = [0, 1e-6];
  for (const [index, value] of b.entries()) {
    worst = Math.max(worst, Math.abs(value - a[index]));
    largest = Math.max(largest, Math.abs(value));
  }
  return worst / largest;
}

type Kind = "float" | "hybrid" | "int8" | "uint8";
const kinds = fc.constantFrom<Kind>("float", "hybrid", "int8", "uint8");

/** Weights of that kind; int8 per channel, uint8 with one scale and a zero point. */
function weights(
  kind: Kind,
  shape: readonly number[],
  channels: number,
  axis: number,
): OperandSpec {
  const next = uniform(shape.join("").length + channels);
  const length = shape.reduce((product, size) => product * size, 1);
  if (kind === "float") return { shape, data: Float32Array.from({ length }, next) };
  if (kind === "uint8") {
    const data = Uint8Array.from({ length }, () => Math.round((next() + 1) * 127));
    return { shape, dtype: "uint8", data, scale: Float32Array.of(0.013), zeroPoint: [121] };
  }
  return {
    shape,
    dtype: "int8",
    data: Int8Array.from({ length }, () => Math.round(next() * 127)),
    scale: Float32Array.from({ length: channels }, () => (next() + 1.5) / 100),
    axis,
  };
}

/** An activation of that kind. */
function activation(kind: Kind, shape: readonly number[], scale: number): OperandSpec {
  if (kind === "float" || kind === "hybrid") return { shape };
  return {
    shape,
    dtype: kind,
    scale: Float32Array.of(scale),
    zeroPoint: [kind === "int8" ? -9 : 117],
  };
}

function biases(kind: Kind, count: number): OperandSpec {
  const next = uniform(5);
  return kind === "float" || kind === "hybrid"
    ? { shape: [count], data: Float32Array.from({ length: count }, next) }
    : {
        shape: [count],
        dtype: "int32",
        data: Int32Array.from({ length: count }, () => Math.round(next() * 4000)),
      };
}

const activations = fc.constantFrom("NONE", "RELU", "RELU6", "RELU_N1_TO_1");
const windows = fc.record({
  kind: kinds,
  batch: fc.integer({ min: 1, max: 2 }),
  size: fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })),
  channels: fc.integer({ min: 1, max: 19 }),
  kernel: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  padding: fc.constantFrom("SAME", "VALID"),
  activation: activations,
});

it("convolutions agree on random geometries", async () => {
  await fc.assert(
    fc.asyncProperty(windows, fc.integer({ min: 1, max: 21 }), async (w, outChannels) => {
      const reach = w.kernel.map((size) => (size - 1) * w.dilation + 1);
      fc.pre(w.padding === "SAME" || w.size.every((size, axis) => size >= reach[axis]));
      const options = {
        ...defaultsOf("Conv2DOptions"),
        padding: w.padding,
        stride_h: w.stride,
        stride_w: w.stride,
        dilation_h_factor: w.dilation,
        dilation_w_factor: w.dilation,
        fused_activation_function: w.activation,
      } as const;
      const filter = weights(w.kind, [outChannels, ...w.kernel, w.channels], outChannels, 0);
      const model = oneOperatorModel(
        "CONV_2D",
        { type: "Conv2DOptions", value: options } as BuiltinOptions,
        [
          activation(w.kind, [w.batch, ...w.size, w.channels], 0.02),
          filter,
          biases(w.kind, outChannels),
        ],
        activation(w.kind, [1], 0.11),
      );
      await expectAgreement(model, w.kind !== "float");
    }),
    RUNS,
  );
});

it("depthwise convolutions agree on random geometries", async () => {
  await fc.assert(
    fc.asyncProperty(windows, async (w) => {
      const reach = w.kernel.map((size) => (size - 1) * w.dilation + 1);
      fc.pre(w.padding === "SAME" || w.size.every((size, axis) => size >= reach[axis]));
      const options = {
        ...defaultsOf("DepthwiseConv2DOptions"),
        depth_multiplier: 1,
        padding: w.padding,
        stride_h: w.stride,
        stride_w: w.stride,
        dilation_h_factor: w.dilation,
        dilation_w_factor: w.dilation,
        fused_activation_function: w.activation,
      } as const;
      const model = oneOperatorModel(
        "DEPTHWISE_CONV_2D",
        { type: "DepthwiseConv2DOptions", value: options } as BuiltinOptions,
        [
          activation(w.kind, [w.batch, ...w.size, w.channels], 0.02),
          weights(w.kind, [1, ...w.kernel, w.channels], w.channels, 3),
          biases(w.kind, w.channels),
        ],
        activation(w.kind, [1], 0.11),
      );
      await expectAgreement(model, w.kind !== "float");
    }),
    RUNS,
  );
});

it("fully connected layers agree on random sizes, with and without bias and zero points", async () => {
  const sizes = fc.integer({ min: 1, max: 70 });
  await fc.assert(
    fc.asyncProperty(
      kinds,
      fc.integer({ min: 1, max: 6 }),
      sizes,
      sizes,
      fc.boolean(),
      fc.boolean(),
      activations,
      async (kind, rows, depth, units, hasBias, asymmetric, fused) => {
        const options = {
          ...defaultsOf("FullyConnectedOptions"),
          asymmetric_quantize_inputs: asymmetric,
          fused_activation_function: fused,
        } as const;
        const model = oneOperatorModel(
          "FULLY_CONNECTED",
          { type: "FullyConnectedOptions", value: options } as BuiltinOptions,
          [
            activation(kind, [rows, depth], 0.02),
            weights(kind, [units, depth], units, 0),
            ...(hasBias ? [biases(kind, units)] : []),
          ],
          activation(kind, [1], 0.11),
        );
        await expectAgreement(model, kind !== "float");
      },
    ),
    RUNS,
  );
});

it("arithmetic agrees to the bit on equal shapes, scalars and values per channel", async () => {
  const operators = fc.constantFrom(
    ["ADD", "AddOptions"],
    ["SUB", "SubOptions"],
    ["MUL", "MulOptions"],
    ["DIV", "DivOptions"],
  ) as fc.Arbitrary<readonly ["ADD", "AddOptions"]>;
  const shapes = fc.constantFrom(
    [
      [2, 3, 5],
      [2, 3, 5],
    ],
    [[2, 3, 5], [1]],
    [[], [4, 7]],
    [[3, 4, 9], [9]],
    [
      [1, 1, 9],
      [2, 3, 9],
    ],
    [
      [6, 2, 4],
      [2, 4],
    ],
  );
  await fc.assert(
    fc.asyncProperty(
      operators,
      shapes,
      fc.boolean(),
      activations,
      async ([op, type], pair, fixed, activation) => {
        const options = { ...defaultsOf(type), fused_activation_function: activation } as const;
        const length = (pair[1] as number[]).reduce((product, size) => product * size, 1);
        const data = Float32Array.from({ length }, uniform(8));
        const model = oneOperatorModel(
          op,
          { type, value: options } as BuiltinOptions,
          [{ shape: pair[0] }, { shape: pair[1], ...(fixed ? { data } : {}) }],
          { shape: [1] },
        );
        await expectAgreement(model, true);
      },
    ),
    RUNS,
  );
});

it("quantized sums agree to the bit for scales of any ratio", async () => {
  const scales = fc.double({ min: 0.001, max: 0.9, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("ADD", "SUB"),
      fc.constantFrom<Kind>("int8", "uint8"),
      fc.integer({ min: 1, max: 40 }),
      fc.tuple(scales, scales, scales),
      activations,
      async (op, kind, length, [a, b, out], fused) => {
        const type = op === "ADD" ? "AddOptions" : "SubOptions";
        const options = { ...defaultsOf(type), fused_activation_function: fused } as const;
        const model = oneOperatorModel(
          op as "ADD" | "SUB",
          { type, value: options } as BuiltinOptions,
          [activation(kind, [length], a), activation(kind, [length], b)],
          activation(kind, [1], out),
        );
        await expectAgreement(model, true);
      },
    ),
    RUNS,
  );
});

describeWithShared("emitted kernels on whole networks", () => {
  it.each([
    ["sequential_mlp", "float"],
    ["sequential_mlp", "dynamic_range"],
    ["residual", "float"],
    ["mobilenet_like", "float"],
  ])("%s, %s: outputs agree with the reference", async (name, mode) => {
    const bytes = readFileSync(sharedPath("goldens", "keras", name, "tflite", `${mode}.tflite`));
    const [fast, slow] = [await run(bytes, "simd"), await run(bytes, "reference")];
    expect(fast.variants.some((variant) => variant !== undefined)).toBe(true);
    expect(difference(fast.outputs[0], slow.outputs[0])).toBeLessThanOrEqual(FLOAT_BOUND);
  });
});
