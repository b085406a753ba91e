/** Evaluation from files on disk to a report: what `octavo evaluate` does, as one call. */
import { basename } from "node:path";
import {
  type ClassificationReport,
  reportClassification,
} from "../evaluate/classification-report.ts";
import { type Classifier, openClassifier } from "../evaluate/classifier.ts";
import { type DatasetDescription, preprocessingOf } from "../evaluate/dataset-description.ts";
import {
  type ClassificationOptions,
  evaluateClassification,
} from "../evaluate/evaluate-classification.ts";
import type { InterpreterOptions } from "../runtime/interpreter.ts";
import { readWholeFile } from "./file-source.ts";
import { openDataset } from "./open-dataset.ts";

export interface EvaluateFilesOptions
  extends Pick<ClassificationOptions, "limit" | "shard" | "onProgress">,
    Pick<InterpreterOptions, "threads" | "kernels"> {
  /** Path of the .tflite file that the models are compared with, often the float one. */
  readonly baseline?: string;
}

/**
 * Evaluates .tflite classifiers on one data set. The baseline, if there is one, comes first in the report.
 * @throws what `openDataset`, `openClassifier` and `evaluateClassification` throw
 */
export async function evaluateFiles(
  models: readonly string[],
  description: DatasetDescription,
  options: EvaluateFilesOptions = {},
): Promise<ClassificationReport> {
  const { baseline: baselinePath, threads, kernels, ...measuring } = options;
  const interpreting = {
    ...(threads === undefined ? {} : { threads }),
    ...(kernels === undefined ? {} : { kernels }),
  };
  const paths = baselinePath === undefined ? models : [baselinePath, ...models];
  const dataset = await openDataset(description);
  const classifiers: Classifier[] = [];
  try {
    for (const path of paths) {
      classifiers.push(
        await openClassifier(basename(path), await readWholeFile(path), interpreting),
      );
    }
    const baseline = baselinePath === undefined ? undefined : classifiers[0];
    const counts = await evaluateClassification(classifiers, dataset, {
      ...measuring,
      preprocessing: preprocessingOf(description),
      ...(baseline === undefined ? {} : { baseline }),
    });
    return reportClassification(classifiers, counts, dataset, baseline);
  } finally {
    for (const classifier of classifiers) classifier.dispose();
    await dataset.close();
  }
}
