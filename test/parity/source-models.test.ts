/**
 * Trained models in their source formats, converted through the public converter: what TensorFlow computes with the
 * source (`scripts/fixtures/make_source_outputs.py`), what it names right of labelled data, and what dynamic range
 * weights leave of that.
 */
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { TFLiteConverter } from "../../src/api/tflite-converter.ts";
import type { TensorData } from "../../src/base/dtype.ts";
import { elementCount } from "../../src/base/shape.ts";
import { parseLabels } from "../../src/evaluate/labels.ts";
import { bestOf } from "../../src/evaluate/top-k.ts";
import type { ShapeOptions } from "../../src/import/input-shapes.ts";
import type { Model } from "../../src/model/ir.ts";
import { parseModel } from "../../src/model/read.ts";
import { weightRuleOf } from "../../src/quantize/weight-operands.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { describeWithShared, hasShared, sharedPath } from "../shared.ts";

/** Of an output: how many values, the largest magnitude, and every `step`-th value. */
interface Summary {
  readonly count: number;
  readonly largest: number;
  readonly step: number;
  readonly values: readonly number[];
}

interface Case {
  readonly shape: readonly number[];
  readonly scale: number;
  readonly outputs?: readonly Summary[];
  /** Outputs by their names in the signature. */
  readonly named?: Readonly<Record<string, Summary>>;
  /** Samples of the labelled data that TensorFlow names right. */
  readonly right?: number;
}

const { cases } = JSON.parse(
  readFileSync(new URL("../fixtures/real-networks/sources.json", import.meta.url), "utf8"),
) as { readonly cases: Readonly<Record<string, Case>> };

/** A case that begins with audio, not with its MFCCs: the reader of WAV files alone is cut off. */
const FROM_SAMPLES = " from samples";
const SAMPLES = "decoded_sample_data";
const SAMPLE_RATE = `${SAMPLES}:1`;

/** Opens a source as a user would: the audio front end of the keyword spotters is cut off. */
async function open(path: string, options: ShapeOptions = {}): Promise<TFLiteConverter> {
  const full = sharedPath("models", path.replace(FROM_SAMPLES, ""));
  if (/\.(h5|keras)$/.test(full)) return TFLiteConverter.fromKerasModel(full, options);
  if (full.endsWith(".json")) return TFLiteConverter.fromTfjs(full, options);
  if (!full.endsWith(".pb")) return TFLiteConverter.fromSavedModel(full, options);
  const inputShapes = [{ shape: cases[path]!.shape }];
  if (path.endsWith(FROM_SAMPLES)) {
    return TFLiteConverter.fromFrozenGraph(full, { inputs: [SAMPLES, SAMPLE_RATE], inputShapes });
  }
  return TFLiteConverter.fromFrozenGraph(full, {
    ...options,
    ...(path.includes("kws_") ? { inputs: ["Mfcc"], inputShapes } : {}),
    ...(path.includes("mobilenet") ? { outputs: ["MobilenetV1/Predictions/Reshape_1"] } : {}),
  });
}

/** The inputs of the fixture: whole numbers, scaled. */
function pattern(count: number, scale: number): Float32Array {
  const factor = Math.fround(scale);
  return Float32Array.from(
    { length: count },
    (_, i) => Math.fround((((7919 * i + 104729) % 2001) - 1000) / 1000) * factor,
  );
}

