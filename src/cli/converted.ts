/** The end that `convert` and `quantize` share: writes the model, and the report, and says what was done. */
import type { ConverterReport, TFLiteConverter } from "../api/tflite-converter.ts";
import { UsageError } from "../base/errors.ts";
import { conversionText } from "./conversion-text.ts";
import { withOutputs } from "./outputs.ts";
import { quantizationText } from "./quantization-text.ts";
import type { Terminal } from "./terminal.ts";
import { byteText, jsonText } from "./text.ts";

export interface ConvertedFlags {
  readonly output: string;
  /** Where the report goes, as JSON. */
  readonly report?: string;
  /** Print the report instead of a summary. */
  readonly json?: true;
  /** Where the options go, as a recipe. */
  readonly saveRecipe?: string;
}

/** Converts, writes and reports. `source` is for the report. */
export async function writeConverted(
  converter: TFLiteConverter,
  source: string,
  flags: ConvertedFlags,
  terminal: Terminal,
): Promise<void> {
  const progress = terminal.progress("quantizing");
  converter.quantizeOptions = {
    ...converter.quantizeOptions,
    onProgress: (done, total) => progress.update(done, total),
  };
  try {
    const report = await withOutputs(async (open) => {
      const output = await open(flags.output);
      const reportOutput = flags.report === undefined ? undefined : await open(flags.report);
      const recipeOutput =
        flags.saveRecipe === undefined ? undefined : await open(flags.saveRecipe);
      await recipeOutput?.write(await recipeOf(converter));
      await converter.convertTo(output);
      const document = {
        source,
        output: flags.output,
        byteLength: output.bytesWritten,
        mode: converter.mode ?? "float",
        ...converter.report,
      };
      await reportOutput?.write(new TextEncoder().encode(`${jsonText(document)}\n`));
      return document;
    });
    terminal.warn(report.diagnostics);
    if (flags.json) terminal.printJson(report);
    else terminal.print(summaryOf(report));
  } finally {
    progress.stop();
    await converter.close();
  }
}

/** The converter's options as a recipe. */
async function recipeOf({ mode, quantizeOptions }: TFLiteConverter): Promise<Uint8Array> {
  const { encodeRecipe } = await import("../quantize/recipe/encode-recipe.ts");
  if (mode === undefined || mode === "float") {
    throw new UsageError({
      where: "--save-recipe",
      found: "a model that stays float",
      expected: "a mode that quantizes",
      option: "--save-recipe",
    });
  }
  return new TextEncoder().encode(encodeRecipe({ ...quantizeOptions, mode }));
}

interface ConvertedReport extends ConverterReport {
  readonly output: string;
  readonly byteLength: number;
}

function summaryOf({ output, byteLength, conversion, quantization }: ConvertedReport): string {
  const blocks: string[] = [];
  if (conversion !== undefined) blocks.push(conversionText(conversion));
  if (quantization !== undefined) blocks.push(quantizationText(quantization));
  return [...blocks, `${output}: ${byteText(byteLength)}`].join("\n\n");
}
