/**
 * Whole trained networks from outside: fully quantized MobileNets must answer with the very bytes of TensorFlow's
 * interpreter, recurrent MNIST classifiers must be right as often, and every other file must run or be refused with the
 * right reason.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { openClassifier } from "../../src/evaluate/classifier.ts";
import { chooseSamples } from "../../src/evaluate/dataset.ts";
import { toModelInput } from "../../src/evaluate/preprocess.ts";
import { bestOf } from "../../src/evaluate/top-k.ts";
import { openDataset } from "../../src/node/open-dataset.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import type { InterpreterOptions } from "../../src/runtime/interpreter-options.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

interface Digests {
  readonly inputs: readonly string[];
  readonly outputs: Readonly<Record<string, readonly string[]>>;
}

const digests = JSON.parse(
  readFileSync(new URL("../fixtures/real-networks/digests.json", import.meta.url), "utf8"),
) as Digests;

function digestOf(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

describeWithShared("fully quantized MobileNets on photographs", () => {
  it("answer with the bytes of the official interpreter, on all 100", async () => {
    const folder = sharedPath("data", "imagenet");
    const dataset = await openDataset({
      data: `${folder}/images`,
      labels: `${folder}/labels.csv`,
      labelColumn: "class_with_background",
    });
    const names = Object.keys(digests.outputs);
    const networks = await Promise.all(
      names.map((name) => Interpreter.create(readFileSync(sharedPath("models", "imagenet", name)))),
    );
    const found: Record<string, string[]> = Object.fromEntries(names.map((name) => [name, []]));
    const inputs: string[] = [];
    for (const index of chooseSamples(dataset.length, 100)) {
      const sample = await dataset.read(index);
      for (const [at, network] of networks.entries()) {
        const [input, output] = [network.getInputDetails()[0]!, network.getOutputDetails()[0]!];
        const pixels = toModelInput(sample, input, { crop: 0.875 });
        if (at === 0) inputs.push(digestOf(pixels));
        network.setTensor(input.index, pixels);
        await network.invoke();
        found[names[at]!]?.push(digestOf(network.getTensor(output.index) as Uint8Array));
      }
    }
    await dataset.close();
    expect(inputs).toEqual(digests.inputs);
    expect(found).toEqual(digests.outputs);
  });

  it("answer the same with the reference kernels, on two", async () => {
    const dataset = await openDataset({ data: sharedPath("data", "imagenet", "images") });
    for (const name of Object.keys(digests.outputs)) {
      const bytes = readFileSync(sharedPath("models", "imagenet", name));
      const outputs = await Promise.all(
        (["reference", "auto"] as const).map(async (kernels) => {
          const network = await Interpreter.create(bytes, { kernels });
          const input = network.getInputDetails()[0]!;
          const pixels = toModelInput(await dataset.read(7), input, { crop: 0.875 });
          network.setTensor(input.index, pixels);
          await network.invoke();
          return digestOf(network.getTensor(network.getOutputDetails()[0]!.index) as Uint8Array);
        }),
      );
      expect(outputs[0]).toBe(outputs[1]);
    }
    await dataset.close();
  });
});

/** Images and labels of the MNIST test set, from its gzipped IDX files. */
function mnist(): { readonly images: Uint8Array; readonly labels: Uint8Array } {
  const open = (name: string) => gunzipSync(readFileSync(sharedPath("data", "mnist", name)));
  return {
    images: open("t10k-images-idx3-ubyte.gz").subarray(16),
    labels: open("t10k-labels-idx1-ubyte.gz").subarray(8),
  };
}

/** How many of the first `count` digits a model names right. */
async function countRight(
  name: string,
  count: number,
  options: InterpreterOptions,
): Promise<number> {
  const { images, labels } = mnist();
  const model = readFileSync(sharedPath("models", "rnn", name));
  const classifier = await openClassifier(name, model, options);
  let right = 0;
  for (let index = 0; index < count; index++) {
    const data = Float32Array.from(images.subarray(index * 784, (index + 1) * 784), (x) => x / 255);
    const sample = {
      name: `digit ${index}`,
      label: labels[index],
      value: { dtype: "float32", data },
    };
    const input = toModelInput(sample as never, classifier.input, { mean: [0], scale: [1] });
    const { scores } = await classifier.classify(input);
    if (bestOf(scores) === labels[index]) right++;
  }
  classifier.dispose();
  return right;
}