const peakOf = (values: Float32Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const asFloats = (data: TensorData): Float32Array =>
  Float32Array.from(data as ArrayLike<unknown>, Number);

/** One of `rows` equal parts. */
function rowOf<T extends Float32Array | Int32Array>(data: T, row: number, rows: number): T {
  const size = data.length / rows;
  return data.slice(row * size, (row + 1) * size) as T;
}

function compare(actual: Float32Array, { count, largest, step, values }: Summary): void {
  expect(actual).toHaveLength(count);
  const allowed = 1e-5 * largest;
  expect(Math.abs(peakOf(actual) - largest)).toBeLessThanOrEqual(allowed);
  for (const [i, value] of values.entries()) {
    expect(Math.abs(actual[i * step]! - value), `value ${i * step}`).toBeLessThanOrEqual(allowed);
  }
}

interface Labelled {
  readonly inputs: readonly Float32Array[];
  readonly labels: readonly number[];
}

/** Features of 500 recordings, for graphs that take 49 windows or every other one of them. */
function keywords(frames: number): Labelled {
  const table = readFileSync(sharedPath("data", "kws", "y_labels.csv"));
  const names = "down go left no off on right stop up yes _silence_ _unknown_".split(" ");
  const order = readFileSync(sharedPath("models", "frozen_pb", "kws_labels.txt"), "utf8");
  const classes = order.trim().split(/\s+/);
  const rows = parseLabels(table, "y_labels.csv", {});
  const inputs = rows.map(({ file }) => {
    const bytes = new Int8Array(readFileSync(sharedPath("data", "kws", "mfcc", file!)));
    const all = Float32Array.from(bytes, (q) => (q - 83) * Math.fround(0.584703));
    return frames === 49 ? all : all.filter((_, i) => Math.floor(i / 10) % 2 === 0);
  });
  return { inputs, labels: rows.map(({ label }) => classes.indexOf(names[label]!)) };
}

/** The first `count` images of the MNIST test set. */
function digits(count: number): Labelled {
  const read = (name: string) => gunzipSync(readFileSync(sharedPath("data", "mnist", name)));
  const pixels = read("t10k-images-idx3-ubyte.gz").subarray(16);
  const labels = [...read("t10k-labels-idx1-ubyte.gz").subarray(8)];
  const image = (i: number) =>
    Float32Array.from(pixels.subarray(784 * i, 784 * (i + 1)), (pixel) => pixel / 255);
  const inputs = Array.from({ length: count }, (_, i) => image(i));
  return { inputs, labels };
}

function labelledFor(path: string): Labelled {
  const { shape } = cases[path]!;
  return path.includes("kws_") ? keywords(shape[1]!) : digits(10_000);
}

/** Classes that a model names. */
async function classify(file: Uint8Array, inputs: readonly Float32Array[]): Promise<number[]> {
  const interpreter = await Interpreter.create(file);
  const input = interpreter.getInputDetails()[0]!.index;
  const output = interpreter.getOutputDetails()[0]!.index;
  const named: number[] = [];
  for (const data of inputs) {
    interpreter.setTensor(input, data);
    await interpreter.invoke();
    // Recurrent layers keep their state: each recording is a sequence of its own.
    interpreter.resetVariables();
    named.push(bestOf(interpreter.getTensor(output) as Float32Array));
  }
  interpreter.dispose();
  return named;
}

/** Everything in the outside material that is a source: SavedModel folders and the files of the other formats. */
function sources(): string[] {
  if (!hasShared) return [];
  const files = readdirSync(sharedPath("models"), { recursive: true, encoding: "utf8" });
  return files
    .filter((path) => /\.(pb|h5|keras)$|tfjs\/.*\.json$/.test(path))
    .map((path) => path.replace(/\/saved_model\.pb$/, ""))
    .sort();
}

/** Those whose batch the source leaves open. */
const OPEN_BATCH = [
  "frozen_pb/nnstreamer_mnist.pb",
  "imagenet/keras_mobilenet_v1_0.25_224.h5",
  "keras/mnist_cnn.keras",
  "mlperf_tiny/ad01.h5",
  "mlperf_tiny/ic_resnet8_cifar10.h5",
  "mlperf_tiny/kws_dscnn_saved_model",
  "tf1_saved_model/template_application_cancer",
  "tfjs/abalone/model.json",
  "tfjs/doodlenet/model.json",
];

/** Operators that could multiply with 8-bit weights and get them through DEQUANTIZE instead. */
function dequantizedWeights({ subgraphs }: Model): string[] {
  return subgraphs.flatMap(({ operators }) => {
    const dequantized = new Set(
      operators.flatMap(({ op, outputs }) => (op === "DEQUANTIZE" ? outputs : [])),
    );
    return operators.flatMap((operator) => {
      const rule = weightRuleOf(operator);
      if (rule === undefined || rule.kernel === "none") return [];
      const through = rule.operands.filter((at) => dequantized.has(operator.inputs[at] ?? -1));
      return through.map((at) => `operand ${at} of ${operator.op}`);
    });
  });
}

/** The share of samples for which two models name the same class. */
const agreement = (a: readonly number[], b: readonly number[]): number =>
  a.filter((named, i) => named === b[i]).length / a.length;

describeWithShared("trained models in their source formats", () => {
  it.each(Object.entries(cases))("%s gives what TensorFlow gives", async (path, wanted) => {
    const { shape, scale, outputs = [], named = {} } = wanted;
    const converter = await open(path);
    const interpreter = await Interpreter.create(await converter.convert());
    const features = interpreter.getInputDetails().find(({ dtype }) => dtype === "float32");
    interpreter.setTensor(features!.index, pattern(elementCount(shape), scale));
    if (path.endsWith(FROM_SAMPLES)) interpreter.setTensor(SAMPLE_RATE, Int32Array.of(16_000));
    await interpreter.invoke();
    const read = (key: number | string) => asFloats(interpreter.getTensor(key));
    const found = interpreter.getOutputDetails();
    for (const [i, output] of outputs.entries()) compare(read(found[i]!.index), output);
    for (const [name, output] of Object.entries(named)) compare(read(name), output);
    expect(outputs.length + Object.keys(named).length).toBeGreaterThan(0);
    interpreter.dispose();
  });

  it.each(OPEN_BATCH)(
    "%s takes any number of samples where the batch is kept open",
    async (path) => {
      const rows = 3;
      const fixed = await Interpreter.create(await (await open(path)).convert());
      const batch = await Interpreter.create(
        await (await open(path, { keepDynamicBatch: true })).convert(),
      );
      const inputs = batch.getInputDetails();
      const details = [...inputs, ...batch.getOutputDetails()];
      expect(details.every(({ shapeSignature }) => shapeSignature[0] === -1)).toBe(true);
      for (const { index, shape } of inputs)
        await batch.resizeInput(index, [rows, ...shape.slice(1)]);
      const samples = inputs.map(({ dtype, shape }) => {
        const values = pattern(rows * elementCount(shape.slice(1)), 1);
        return dtype === "float32" ? values : Int32Array.from(values.keys());
      });
      for (const [i, { index }] of inputs.entries()) batch.setTensor(index, samples[i]!);
      await batch.invoke();
      for (let row = 0; row < rows; row++) {
        for (const [i, { index }] of fixed.getInputDetails().entries()) {
          fixed.setTensor(index, rowOf(samples[i]!, row, rows));
        }
        await fixed.invoke();
        for (const [i, output] of batch.getOutputDetails().entries()) {
          const found = rowOf(asFloats(batch.getTensor(output.index)), row, rows);
          const alone = asFloats(fixed.getTensor(fixed.getOutputDetails()[i]!.index));
          compare(found, {
            count: alone.length,
            largest: peakOf(alone),
            step: 1,
            values: [...alone],
          });
        }
      }
      fixed.dispose();
      batch.dispose();
    },
  );

  it.each(sources())("%s runs hybrid with dynamic range weights", async (path) => {
    const converter = await open(path);
    converter.mode = "dynamic_range";
    const { model } = parseModel(await converter.convert(), path);
    expect(dequantizedWeights(model)).toEqual([]);
    expect(converter.report.quantization!.quantized.length).toBeGreaterThan(0);
  });

  const labelled = Object.entries(cases).filter(([, { right }]) => right !== undefined);
  it.each(labelled)(
    "%s names as many samples right as in TensorFlow, and nearly the same with 8-bit weights",
    async (path, { right }) => {
      const converter = await open(path);
      const { inputs, labels } = labelledFor(path);
      const float = await classify(await converter.convert(), inputs);
      expect(float.filter((named, i) => named === labels[i])).toHaveLength(right!);
      converter.mode = "dynamic_range";
      const hybrid = await classify(await converter.convert(), inputs);
      expect(agreement(hybrid, float)).toBeGreaterThanOrEqual(0.98);
    },
    120_000,
  );
});
