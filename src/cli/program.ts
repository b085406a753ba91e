/**
 * The command line as a whole: what commands there are, and how a failure in any of them ends. A command defines its
 * options and loads the code that does the work only when it is called, so that `octavo --help` starts quickly.
 */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { defineBenchmark } from "./commands/benchmark.ts";
import { defineCompare } from "./commands/compare.ts";
import { defineConvert } from "./commands/convert.ts";
import { defineDemo } from "./commands/demo.ts";
import { defineEvaluate } from "./commands/evaluate.ts";
import { defineInspect } from "./commands/inspect.ts";
import { defineQuantize } from "./commands/quantize.ts";
import { defineRun } from "./commands/run.ts";
import { EXIT_DONE, reportFailure } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** Adds one command to the program. */
export type DefineCommand = (program: Command, terminal: Terminal) => void;

/** In the order in which `octavo --help` lists them. */
const COMMANDS: readonly DefineCommand[] = [
  defineConvert,
  defineQuantize,
  defineInspect,
  defineRun,
  defineEvaluate,
  defineCompare,
  defineBenchmark,
  defineDemo,
];

/** Runs one command line (without `node` and the script's name) and returns the exit code. Never throws. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await openProgram(terminal).parseAsync(args, { from: "user" });
    return EXIT_DONE;
  } catch (error) {
    return reportFailure(error, terminal);
  }
}

/** Builds the command line: all commands, their options and their help. */
export function openProgram(terminal: Terminal): Command {
  const program = new Command("octavo")
    .description(
      "Folds TensorFlow models into eight bits: convert, quantize, run and evaluate .tflite files.",
    )
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.note(text.trimEnd()),
    })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", EXAMPLES);
  for (const define of COMMANDS) define(program, terminal);
  return program;
}

const EXAMPLES = `
Try it:
  $ octavo demo
  $ octavo convert my_saved_model -o model.tflite --mode dynamic_range
  $ octavo inspect model.tflite

"octavo COMMAND --help" explains a command, with examples.
Exit codes: 0 done, 1 a problem with the model or data, 2 wrong usage, 70 a bug in Octavo.`;

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