describeWithShared("recurrent MNIST classifiers", () => {
  // What TensorFlow Lite's optimized kernels name right, of the first 500 digits and of all 10,000.
  // `OCTAVO_ALL_DIGITS=1` takes them all.
  const count = process.env["OCTAVO_ALL_DIGITS"] === undefined ? 500 : 10_000;
  it.each([
    ["tflm_mnist_lstm_float.tflite", { 500: 488, 10000: 9853 }],
    ["tflm_mnist_lstm_int8.tflite", { 500: 488, 10000: 9849 }],
  ] as const)(
    "%s is right as often as in TensorFlow Lite",
    async (name, right) => {
      expect(await countRight(name, count, {})).toBe(right[count]);
    },
    600_000,
  );
});

/** Files that are broken on purpose, or that need what a CPU interpreter without TensorFlow does not have. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "ai_edge_quantizer/single_slice.tflite": /1 begins and 1 sizes, expected 3/,
  "litert_quantizer_testdata/custom_op.bin": /custom operator CustomTestOp/,
  "litert_quantizer_testdata/lstm_calibrated2.bin": /shape: \[-1\]/,
  "litert_quantizer_testdata/lstm_quantized2.bin": /shape: \[-1\]/,
  "litert_quantizer_testdata/mixed.bin": /custom operator CustomTestOp/,
  "litert_quantizer_testdata/svdf_calibrated.bin": /state of shape \[1, 9\], expected 42/,
  "litert_quantizer_testdata/svdf_quantized.bin": /state of shape \[1, 9\], expected 42/,
  "litert_quantizer_testdata/transpose.bin": /schema version 2/,
  "litert_testdata/0_subgraphs.bin": /no subgraph/,
  "litert_testdata/add_shared_tensors.bin": /written again/,
  "litert_testdata/custom_sinh.bin": /custom operator Sinh/,
  "litert_testdata/double_flex.bin": /custom operator FlexDouble/,
  "litert_testdata/multi_add_flex.bin": /custom operator FlexAddV2/,
  "litert_testdata/no_subgraphs.bin": /no subgraph/,
  "litert_testdata/segment_sum_invalid_buffer.bin": /SubOptions, expected SegmentSumOptions/,
  "litert_testdata/softplus_flex.bin": /custom operator FlexSoftplus/,
  "litert_testdata/sparse_tensor.bin": /custom operator FakeOp/,
  "litert_testdata/tensor_string_data_type.bin": /ADD on string/,
  "litert_testdata/test_custom_node_with_init_data.bin": /custom operator the_custom_code/,
  "litert_testdata/test_model.bin": /custom operator testing_op/,
  "litert_testdata/test_model_broken.bin": /file identifier/,
  "litert_testdata/test_model_versioned_ops.bin": /custom operator testing_op/,
  "litert_testdata/with_metadata.bin": /custom operator NPU_OP/,
};

/** Gigabytes of activations, and a loop that inputs of zero never end (in the official interpreter neither). */
const LEFT_OUT = /conv_huge|conv3d_huge|nested_while/;

function modelFiles(): string[] {
  const root = sharedPath("models");
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(tflite|bin)$/.test(path) && !/saved_model|tfjs/.test(path))
    .filter((path) => !LEFT_OUT.test(path))
    .sort();
}

/** Steps of a run on zeros: many where state is kept, which must not grow or go wrong. */
function stepsOf(file: string): number {
  return file.startsWith("rnn/") || file.includes("lstm") || file.includes("svdf") ? 20 : 2;
}

describeWithShared("model files from outside", () => {
  it.each(["add_quantized.bin", "add_quantized_int8.bin"])(
    "%s adds an input to itself twice, though it names its sum float32",
    async (file) => {
      const bytes = readFileSync(sharedPath("models", "litert_testdata", file));
      const interpreter = await Interpreter.create(bytes);
      const Bytes = file.includes("int8") ? Int8Array : Uint8Array;
      const values = new Bytes(192).map((_, i) => i % 40);
      interpreter.setTensor("input", values);
      await interpreter.invoke();
      // All scales are the same, as TensorFlow Lite 2.21 answers: 0, 3, 6, 9 ...
      expect(Array.from(interpreter.getTensor("output") as Uint8Array)).toEqual(
        Array.from(values, (value) => 3 * value),
      );
      interpreter.dispose();
    },
  );

  it("run, or are refused with the right reason", async () => {
    const refused: Record<string, string> = {};
    for (const file of modelFiles()) {
      try {
        const interpreter = await Interpreter.create(readFileSync(sharedPath("models", file)));
        for (let step = 0; step < stepsOf(file); step++) await interpreter.invoke();
        interpreter.dispose();
      } catch (error) {
        if (!isOctavoError(error)) throw error;
        refused[file] = error.message;
      }
    }
    const expected = Object.entries(REFUSED).map(([file, reason]) => [
      file,
      expect.stringMatching(reason),
    ]);
    expect(refused).toEqual(Object.fromEntries(expected));
  });
});
