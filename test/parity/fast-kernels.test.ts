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
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { describeWithShared, sharedPath } from "../shared.ts";
import {
  activation,
  activations,
  biases,
  difference,
  expectAgreement,
  FLOAT_BOUND,
  type Kind,
  kinds,
  RUNS,
  run,
  uniform,
  weights,
} from "./agreement.ts";

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

const STRIDE = { stride_h: 1, stride_w: 1 } as const;

type Windows = typeof windows extends fc.Arbitrary<infer Value> ? Value : never;

/** A convolution; undefined where a window does not fit. */
function convolution(w: Windows, groups: number, outChannels: number) {
  const reach = w.kernel.map((size) => (size - 1) * w.dilation + 1);
  if (w.padding === "VALID" && w.size.some((size, axis) => size < reach[axis])) return undefined;
  const options = {
    ...defaultsOf("Conv2DOptions"),
    padding: w.padding,
    stride_h: w.stride,
    stride_w: w.stride,
    dilation_h_factor: w.dilation,
    dilation_w_factor: w.dilation,
    fused_activation_function: w.activation,
  } as const;
  return oneOperatorModel(
    "CONV_2D",
    { type: "Conv2DOptions", value: options } as BuiltinOptions,
    [
      activation(w.kind, [w.batch, ...w.size, groups * w.channels], 0.02),
      weights(w.kind, [outChannels, ...w.kernel, w.channels], outChannels, 0),
      biases(w.kind, outChannels),
    ],
    activation(w.kind, [1], 0.11),
  );
}

it("convolutions agree on random geometries", async () => {
  await fc.assert(
    fc.asyncProperty(windows, fc.integer({ min: 1, max: 21 }), async (w, outChannels) => {
      const model = convolution(w, 1, outChannels);
      fc.pre(model !== undefined);
      if (model !== undefined) await expectAgreement(model, w.kind !== "float");
    }),
    RUNS,
  );
});

it("convolutions in groups agree on random geometries", async () => {
  const groups = fc.integer({ min: 2, max: 4 });
  await fc.assert(
    fc.asyncProperty(windows, groups, fc.integer({ min: 1, max: 9 }), async (w, groups, units) => {
      const model = convolution(w, groups, groups * units);
      fc.pre(model !== undefined);
      if (model !== undefined) await expectAgreement(model, w.kind !== "float");
    }),
    { ...RUNS, numRuns: 100 },
  );
});

it("fully connected layers agree whose weights another operator makes", async () => {
  const size = fc.integer({ min: 1, max: 40 });
  const sizes = fc.tuple(fc.integer({ min: 1, max: 4 }), size, size);
  const bias = fc.constantFrom("free", "constant", "none");
  await fc.assert(
    fc.asyncProperty(sizes, bias, activations, async ([rows, depth, units], own, fused) => {
      const value = { ...defaultsOf("FullyConnectedOptions"), fused_activation_function: fused };
      const free = { shape: [units] };
      const model = oneOperatorModel(
        "FULLY_CONNECTED",
        { type: "FullyConnectedOptions", value } as BuiltinOptions,
        [
          { shape: [rows, depth] },
          { shape: [units, depth] },
          ...(own === "none" ? [] : [own === "free" ? free : biases("float", units)]),
        ],
        { shape: [1] },
      );
      await expectAgreement(model, false);
    }),
    RUNS,
  );
});

/** A bias of 32 or 64 bits, or none, and with it the law of the requantization. */
const wideBiases = fc.constantFrom("int32" as const, "int64" as const, "none" as const);

function wideOperands(
  bias: "int32" | "int64" | "none",
  shape: readonly number[],
  filter: readonly number[],
  out: number,
): readonly OperandSpec[] {
  const next = uniform(filter.length + out);
  const numbers = Array.from({ length: filter[0] ?? 0 }, () => Math.round(next() * 9000));
  const data = { int32: Int32Array.from(numbers), int64: BigInt64Array.from(numbers, BigInt) };
  return [
    { shape, dtype: "int16", scale: Float32Array.of(0.0002), zeroPoint: [0] },
    weights("int8", filter, filter[0] ?? 0, 0),
    ...(bias === "none" ? [] : [{ shape: [numbers.length], dtype: bias, data: data[bias] }]),
  ];
}

it("products of int16 activations agree to the bit, whatever their bias", async () => {
  const size = fc.integer({ min: 1, max: 60 });
  const scale = fc.double({ min: 0.0004, max: 0.01, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 5 }), size, size),
      wideBiases,
      fc.boolean(),
      scale,
      async ([rows, depth, units], bias, isConvolution, own) => {
        const options = isConvolution
          ? { type: "Conv2DOptions", value: { ...defaultsOf("Conv2DOptions"), ...STRIDE } }
          : { type: "FullyConnectedOptions", value: defaultsOf("FullyConnectedOptions") };
        const shape = isConvolution ? [1, rows, 3, depth] : [rows, depth];
        const filter = isConvolution ? [units, 2, 3, depth] : [units, depth];
        const model = oneOperatorModel(
          isConvolution ? "CONV_2D" : "FULLY_CONNECTED",
          options as BuiltinOptions,
          wideOperands(bias, shape, filter, units),
          { shape: [1], dtype: "int16", scale: Float32Array.of(own), zeroPoint: [0] },
        );
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 80 },
  );
});

async function expectDepthwiseAgreement(w: Windows, multiplier: number): Promise<void> {
  const reach = w.kernel.map((size) => (size - 1) * w.dilation + 1);
  fc.pre(w.padding === "SAME" || w.size.every((size, axis) => size >= reach[axis]));
  const options = {
    ...defaultsOf("DepthwiseConv2DOptions"),
    depth_multiplier: multiplier,
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
      weights(w.kind, [1, ...w.kernel, w.channels * multiplier], w.channels * multiplier, 3),
      biases(w.kind, w.channels * multiplier),
    ],
    activation(w.kind, [1], 0.11),
  );
  await expectAgreement(model, w.kind !== "float");
}

it("depthwise convolutions agree on random geometries", async () => {
  await fc.assert(
    fc.asyncProperty(windows, fc.integer({ min: 1, max: 5 }), expectDepthwiseAgreement),
    RUNS,
  );
});

it("depthwise convolutions of channels in eights agree on random geometries", async () => {
  await fc.assert(
    fc.asyncProperty(windows, fc.integer({ min: 1, max: 4 }), async (w, eights) => {
      await expectDepthwiseAgreement({ ...w, channels: 8 * eights }, 1);
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
        const length = [...pair[1]].reduce<number>((product, size) => product * size, 1);
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
