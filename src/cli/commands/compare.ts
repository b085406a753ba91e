/** `octavo compare`: how far two versions of one model lie apart, and in which layer that begins. */
import type { Command } from "commander";
import { wholeNumber } from "../arguments.ts";
import type { CompareFlags } from "../compare-files.ts";
import { addDataOptions, DATA_HELP } from "../data-flags.ts";
import { addRuntimeFlags } from "../runtime-flags.ts";
import type { Terminal } from "../terminal.ts";

const EXAMPLES = `
Layers are matched by the name of the tensor that they compute. Without data, seeded random numbers go in.
${DATA_HELP}

Examples:
  $ octavo compare float.tflite small.tflite
  $ octavo compare float.tflite small.tflite --data images.npy --scale 1/16 --limit 20 --json`;

/** Adds `octavo compare`. */
export function defineCompare(program: Command, terminal: Terminal): void {
  const command = program
    .command("compare")
    .summary("compare two versions of a model, layer by layer")
    .description(
      "Runs two .tflite versions of one model on the same inputs and compares outputs and layers.",
    )
    .argument("<reference>", "the .tflite file that is right by definition")
    .argument("<other>", "the .tflite file to compare with it")
    .option("--data <path>", "inputs: a folder, an .npy array, or a .json description")
    .option("--limit <count>", "so many inputs, evenly spread", wholeNumber(1), 8);
  addRuntimeFlags(addDataOptions(command))
    .option("--json", "print the result as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (reference: string, other: string, flags: CompareFlags) => {
      const { compareFiles } = await import("../compare-files.ts");
      await compareFiles(reference, other, flags, terminal);
    });
}
