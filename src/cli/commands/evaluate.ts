/** `octavo evaluate`: how good a model is on labelled data, and what quantization cost against a float baseline. */
import { type Command, Option } from "commander";
import { wholeNumber } from "../arguments.ts";
import { addDataOptions, addLabelOptions, DATA_HELP } from "../data-flags.ts";
import type { EvaluateFlags } from "../evaluate-model.ts";
import { addRuntimeFlags } from "../runtime-flags.ts";
import type { Terminal } from "../terminal.ts";

const TASKS = ["image-classification"];

const EXAMPLES = `${DATA_HELP}

Examples:
  $ octavo evaluate small.tflite --baseline float.tflite --data images --labels labels.csv --preset mobilenet
  $ octavo evaluate digits.tflite --data images.npy --labels labels.npy --scale 1/16
  $ octavo evaluate small.tflite --baseline float.tflite --data dataset.json --limit 500 --json`;

/** Adds `octavo evaluate`. */
export function defineEvaluate(program: Command, terminal: Terminal): void {
  const command = program
    .command("evaluate")
    .summary("measure the accuracy of a model on labelled data")
    .description(
      "Measures a .tflite classifier on labelled data: top-1, top-5, latency; with a baseline also agreement, the\n" +
        "largest difference and what changed.",
    )
    .argument("<model>", "the .tflite file")
    .option("--baseline <file>", "the float .tflite file to compare with")
    .addOption(new Option("--task <task>", "what the model does").choices(TASKS).default(TASKS[0]))
    .requiredOption("--data <path>", "the samples: a folder, an .npy array, or a .json description")
    .option("--limit <count>", "so many samples, evenly spread", wholeNumber(1));
  addRuntimeFlags(addDataOptions(addLabelOptions(command)))
    .option("--json", "print the result as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (model: string, flags: EvaluateFlags) => {
      const { evaluateModel } = await import("../evaluate-model.ts");
      await evaluateModel(model, flags, terminal);
    });
}
