/** What `octavo benchmark` does: measures a model and prints one or two tables or one document. */
import { cpus } from "node:os";
import {
  type BenchmarkResult,
  benchmarkModel,
  type OperatorTime,
} from "../evaluate/benchmark-model.ts";
import { readWholeFile } from "../node/file-source.ts";
import { type RuntimeFlags, runtimeOptions, worthSaying } from "./runtime-flags.ts";
import type { Terminal } from "./terminal.ts";
import { byteText, numberText, percentText, shortName, textTable } from "./text.ts";

export interface BenchmarkFlags extends RuntimeFlags {
  readonly runs: number;
  readonly warmup: number;
  readonly profile?: true;
  readonly json?: true;
}

/** Measures the model at `path`. */
export async function benchmarkFile(
  path: string,
  flags: BenchmarkFlags,
  terminal: Terminal,
): Promise<void> {
  const bytes = await readWholeFile(path);
  const { json, profile, runs, warmup } = flags;
  const progress = terminal.progress("benchmarking");
  try {
    const result = await benchmarkModel(bytes, {
      ...runtimeOptions(flags),
      runs,
      warmup,
      profile: profile === true,
      onProgress: (done, total) => progress.update(done, total),
    });
    progress.stop();
    terminal.warn(worthSaying(result.remarks, flags));
    const host = { cpu: cpus()[0]?.model ?? "unknown", node: process.version };
    if (json) terminal.printJson({ model: path, byteLength: bytes.byteLength, ...host, ...result });
    else terminal.print(benchmarkText(result));
  } finally {
    progress.stop();
  }
}

function benchmarkText({
  loadMs,
  firstRunMs,
  runMs,
  runs,
  memory,
  threads,
  wide,
  profile,
}: BenchmarkResult): string {
  const blocks = [
    textTable([
      ["", "ms"],
      ["load", numberText(loadMs)],
      ["first run", numberText(firstRunMs)],
      ["median", numberText(runMs.median)],
      ["p90", numberText(runMs.p90)],
      ["min", numberText(runMs.min)],
    ]),
    `${runs} runs, threads: ${threads}${wide ? ", 256-bit kernels" : ""}; ` +
      `activations take ${byteText(memory.arenaBytes)}.`,
  ];
  if (profile !== undefined) blocks.push(opTable(profile), operatorTable(profile));
  return blocks.join("\n\n");
}

/** By kind of operator, the slowest first. */
function opTable(profile: readonly OperatorTime[]): string {
  const byOp = new Map<string, { count: number; ms: number; share: number }>();
  for (const { op, medianMs, share } of profile) {
    const sum = byOp.get(op) ?? { count: 0, ms: 0, share: 0 };
    byOp.set(op, { count: sum.count + 1, ms: sum.ms + medianMs, share: sum.share + share });
  }
  const rows = [...byOp].sort(([, a], [, b]) => b.ms - a.ms);
  return textTable([
    ["operator", "count", "ms", "share"],
    ...rows.map(([op, { count, ms, share }]) => [
      op,
      String(count),
      numberText(ms),
      percentText(share),
    ]),
  ]);
}

/** One by one, in the order in which they run. */
function operatorTable(profile: readonly OperatorTime[]): string {
  return textTable([
    ["operator", "tensor", "kernel", "ms", "share"],
    ...profile.map(({ op, tensor, kernel, medianMs, share }) => [
      op,
      shortName(tensor),
      kernel ?? "reference",
      numberText(medianMs),
      percentText(share),
    ]),
  ]);
}
