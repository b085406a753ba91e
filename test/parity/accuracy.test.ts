/**
 * The accuracy that is promised, on whole ways from source to figures. The embedded model is measured in full; of the
 * larger models only as much as a test may take. `scripts/measure-accuracy.mjs` measures everything.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type ConverterMode, TFLiteConverter } from "../../src/api/tflite-converter.ts";
import {
  type ClassificationReport,
  type ClassificationResult,
  reportClassification,
} from "../../src/evaluate/classification-report.ts";
import { openClassifier } from "../../src/evaluate/classifier.ts";
import {
  type DatasetDescription,
  preprocessingOf,
} from "../../src/evaluate/dataset-description.ts";
import { evaluateClassification } from "../../src/evaluate/evaluate-classification.ts";
import { parseNpy } from "../../src/formats/npy/npy.ts";
import { openDataset } from "../../src/node/open-dataset.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

const digits = (name: string) =>
  fileURLToPath(new URL(`../fixtures/digits/${name}`, import.meta.url));

async function convert(source: string, modes: readonly ConverterMode[]): Promise<Uint8Array[]> {
  const converter = source.endsWith(".tflite")
    ? await TFLiteConverter.fromTflite(source)
    : await TFLiteConverter.fromSavedModel(source);
  const models: Uint8Array[] = [];
  for (const mode of modes) {
    converter.mode = mode;
    models.push(await converter.convert());
  }
  await converter.close();
  return models;
}

/** Evaluates models in all `modes`; the first is the baseline of the others. */
async function measure(
  source: string,
  modes: readonly ConverterMode[],
  description: DatasetDescription,
  limit?: number,
): Promise<ClassificationReport> {
  const files = await convert(source, modes);
  const classifiers = await Promise.all(
    files.map((file, index) => openClassifier(modes[index]!, file)),
  );
  const dataset = await openDataset(description);
  const [baseline] = classifiers;
  const counts = await evaluateClassification(classifiers, dataset, {
    preprocessing: preprocessingOf(description),
    ...(baseline === undefined ? {} : { baseline }),
    ...(limit === undefined ? {} : { limit }),
  });
  const report = reportClassification(classifiers, counts, dataset, baseline);
  for (const classifier of classifiers) classifier.dispose();
  await dataset.close();
  return report;
}

const changeOf = ({ comparison }: ClassificationResult) => Math.abs(comparison?.top1Change ?? 1);

describe("the embedded digits classifier", () => {
  it("answers as TensorFlow does, within 1e-6", async () => {
    const [file] = await convert(digits("saved_model"), ["float"]);
    const classifier = await openClassifier("float", file!);
    const load = (name: string) =>
      parseNpy(new Uint8Array(readFileSync(digits(name)))).data as Float32Array;
    const inputs = load("sample_inputs.npy");
    const outputs = load("sample_outputs.npy");
    for (let sample = 0; sample < 16; sample++) {
      const { scores } = await classifier.classify(inputs.slice(64 * sample, 64 * (sample + 1)));
      for (const [digit, score] of scores.entries()) {
        expect(Math.abs(score - outputs[10 * sample + digit]!)).toBeLessThan(1e-6);
      }
    }
    classifier.dispose();
  });

  it("names 358 of 360 digits as in TensorFlow, and loses at most one in any other mode", async () => {
    const description = {
      data: digits("test_images.npy"),
      labels: digits("test_labels.npy"),
      scale: [1 / 16],
    };
    const modes = ["float", "dynamic_range", "weight_only", "float16"] as const;
    const report = await measure(digits("saved_model"), modes, description);
    const [float, ...others] = report.models;
    expect(float?.top1).toBe(358 / 360);
    for (const model of others) expect(changeOf(model)).toBeLessThanOrEqual(1 / 360 + 1e-9);
    const ratios = others.map(({ comparison }) => comparison?.sizeRatio ?? 1);
    expect(ratios[0]).toBeLessThan(0.3);
    expect(ratios[1]).toBeLessThan(0.3);
    expect(ratios[2]).toBeLessThan(0.52);
  });
});

describeWithShared("the keyword classifier (DS-CNN SavedModel), 500 recordings", () => {
  it("reaches the 90.4 % of the original graph; dynamic range stays within 1 point", async () => {
    const report = await measure(
      sharedPath("models", "mlperf_tiny", "kws_dscnn_saved_model"),
      ["float", "dynamic_range"],
      {
        data: sharedPath("data", "kws", "mfcc"),
        labels: sharedPath("data", "kws", "y_labels.csv"),
        dtype: "int8",
        mean: [83],
        scale: [0.584703],
      },
    );
    const [float, dynamicRange] = report.models;
    expect(report.samples).toBe(500);
    expect(float?.top1).toBeGreaterThanOrEqual(0.904);
    expect(changeOf(dynamicRange!)).toBeLessThanOrEqual(0.01);
  });
});

describeWithShared("MobileNet v1 0.25 on 50 of 500 ImageNet images", () => {
  // TensorFlow 2.21's own dynamic range file of this network takes 29.4 % of its float file: a scale and a zero point for
  // each of 3,465 channels are 42 kB.
  it("is smaller than TensorFlow's file in dynamic range, and names nearly as many images", async () => {
    const report = await measure(
      sharedPath("models", "imagenet", "mobilenet_v1_0.25_224_float.tflite"),
      ["float", "dynamic_range"],
      {
        data: sharedPath("data", "imagenet", "images"),
        labels: sharedPath("data", "imagenet", "labels.csv"),
        labelColumn: "class_with_background",
        preset: "mobilenet",
      },
      50,
    );
    const [float, dynamicRange] = report.models;
    expect(float?.top1).toBeGreaterThan(0.5);
    expect(dynamicRange?.comparison?.sizeRatio).toBeLessThanOrEqual(0.294);
    expect(dynamicRange?.comparison?.agreement).toBeGreaterThanOrEqual(0.75);
    expect(changeOf(dynamicRange!)).toBeLessThanOrEqual(0.06);
  });
});
