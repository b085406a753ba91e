/** What `octavo evaluate` does: opens the models and the data, measures, and prints one table or one document. */
import { basename } from "node:path";
import {
  type ClassificationReport,
  reportClassification,
} from "../evaluate/classification-report.ts";
import { type Classifier, openClassifier } from "../evaluate/classifier.ts";
import { type DatasetDescription, preprocessingOf } from "../evaluate/dataset-description.ts";
import { evaluateClassification } from "../evaluate/evaluate-classification.ts";
import { readWholeFile } from "../node/file-source.ts";
import { type OpenedDataset, openDataset } from "../node/open-dataset.ts";
import { classificationText } from "./classification-text.ts";
import type { DataFlags, LabelFlags } from "./data-flags.ts";
import { describeData } from "./describe-data.ts";
import { type RuntimeFlags, runtimeOptions } from "./runtime-flags.ts";
import type { Terminal } from "./terminal.ts";

export interface EvaluateFlags extends DataFlags, LabelFlags, RuntimeFlags {
  readonly baseline?: string;
  readonly task: "image-classification";
  readonly data: string;
  readonly limit?: number;
  readonly json?: true;
}

/** Measures a model, and its baseline where there is one. */
export async function evaluateModel(
  path: string,
  flags: EvaluateFlags,
  terminal: Terminal,
): Promise<void> {
  const description = await describeData(flags);
  const dataset = await openDataset(description);
  const models: Classifier[] = [];
  try {
    const baseline =
      flags.baseline === undefined ? undefined : await openModel(flags.baseline, flags);
    if (baseline !== undefined) models.push(baseline);
    models.push(await openModel(path, flags));
    const report = await measure(models, dataset, baseline, description, flags, terminal);
    if (flags.json) terminal.printJson(report);
    else terminal.print(classificationText(report));
  } finally {
    for (const model of models) model.dispose();
    await dataset.close();
  }
}

async function measure(
  models: readonly Classifier[],
  dataset: OpenedDataset,
  baseline: Classifier | undefined,
  description: DatasetDescription,
  { limit }: EvaluateFlags,
  terminal: Terminal,
): Promise<ClassificationReport> {
  const progress = terminal.progress("evaluating");
  try {
    const counts = await evaluateClassification(models, dataset, {
      preprocessing: preprocessingOf(description),
      onProgress: (done, total) => progress.update(done, total),
      ...(limit === undefined ? {} : { limit }),
      ...(baseline === undefined ? {} : { baseline }),
    });
    return reportClassification(models, counts, dataset, baseline);
  } finally {
    progress.stop();
  }
}

async function openModel(path: string, flags: EvaluateFlags): Promise<Classifier> {
  return openClassifier(basename(path), await readWholeFile(path), runtimeOptions(flags));
}
