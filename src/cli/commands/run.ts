/** `octavo run`: feeds arrays to a .tflite model and writes what comes out. */
import type { Command } from "commander";
import { checkNames, namedFile } from "../arguments.ts";
import type { RunFlags } from "../run-model.ts";
import { addRuntimeFlags } from "../runtime-flags.ts";
import type { Terminal } from "../terminal.ts";

const EXAMPLES = `
NAME is the name of an input in the model's signature, or of its tensor ("octavo inspect" lists both); without names the
order of the inputs counts. The file's type must be the input's. Its shape must be, too, except in the first dimension
and where the model says that a dimension may vary.

Writes one INDEX_NAME.npy per output into the folder, numbered from 0 in the order of the model's signature.

Examples:
  $ octavo run model.tflite --input image.npy --output-dir out
  $ octavo run model.tflite --input ids=ids.npy --input mask=mask.npy --output-dir out`;

/** Adds `octavo run`. */
export function defineRun(program: Command, terminal: Terminal): void {
  const command = program
    .command("run")
    .summary("run a .tflite model on arrays from .npy files")
    .description("Runs a .tflite model once, on arrays from .npy files.")
    .argument("<model>", "the .tflite file")
    .option(
      "--input <file>",
      "[NAME=]FILE.npy: an input, by name or in order; may be repeated",
      namedFile,
    )
    .requiredOption(
      "--output-dir <folder>",
      "the folder for the outputs; made when it is not there",
    );
  addRuntimeFlags(command)
    .addHelpText("after", EXAMPLES)
    .action(async (model: string, flags: RunFlags) => {
      const inputs = flags.input ?? [];
      checkNames("--input", inputs);
      const { runModel } = await import("../run-model.ts");
      terminal.print(await runModel(model, inputs, flags, terminal));
    });
}
