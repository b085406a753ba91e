/** The result of an evaluation for people: one row a model. */
import type {
  ClassificationReport,
  ClassificationResult,
} from "../evaluate/classification-report.ts";
import { byteText, numberText, percentText, textTable } from "./text.ts";

interface Column {
  readonly heading: string;
  /** The cell; undefined where there is nothing to say. A column without any cell is left out. */
  cell(result: ClassificationResult): string | undefined;
}

const COLUMNS: readonly Column[] = [
  { heading: "model", cell: ({ name }) => name },
  { heading: "size", cell: ({ byteLength }) => byteText(byteLength) },
  {
    heading: "ratio",
    cell: ({ comparison }) => optional(comparison?.sizeRatio, percentText),
  },
  { heading: "top-1", cell: ({ top1 }) => optional(top1, percentText) },
  { heading: "top-5", cell: ({ top5 }) => optional(top5, percentText) },
  {
    heading: "agreement",
    cell: ({ comparison }) => optional(comparison?.agreement, percentText),
  },
  {
    heading: "max difference",
    cell: ({ comparison }) => optional(comparison?.largestDifference, numberText),
  },
  {
    heading: "latency",
    cell: ({ latencyMs }) => optional(latencyMs?.median, (ms) => `${numberText(ms)} ms`),
  },
];

/** Prints the table, and below it what was measured. */
export function classificationText({
  models,
  samples,
  dataset,
  baseline,
}: ClassificationReport): string {
  const columns = COLUMNS.filter(({ cell }) => models.some((model) => cell(model) !== undefined));
  const rows = models.map((model) => columns.map(({ cell }) => cell(model) ?? "–"));
  const against =
    baseline === undefined ? "" : `; ratio, agreement and difference against ${baseline}`;
  return `${textTable([columns.map(({ heading }) => heading), ...rows])}\n\n${samples} samples of ${dataset}${against}.`;
}

function optional(value: number | undefined, print: (value: number) => string): string | undefined {
  return value === undefined ? undefined : print(value);
}
