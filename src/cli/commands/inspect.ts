/** `octavo inspect`: what a model is made of. */
import type { Command } from "commander";
import { nameList } from "../arguments.ts";
import type { InspectFlags } from "../inspect-model.ts";
import type { Terminal } from "../terminal.ts";

const EXAMPLES = `
Examples:
  $ octavo inspect model.tflite
  $ octavo inspect model.tflite --json
  $ octavo inspect my_saved_model`;

/** Adds `octavo inspect`. */
export function defineInspect(program: Command, terminal: Terminal): void {
  program
    .command("inspect")
    .summary("show what a model is made of")
    .description(
      "Shows what a model is made of. For a .tflite file: inputs, outputs, operators, where the bytes are, what is\n" +
        "quantized and how, and whether Octavo can run it. For a TensorFlow model: inputs, outputs and operations of its graph.",
    )
    .argument(
      "<model>",
      "a .tflite file, a SavedModel folder, a frozen graph (.pb), a Keras file or a TF.js model.json",
    )
    .option("--tags <names>", "tags of the graph in a SavedModel, separated by commas", nameList)
    .option("--signature <name>", "key of the signature of a SavedModel")
    .option("--json", "print everything as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (model: string, flags: InspectFlags) => {
      const { inspectModel } = await import("../inspect-model.ts");
      await inspectModel(model, flags, terminal);
    });
}
