/** Equalization keeps the function of a model, and the repairs bring back what coarse weights lose, on a real one. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bytesOf } from "../../src/base/dtype.ts";
import { decodeImage } from "../../src/evaluate/decode-image.ts";
import { PREPROCESSING_PRESETS, toModelInput } from "../../src/evaluate/preprocess.ts";
import type { DimensionMetadata } from "../../src/formats/tflite/schema.gen.ts";
import { type Model, residentBuffer } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import type { QuantizeOptions } from "../../src/quantize/options.ts";
import { quantizeModel } from "../../src/quantize/quantize-model.ts";
import { equalizeModel } from "../../src/quantize/repair/equalize.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { describeWithShared, sharedPath } from "../shared.ts";
import { CHAIN_INPUT_ELEMENTS, chainModel, randomValues } from "./tiny-model.ts";

async function outputsOf(model: Model, inputs: readonly Float32Array[]): Promise<Float32Array[]> {
  const interpreter = await Interpreter.create(model);
  const [input] = interpreter.getInputDetails();
  const [output] = interpreter.getOutputDetails();
  const results: Float32Array[] = [];
  for (const values of inputs) {
    interpreter.setTensor(input!.index, values);
    await interpreter.invoke();
    results.push(interpreter.getTensor(output!.index) as Float32Array);
  }
  interpreter.dispose();
  return results;
}

/** Root mean square difference, after `scale` has been applied to each value. */
function distance(
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  scale = (x: number) => x,
) {
  const squares = a.flatMap((row, index) =>
    Array.from(row, (value, at) => (scale(value) - scale(b[index]![at]!)) ** 2),
  );
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
}

/** The chain with two of the four channels of its last convolution left out. */
function withSparseEnd(chain: Model): Model {
  const [subgraph] = chain.subgraphs;
  const [, , , channels] = subgraph!.tensors[7]!.shape;
  const kept: DimensionMetadata = {
    format: "SPARSE_CSR",
    dense_size: 0,
    array_segments: { type: "Int32Vector", value: { values: [0, 2] } },
    array_indices: { type: "Int32Vector", value: { values: [0, 2] } },
  };
  const dense = [1, 1, channels!].map((size) => ({ format: "DENSE", dense_size: size }) as const);
  const sparsity = { traversal_order: [0, 1, 2, 3], dim_metadata: [kept, ...dense] };
  const weights = residentBuffer(bytesOf(randomValues(2 * channels!, 7)));
  const tensors = subgraph!.tensors.map((tensor, index) =>
    index === 7 ? { ...tensor, buffer: chain.buffers.length, sparsity } : tensor,
  );
  return {
    ...chain,
    subgraphs: [{ ...subgraph!, tensors }],
    buffers: [...chain.buffers, weights],
  };
}

describe("equalization", () => {
  const inputs = [1, 2, 3].map((seed) =>
    randomValues(CHAIN_INPUT_ELEMENTS, seed).map((value) => 3 * value),
  );

  test("changes neither the function nor the operators, but for RELU6 limits of its own", async () => {
    const model = chainModel();
    const { model: equalized, links } = await equalizeModel(model);
    expect(links).toBe(2);
    expect(equalized.subgraphs[0]!.operators.map(({ op }) => op)).toEqual([
      "CONV_2D",
      "MINIMUM",
      "DEPTHWISE_CONV_2D",
      "CONV_2D",
    ]);
    const [before, after] = [await outputsOf(model, inputs), await outputsOf(equalized, inputs)];
    const largest = Math.max(...before.flatMap((row) => [...row].map(Math.abs)));
    expect(distance(before, after) / largest).toBeLessThan(1e-6);
  });

  test("lets one scale per tensor serve channels of different size", async () => {
    const model = chainModel();
    const options = { mode: "weight_only", minElements: 0, perTensor: true } as const;
    const plain = await quantizeModel(model, options);
    const repaired = await quantizeModel(model, { ...options, equalize: true });
    const before = await outputsOf(model, inputs);
    const errors = [plain, repaired].map(async ({ model: quantized }) =>
      distance(before, await outputsOf(quantized, inputs)),
    );
    const [plainError, repairedError] = await Promise.all(errors);
    expect(repairedError).toBeLessThan(0.7 * plainError!);
    expect(repaired.report.repairs.equalizedPairs).toBe(2);
  });

  test("leaves layers with sparse weights as they are", async () => {
    const model = withSparseEnd(chainModel());
    const options = { mode: "weight_only", minElements: 0, correctBiases: true } as const;
    const { model: equalized, links } = await equalizeModel(model);
    const { model: quantized } = await quantizeModel(model, { ...options, equalize: true });
    expect(links).toBe(1);
    const before = await outputsOf(model, inputs);
    const largest = Math.max(...before.flatMap((row) => [...row].map(Math.abs)));
    expect(distance(before, await outputsOf(equalized, inputs)) / largest).toBeLessThan(1e-6);
    expect(distance(before, await outputsOf(quantized, inputs)) / largest).toBeLessThan(0.05);
  });
});

describeWithShared("repairs of MobileNetV1 0.25 with one scale per tensor", () => {
  function readPhotographs(count: number): Float32Array[] {
    const folder = sharedPath("data", "imagenet", "images");
    const input = { name: "input", shape: [1, 224, 224, 3], dtype: "float32" } as const;
    const names = readdirSync(folder).filter((_, index) => index % 60 === 0);
    return names.slice(0, count).map((name) => {
      const value = decodeImage(readFileSync(`${folder}/${name}`), name);
      return toModelInput(
        { name, value, label: undefined },
        input,
        PREPROCESSING_PRESETS.mobilenet,
      ) as Float32Array;
    });
  }

  test("each brings the outputs for photographs nearer to those of the float model", async () => {
    const path = sharedPath("models", "imagenet", "mobilenet_v1_0.25_224_float.tflite");
    const { model } = parseModel(readFileSync(path));
    const inputs = readPhotographs(4);
    const expected = await outputsOf(model, inputs);
    const logProbability = (value: number) => Math.log(Math.max(value, 1e-9));
    const errorWith = async (repairs: Partial<QuantizeOptions>) => {
      const options = { mode: "weight_only", minElements: 0, perTensor: true, ...repairs } as const;
      const { model: quantized } = await quantizeModel(model, options);
      return distance(expected, await outputsOf(quantized, inputs), logProbability);
    };
    const plain = await errorWith({});
    const corrected = await errorWith({ correctBiases: true });
    const equalized = await errorWith({ equalize: true });
    const both = await errorWith({ equalize: true, correctBiases: true });
    expect(corrected).toBeLessThan(0.8 * plain);
    expect(equalized).toBeLessThan(0.6 * plain);
    expect(both).toBeLessThan(0.6 * equalized);
  });

  test("clipping by squared error and OCTAV raise the signal-to-noise ratio of 4-bit weights", async () => {
    const path = sharedPath("models", "imagenet", "mobilenet_v1_0.25_224_float.tflite");
    const { model } = parseModel(readFileSync(path));
    const ratios = async (method: "min_max" | "mse" | "octav") => {
      const options = { mode: "weight_only", weightType: "int4", method } as const;
      const { report } = await quantizeModel(model, options);
      return report.quantized.map(({ sqnrDb }) => sqnrDb!);
    };
    const [plain, mse, octav] = [
      await ratios("min_max"),
      await ratios("mse"),
      await ratios("octav"),
    ];
    expect(mse.every((ratio, index) => ratio > plain[index]!)).toBe(true);
    expect(octav.filter((ratio, index) => ratio > plain[index]!).length).toBeGreaterThan(
      0.9 * plain.length,
    );
  });
});
