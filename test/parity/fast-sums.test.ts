/** A sum behind a convolution is computed by the convolution's kernel, where nothing else reads what it adds to. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ActivationFunctionType } from "../../src/formats/tflite/schema.gen.ts";
import type { Model } from "../../src/model/ir.ts";
import { buildModel, type OperatorSpec, optionsFor } from "../model-builder.ts";
import { expectAgreement, RUNS, run, uniform } from "./agreement.ts";

interface Block {
  readonly size: number;
  readonly channels: number;
  readonly window: number;
  readonly hybrid: boolean;
  readonly activations: readonly [conv: ActivationFunctionType, sum: ActivationFunctionType];
  /** Whether the convolution's result is the sum's first operand. */
  readonly first: boolean;
  readonly seed: number;
}

/** Doubles the input, convolves that, and adds it to the result, as residual networks do. */
function residualBlock({ size, channels, window, hybrid, ...rest }: Block): Model {
  const { activations, first, seed } = rest;
  const next = uniform(seed);
  const image = { shape: [1, size, size, channels] };
  const depth = window * window * channels;
  const count = channels * depth;
  const weights = hybrid
    ? ({
        dtype: "int8",
        data: Int8Array.from({ length: count }, () => Math.round(next() * 127)),
        scale: 0.01,
      } as const)
    : { data: Float32Array.from({ length: count }, () => next() / Math.sqrt(depth)) };
  const conv = { padding: "SAME", stride_w: 1, stride_h: 1 } as const;
  const operators: OperatorSpec[] = [
    { op: "ADD", inputs: ["x", "x"], outputs: ["doubled"], options: optionsFor("AddOptions") },
    {
      op: "CONV_2D",
      inputs: ["doubled", "weights", "bias"],
      outputs: ["convolved"],
      options: optionsFor("Conv2DOptions", {
        ...conv,
        fused_activation_function: activations[0],
      }),
    },
    {
      op: "ADD",
      inputs: first ? ["convolved", "doubled"] : ["doubled", "convolved"],
      outputs: ["sum"],
      options: optionsFor("AddOptions", { fused_activation_function: activations[1] }),
    },
  ];
  const tensors = {
    x: image,
    doubled: image,
    weights: { shape: [channels, window, window, channels], ...weights },
    bias: { shape: [channels], data: Float32Array.from({ length: channels }, next) },
    convolved: image,
    sum: image,
  };
  return buildModel([{ tensors, operators, inputs: ["x"], outputs: ["sum"] }]);
}

const activation = fc.constantFrom<ActivationFunctionType>("NONE", "RELU", "RELU6", "RELU_N1_TO_1");

describe("sums behind convolutions", () => {
  it("agree with two operators of the reference, to the bit with int8 weights", async () => {
    const blocks = fc.record({
      size: fc.integer({ min: 1, max: 9 }),
      channels: fc.integer({ min: 1, max: 19 }),
      window: fc.constantFrom(1, 3),
      hybrid: fc.boolean(),
      activations: fc.tuple(activation, activation),
      first: fc.boolean(),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(blocks, async (block) => {
        const model = residualBlock(block);
        await expectAgreement(model, block.hybrid, 2);
        const { variants } = await run(model, "simd");
        expect(variants).toHaveLength(2);
        expect(variants[1]).toMatch(/-add-gemm-/);
      }),
      RUNS,
    );
  });

  const block = {
    size: 5,
    channels: 8,
    window: 3,
    hybrid: false,
    activations: ["NONE", "RELU"],
    first: true,
    seed: 1,
  } as const;

  it("stay apart where something else reads the convolution's result", async () => {
    const [subgraph] = residualBlock(block).subgraphs;
    const convolved = subgraph!.tensors.findIndex(({ name }) => name === "convolved");
    const outputs = [...subgraph!.outputs, convolved];
    const model = { ...residualBlock(block), subgraphs: [{ ...subgraph!, outputs }] };
    await expectAgreement(model, false);
    expect((await run(model, "simd")).variants).toHaveLength(3);
  });

  it("stay apart where all activations are to be read", async () => {
    const { Interpreter } = await import("../../src/runtime/interpreter.ts");
    const options = { kernels: "simd", preserveAllTensors: true } as const;
    const apart = await Interpreter.create(residualBlock(block), options);
    await apart.invoke();
    expect(apart.getTensor("convolved")).toHaveLength(200);
    const fused = await Interpreter.create(residualBlock(block), { kernels: "simd" });
    await fused.invoke();
    expect(() => fused.getTensor("convolved")).toThrow("convolved");
    expect(apart.plan().map(({ operator, adds }) => [operator, adds])).toEqual([
      [0, undefined],
      [1, undefined],
      [2, undefined],
    ]);
    expect(fused.plan().map(({ operator, adds }) => [operator, adds])).toEqual([
      [0, undefined],
      [1, 2],
    ]);
  });
});
