/** The quantizer's report for people: what became of each weight, why others stayed float, and the totals. */
import type {
  KeptTensorEntry,
  QuantizationReport,
  QuantizedTensorEntry,
} from "../quantize/report.ts";
import { byteText, numberText, percentText, shortName, textTable } from "./text.ts";

/** How many tensors are named for each reason to stay float. */
const NAMES_SHOWN = 3;

/** Prints the report. */
export function quantizationText(report: QuantizationReport): string {
  const { mode, quantized, kept, alreadyQuantized } = report;
  const blocks: string[] = [];
  if (quantized.length > 0) {
    blocks.push(textTable([HEADING, ...quantized.map(rowOf)]), totalsText(report));
  } else {
    blocks.push(`Nothing to quantize in mode ${mode}.`);
  }
  if (alreadyQuantized > 0) {
    blocks.push(`${countText(alreadyQuantized, "constant")} quantized before, unchanged.`);
  }
  if (kept.length > 0) blocks.push(keptText(kept));
  return blocks.join("\n\n");
}

const HEADING = [
  "weight",
  "type",
  "scales",
  "scale range",
  "SQNR dB",
  "max error",
  "clipped",
  "bytes",
  "of",
];

function rowOf(entry: QuantizedTensorEntry): string[] {
  const { scaleMin, scaleMax, sqnrDb, largestError, clippedShare } = entry;
  const hasScale = scaleMin !== undefined && scaleMax !== undefined;
  return [
    shortName(entry.name),
    entry.dtype,
    entry.axis === undefined ? entry.granularity : `${entry.granularity}, axis ${entry.axis}`,
    hasScale ? `${numberText(scaleMin)} … ${numberText(scaleMax)}` : "",
    sqnrDb === null ? "exact" : sqnrDb.toFixed(1),
    numberText(largestError),
    clippedShare === 0 ? "0" : percentText(clippedShare),
    byteText(entry.bytesAfter),
    byteText(entry.bytesBefore),
  ];
}

function totalsText({ mode, quantized, totals }: QuantizationReport): string {
  const { constantBytesBefore: before, constantBytesAfter: after } = totals;
  return (
    `${countText(quantized.length, "weight")} quantized (${mode}): all constants took ${byteText(before)}, ` +
    `now ${byteText(after)} (${percentText(after / before)}).`
  );
}

function keptText(kept: readonly KeptTensorEntry[]): string {
  const byReason = new Map<string, KeptTensorEntry[]>();
  for (const entry of kept) {
    for (const text of new Set(entry.reasons.map(reasonText))) {
      byReason.set(text, [...(byReason.get(text) ?? []), entry]);
    }
  }
  const lines = [...byReason].map(([text, entries]) => {
    const names = entries.slice(0, NAMES_SHOWN).map(({ name }) => shortName(name));
    const more = entries.length > NAMES_SHOWN ? ", …" : "";
    return `  ${entries.length} × ${text}: ${names.join(", ")}${more}`;
  });
  return ["Stayed float:", ...lines].join("\n");
}

/** Biases are many, and each is named in the JSON report: here they share a line. */
function reasonText({ code, text }: KeptTensorEntry["reasons"][number]): string {
  return code === "not_a_weight" ? "no weight, such as a bias" : text;
}

function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
