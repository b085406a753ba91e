/** What `octavo demo` does. Everything stays in memory: nothing is written. */
import { fileURLToPath } from "node:url";
import { type ConverterMode, TFLiteConverter } from "../api/tflite-converter.ts";
import {
  type ClassificationReport,
  reportClassification,
} from "../evaluate/classification-report.ts";
import { type Classifier, openClassifier } from "../evaluate/classifier.ts";
import { preprocessingOf } from "../evaluate/dataset-description.ts";
import { evaluateClassification } from "../evaluate/evaluate-classification.ts";
import { openDataset } from "../node/open-dataset.ts";
import { classificationText } from "./classification-text.ts";
import type { Terminal } from "./terminal.ts";

/** In a checkout as in the installed package: the model lies beside `src` or `dist`. */
const DIGITS = new URL("../../test/fixtures/digits/", import.meta.url);
const MODES: readonly ConverterMode[] = ["float", "dynamic_range", "weight_only", "float16"];

/** Converts the embedded model in every mode, measures the results and prints them. */
export async function runDemo(
  { json }: { readonly json?: true },
  terminal: Terminal,
): Promise<void> {
  const at = (name: string): string => fileURLToPath(new URL(name, DIGITS));
  const models: Classifier[] = [];
  const description = {
    data: at("test_images.npy"),
    labels: at("test_labels.npy"),
    scale: [1 / 16],
  };
  const images = await openDataset(description);
  const dataset = { ...images, name: "handwritten digits" };
  const progress = terminal.progress("evaluating");
  try {
    const converter = await TFLiteConverter.fromSavedModel(at("saved_model"));
    for (const mode of MODES) {
      converter.mode = mode;
      models.push(await openClassifier(mode, await converter.convert()));
    }
    const [baseline] = models;
    const counts = await evaluateClassification(models, dataset, {
      preprocessing: preprocessingOf(description),
      onProgress: (done, total) => progress.update(done, total),
      ...(baseline === undefined ? {} : { baseline }),
    });
    progress.stop();
    const report = reportClassification(models, counts, dataset, baseline);
    if (json) terminal.printJson(report);
    else terminal.print(demoText(report));
  } finally {
    progress.stop();
    for (const model of models) model.dispose();
    await dataset.close();
  }
}

function demoText(report: ClassificationReport): string {
  return `A classifier of handwritten digits, from TensorFlow's SavedModel to .tflite in ${report.models.length} ways:

${classificationText(report)}

The same steps on a model of yours:
  octavo convert my_saved_model -o model.tflite
  octavo quantize model.tflite -o small.tflite --mode dynamic_range
  octavo evaluate small.tflite --baseline model.tflite --data images --labels labels.csv`;
}
