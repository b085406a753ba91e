/** `octavo quantize`: the weights of a .tflite file become smaller. */
import type { Command } from "commander";
import {
  addQuantizeOptions,
  MODES_HELP,
  type QuantizeFlags,
  quantizeOptionsOf,
} from "../quantize-flags.ts";
import type { Terminal } from "../terminal.ts";

interface QuantizeCommandFlags extends QuantizeFlags {
  readonly output: string;
  readonly report?: string;
  readonly json?: true;
}

const EXAMPLES = `${MODES_HELP}

Examples:
  $ octavo quantize model.tflite -o small.tflite
  $ octavo quantize model.tflite -o half.tflite --mode float16
  $ octavo quantize model.tflite -o tiny.tflite --weights int4 --block-size 32 --method mse
  $ octavo quantize model.tflite -o custom.tflite --recipe recipe.json
  $ octavo quantize model.tflite -o mixed.tflite --exclude 'op:FULLY_CONNECTED' --exclude '^logits'`;

/** Adds `octavo quantize`. */
export function defineQuantize(program: Command, terminal: Terminal): void {
  const command = program
    .command("quantize")
    .summary("make the weights of a .tflite file smaller")
    .description(
      "Makes the weights of a .tflite file smaller. Everything else in the file stays as it is.",
    )
    .argument("<input>", "the .tflite file to read")
    .requiredOption("-o, --output <file>", "the .tflite file to write");
  addQuantizeOptions(command, "dynamic_range")
    .option("--report <file>", "write a report of what was done to each tensor, and why, as JSON")
    .option("--json", "print the report as JSON instead of a summary")
    .addHelpText("after", EXAMPLES)
    .action(async (input: string, flags: QuantizeCommandFlags) => {
      const { TFLiteConverter } = await import("../../api/tflite-converter.ts");
      const { writeConverted } = await import("../converted.ts");
      const quantizeOptions = await quantizeOptionsOf(flags);
      const converter = await TFLiteConverter.fromTflite(input);
      converter.mode = flags.mode ?? "dynamic_range";
      converter.quantizeOptions = quantizeOptions;
      await writeConverted(converter, input, flags, terminal);
    });
}
