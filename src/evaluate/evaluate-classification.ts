/**
 * Image (or keyword, or any other) classification: runs models over a data set, counts how often the right class is
 * among the best, and how far each model's scores lie from those of a baseline.
 */
import { FormatError, ShapeError, UsageError } from "../base/errors.ts";
import type { Classifier } from "./classifier.ts";
import { chooseSamples, type Dataset, type Sample } from "./dataset.ts";
import { addLatency, type LatencyCount, mergeLatency, NO_RUNS } from "./latency.ts";
import {
  addDifference,
  mergeDifference,
  NO_DIFFERENCE,
  type OutputDifference,
} from "./output-difference.ts";
import { type Preprocessing, toModelInput } from "./preprocess.ts";
import { addTopK, emptyTopK, mergeTopK, type TopKCount } from "./top-k.ts";

export interface ClassificationOptions {
  readonly preprocessing?: Preprocessing;
  /** Takes so many samples, evenly spread over the data set; all of them by default. */
  readonly limit?: number;
  /** This process does every `count`-th sample, starting with the one at `index`; counts of the others are merged later. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Called after each sample. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What is counted for one model. Two shards of the same evaluation merge with `mergeClassification`. */
export interface ClassificationCount {
  readonly topK: TopKCount;
  /** Compared with the baseline; of no samples for the baseline itself. */
  readonly difference: OutputDifference;
  readonly latency: LatencyCount;
}

const TOP = 5;

/** The count of no samples. */
export const EMPTY_CLASSIFICATION: ClassificationCount = {
  topK: emptyTopK(TOP),
  difference: NO_DIFFERENCE,
  latency: NO_RUNS,
};

/** The count of both shards. */
export function mergeClassification(
  a: ClassificationCount,
  b: ClassificationCount,
): ClassificationCount {
  return {
    topK: mergeTopK(a.topK, b.topK),
    difference: mergeDifference(a.difference, b.difference),
    latency: mergeLatency(a.latency, b.latency),
  };
}

/**
 * Runs every model on every chosen sample and returns one count for each model, in their order. With a `baseline`, one
 * of `models`, the others are compared with it. Each model runs once before the counting, so that work done only at the
 * first run does not count as latency.
 * @throws {UsageError} when there is nothing to measure: no samples, or neither labels nor a baseline
 * @throws {ShapeError} when samples do not fit a model, or a model has other classes than the baseline
 * @throws {FormatError} for a label beyond a model's classes
 */
export async function evaluateClassification(
  models: readonly Classifier[],
  dataset: Dataset,
  options: ClassificationOptions & { readonly baseline?: Classifier } = {},
): Promise<ClassificationCount[]> {
  const { baseline, preprocessing, onProgress } = options;
  checkTask(models, dataset, baseline);
  const { index: shard, count: shards } = options.shard ?? { index: 0, count: 1 };
  const chosen = chooseSamples(dataset.length, options.limit).filter(
    (_, position) => position % shards === shard,
  );
  const counts = models.map(() => EMPTY_CLASSIFICATION);
  for (const [position, index] of chosen.entries()) {
    const sample = await dataset.read(index);
    const inputs = models.map((model) => toModelInput(sample, model.input, preprocessing));
    const results = [];
    for (const [which, model] of models.entries()) {
      const input = inputs[which]!;
      if (position === 0) await model.classify(input);
      results.push(await model.classify(input));
    }
    const wanted = baseline === undefined ? undefined : results[models.indexOf(baseline)];
    for (const [which, model] of models.entries()) {
      const result = results[which]!;
      const count = counts[which]!;
      counts[which] = {
        topK: countLabel(count.topK, model, sample, result.scores),
        difference:
          wanted === undefined || model === baseline
            ? count.difference
            : addDifference(count.difference, result.scores, wanted.scores),
        latency: addLatency(count.latency, result.elapsedMs),
      };
    }
    onProgress?.(position + 1, chosen.length);
  }
  return counts;
}

function countLabel(
  count: TopKCount,
  model: Classifier,
  sample: Sample,
  scores: Float32Array,
): TopKCount {
  const { label, name } = sample;
  if (label === undefined) return count;
  if (label < model.classCount) return addTopK(count, scores, label);
  throw new FormatError({
    where: name,
    found: `label ${label}`,
    expected: `a class from 0 to ${model.classCount - 1}, as ${model.name} has ${model.classCount}`,
    remedy: "Check --label-column and --label-offset",
    format: "labels",
  });
}

function checkTask(
  models: readonly Classifier[],
  dataset: Dataset,
  baseline: Classifier | undefined,
): void {
  if (dataset.length === 0 || models.length === 0) {
    throw new UsageError({
      where: dataset.name,
      found: models.length === 0 ? "no model" : "no samples",
      expected: "something to measure",
    });
  }
  if (baseline === undefined && !dataset.hasLabels) {
    throw new UsageError({
      where: dataset.name,
      found: "neither labels nor a baseline",
      expected: "one of them",
      remedy: "Give the right classes with --labels, or a model to compare with by --baseline",
    });
  }
  for (const model of models) {
    if (baseline === undefined || model.classCount === baseline.classCount) continue;
    throw new ShapeError({
      where: model.name,
      found: `${model.classCount} classes`,
      expected: `${baseline.classCount} as in the baseline ${baseline.name}`,
    });
  }
}
