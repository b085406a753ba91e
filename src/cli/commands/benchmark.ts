/** `octavo benchmark`: how fast a model is, and which operators take the time. */
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import type { BenchmarkFlags } from "../benchmark-file.ts";
import { addRuntimeFlags } from "../runtime-flags.ts";
import type { Terminal } from "../terminal.ts";

const EXAMPLES = `
Inputs are seeded random numbers. Times are wall times of whole runs, in milliseconds.

Examples:
  $ octavo benchmark model.tflite
  $ octavo benchmark model.tflite --profile
  $ octavo benchmark model.tflite --kernels reference --runs 5 --json`;

/** Adds `octavo benchmark`. */
export function defineBenchmark(program: Command, terminal: Terminal): void {
  const command = program
    .command("benchmark")
    .summary("measure how fast a .tflite model runs")
    .description("Measures how fast a .tflite model loads and runs.")
    .argument("<model>", "the .tflite file")
    .option("--runs <count>", "timed runs", wholeNumber(1), 50)
    .option("--warmup <count>", "runs before them that do not count", wholeNumber(0), 10);
  addRuntimeFlags(command)
    .option("--profile", "measure every operator as well")
    .option("--json", "print the result as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (model: string, flags: BenchmarkFlags) => {
      const { benchmarkFile } = await import("../benchmark-file.ts");
      await benchmarkFile(model, flags, terminal);
    });
}
