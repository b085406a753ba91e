/** What a conversion did, for people: what goes in and out, and what became of the operations. */
import { formatShape, type Shape } from "../base/shape.ts";
import type { ConversionReport, OpCounts, PortReport } from "../convert/report.ts";
import { shortName, textTable } from "./text.ts";

/** Prints the report without its remarks, which are warnings on standard error. */
export function conversionText(report: ConversionReport): string {
  const { sourceTotal, resultTotal, result, passes } = report;
  const blocks = [
    portsText(report),
    `${sourceTotal} TensorFlow operations became ${resultTotal} operators: ${listText(result)}.`,
  ];
  const fused = passes.filter(({ pass }) => FUSING.has(pass));
  if (fused.length > 0) {
    const lines = fused.map(({ pass, changes }) => `  ${pass}: ${changesText(changes)}`);
    blocks.push(["Folded and fused:", ...lines].join("\n"));
  }
  return blocks.join("\n\n");
}

/** Passes that say something about the network; the others tidy up, and are in the JSON report. */
const FUSING: ReadonlySet<string> = new Set([
  "fuse recurrent",
  "recognize patterns",
  "fold affine",
  "fuse activations",
  "fold into dense layers",
]);

function portsText({ inputs, outputs }: ConversionReport): string {
  const row = (kind: string, { name, dtype, shape }: PortReport, note: string): string[] => [
    kind,
    shortName(name),
    dtype,
    shapeText(shape),
    note,
  ];
  return textTable([
    ["", "name", "type", "shape", ""],
    ...inputs.map((input) => row("input", input, sourceNote(input.shape, input.sourceShape))),
    ...outputs.map((output) => row("output", output, "")),
  ]);
}

/** Says where the file's shape is not the source's. */
function sourceNote(shape: Shape | null, sourceShape: Shape | null): string {
  const text = shapeText(sourceShape);
  return text === shapeText(shape) ? "" : `${text} in the source`;
}

const shapeText = (shape: Shape | null): string =>
  shape === null ? "unknown" : formatShape(shape);

/** `15 CONV_2D, 1 SOFTMAX`, the most frequent first. */
function listText(counts: OpCounts): string {
  const entries = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return entries.map(([op, count]) => `${count} ${op}`).join(", ");
}

/** `27 MUL and 1 ADD gone; 2 GELU new`. */
function changesText(changes: OpCounts): string {
  const entries = Object.entries(changes);
  const gone = entries.filter(([, count]) => count < 0);
  const made = entries.filter(([, count]) => count > 0);
  const list = (some: readonly [string, number][]): string =>
    some.map(([op, count]) => `${Math.abs(count)} ${op}`).join(", ");
  return [
    ...(gone.length > 0 ? [`${list(gone)} gone`] : []),
    ...(made.length > 0 ? [`${list(made)} new`] : []),
  ].join("; ");
}
