/** The result of an evaluation as plain data, ready for JSON. */
import type { Classifier } from "./classifier.ts";
import type { Dataset } from "./dataset.ts";
import type { ClassificationCount } from "./evaluate-classification.ts";
import { type LatencySummary, summarizeLatency } from "./latency.ts";
import { topKShare } from "./top-k.ts";

/** Shares are fractions from 0 to 1. What cannot be said (no labels, no baseline) is left out. */
export interface ClassificationResult {
  readonly name: string;
  readonly byteLength: number;
  readonly top1?: number;
  readonly top5?: number;
  readonly latencyMs?: LatencySummary;
  /** Compared with the baseline; absent for the baseline itself. */
  readonly comparison?: BaselineComparison;
}

export interface BaselineComparison {
  /** Size divided by the baseline's. */
  readonly sizeRatio: number;
  /** Share of samples for which both name the same class. */
  readonly agreement: number;
  /** Own share minus the baseline's. */
  readonly top1Change?: number;
  readonly top5Change?: number;
  /** Between scores, as real values. */
  readonly largestDifference: number;
  readonly meanDifference: number;
}

export interface ClassificationReport {
  readonly task: "image-classification";
  readonly dataset: string;
  /** Samples that were run. */
  readonly samples: number;
  /** Name of the model that the others are compared with. */
  readonly baseline?: string;
  readonly models: readonly ClassificationResult[];
}

/** Describes what was counted; `counts` belong to `models` in order. */
export function reportClassification(
  models: readonly Classifier[],
  counts: readonly ClassificationCount[],
  dataset: Dataset,
  baseline?: Classifier,
): ClassificationReport {
  const baselineCount = baseline === undefined ? undefined : counts[models.indexOf(baseline)];
  return {
    task: "image-classification",
    dataset: dataset.name,
    samples: counts[0]?.latency.runs ?? 0,
    ...(baseline === undefined ? {} : { baseline: baseline.name }),
    models: models.map((model, index) => {
      const count = counts[index]!;
      const comparison =
        baseline === undefined || baselineCount === undefined || model === baseline
          ? undefined
          : compare(model, count, baseline, baselineCount);
      return withoutAbsent({
        name: model.name,
        byteLength: model.byteLength,
        top1: topKShare(count.topK, 1),
        top5: topKShare(count.topK, 5),
        latencyMs: summarizeLatency(count.latency),
        comparison,
      });
    }),
  };
}

function compare(
  model: Classifier,
  count: ClassificationCount,
  baseline: Classifier,
  baselineCount: ClassificationCount,
): BaselineComparison {
  const { samples, agreements, elements, sum, largest } = count.difference;
  return withoutAbsent({
    sizeRatio: model.byteLength / baseline.byteLength,
    agreement: agreements / samples,
    top1Change: change(topKShare(count.topK, 1), topKShare(baselineCount.topK, 1)),
    top5Change: change(topKShare(count.topK, 5), topKShare(baselineCount.topK, 5)),
    largestDifference: largest,
    meanDifference: sum / elements,
  });
}

function change(own: number | undefined, other: number | undefined): number | undefined {
  return own === undefined || other === undefined ? undefined : own - other;
}

type WithoutUndefined<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** Drops fields that are undefined, which JSON could not say. */
function withoutAbsent<T extends object>(fields: T): WithoutUndefined<T> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as WithoutUndefined<T>;
}
