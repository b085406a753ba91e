/** The options that `convert` and `quantize` share: what becomes of the weights. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ConverterMode } from "../api/tflite-converter.ts";
import type { QuantizeOptions } from "../quantize/options.ts";
import type { Recipe } from "../quantize/recipe/recipe.ts";
import {
  BLOCK_SIZES,
  type BlockSize,
  RANGE_METHODS,
  type RangeMethod,
} from "../quantize/weight-format.ts";
import { wholeNumber } from "./arguments.ts";

/** What commander makes of the options that `addQuantizeOptions` defines. */
export interface QuantizeFlags {
  readonly mode?: ConverterMode;
  readonly perTensor?: true;
  readonly minElements?: number;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly asymmetricInputs?: "on" | "off";
  readonly legacy?: "r1.13";
  readonly weights?: "int8" | "int4";
  readonly blockSize?: BlockSize;
  readonly method?: RangeMethod;
  readonly equalize?: true;
  readonly correctBiases?: true;
  readonly recipe?: string;
  readonly saveRecipe?: string;
}

const MODES: readonly ConverterMode[] = ["float", "dynamic_range", "weight_only", "float16"];
/** Names that are reserved for modes that need calibration data. */
const LATER = ["int8", "int16x8"];

/** Adds the options to a command, `--mode` with the given default. */
export function addQuantizeOptions(command: Command, standard: ConverterMode): Command {
  const modeText = `what becomes of the weights: ${MODES.join(", ")} (default: ${standard})`;
  return command
    .option("--mode <mode>", modeText, mode)
    .option("--per-tensor", "one scale for each weight tensor instead of one for each channel")
    .option(
      "--min-elements <count>",
      "weights with fewer elements stay float (default: 1024)",
      wholeNumber(0),
    )
    .option(
      "--include <pattern>",
      "only weights that match: op:TYPE, or a regular expression for names; may be repeated",
      appended,
    )
    .option("--exclude <pattern>", "no weights that match; may be repeated", appended)
    .addOption(
      new Option(
        "--asymmetric-inputs <choice>",
        "whether hybrid kernels quantize activations with a zero point (default: on)",
      ).choices(["on", "off"]),
    )
    .addOption(
      new Option("--legacy <release>", "quantize as that release of TensorFlow did").choices([
        "r1.13",
      ]),
    )
    .addOption(
      new Option("--weights <type>", "type of quantized weights (default: int8)").choices([
        "int8",
        "int4",
      ]),
    )
    .option(
      "--block-size <elements>",
      `with int4, one scale for so many elements of a row: ${BLOCK_SIZES.join(", ")}`,
      blockSize,
    )
    .addOption(
      new Option(
        "--method <name>",
        "how the range of a weight is found (default: min_max)",
      ).choices(RANGE_METHODS),
    )
    .option("--equalize", "move scale between the channels of consecutive convolutions first")
    .option("--correct-biases", "take the mean error of quantized weights back in the biases")
    .option("--recipe <file>", "decide operator by operator, as a recipe of ai-edge-quantizer says")
    .option("--save-recipe <file>", "write these options as such a recipe");
}

/**
 * The details of the quantization, as the library takes them.
 * @throws {IoError | FormatError | UnsupportedError} when the recipe cannot be read or obeyed
 */
export async function quantizeOptionsOf(
  flags: QuantizeFlags,
): Promise<Omit<QuantizeOptions, "mode">> {
  const { perTensor, minElements, include, exclude, asymmetricInputs, legacy } = flags;
  const { weights, blockSize, method, equalize, correctBiases, recipe } = flags;
  return {
    ...(perTensor === undefined ? {} : { perTensor }),
    ...(minElements === undefined ? {} : { minElements }),
    ...(include === undefined ? {} : { include }),
    ...(exclude === undefined ? {} : { exclude }),
    ...(asymmetricInputs === undefined ? {} : { asymmetricInputs: asymmetricInputs === "on" }),
    ...(legacy === undefined ? {} : { legacy }),
    ...(weights === undefined ? {} : { weightType: weights }),
    ...(blockSize === undefined ? {} : { blockSize }),
    ...(method === undefined ? {} : { method }),
    ...(equalize === undefined ? {} : { equalize }),
    ...(correctBiases === undefined ? {} : { correctBiases }),
    ...(recipe === undefined ? {} : { recipe: await openRecipe(recipe) }),
  };
}

async function openRecipe(path: string): Promise<Recipe> {
  const { readWholeFile } = await import("../node/file-source.ts");
  const { parseRecipe } = await import("../quantize/recipe/parse-recipe.ts");
  return parseRecipe(new TextDecoder().decode(await readWholeFile(path)), path);
}

/** Explains the modes below a command's options. */
export const MODES_HELP = `
Modes:
  float          weights stay as they are
  dynamic_range  int8 weights; convolutions, fully connected and recurrent layers compute with them (hybrid)
  weight_only    int8 weights, widened to float when the model is loaded: as small, computed in float
  float16        half-precision weights, widened to float when the model is loaded: half the size, nearly exact`;

function mode(text: string): ConverterMode {
  const known = MODES.find((name) => name === text);
  if (known !== undefined) return known;
  throw new InvalidArgumentError(
    LATER.includes(text)
      ? "Modes that need calibration data are not there yet; dynamic_range needs none."
      : `Expected one of ${MODES.join(", ")}.`,
  );
}

function blockSize(text: string): BlockSize {
  const known = BLOCK_SIZES.find((size) => String(size) === text);
  if (known === undefined) {
    throw new InvalidArgumentError(`Expected one of ${BLOCK_SIZES.join(", ")}.`);
  }
  return known;
}

function appended(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}
