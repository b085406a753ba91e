/**
 * Recipe text to entries. Everything that is malformed is an error that names the entry; what is well-formed but asks
 * for more than weights (activations with fixed ranges, algorithms that need data) is collected into one error.
 */
import { UnsupportedError } from "../../base/errors.ts";
import { BUILTIN_OPERATOR, type BuiltinOperatorName } from "../../formats/tflite/schema.gen.ts";
import { BLOCK_SIZES, type BlockSize } from "../weight-format.ts";
import { badJson, checkFields, describeJson, JsonReader } from "./json-reader.ts";
import {
  FLOAT_CASTING,
  METHOD_BY_ALGORITHM,
  NO_QUANTIZE,
  OPERATOR_BY_RECIPE_NAME,
  type Recipe,
  type RecipeConfig,
  type RecipeEntry,
} from "./recipe.ts";

const ENTRY_FIELDS = ["regex", "operation", "algorithm_key", "op_config"];
const CONFIG_FIELDS = [
  "weight_tensor_config",
  "activation_tensor_config",
  "compute_precision",
  "explicit_dequantize",
  "skip_checks",
  "min_weight_elements",
];
const TENSOR_FIELDS = [
  "num_bits",
  "symmetric",
  "granularity",
  "dtype",
  "block_size",
  "algorithm_params",
];
/** Algorithms of ai-edge-quantizer that do more than store weights. */
const OTHER_ALGORITHMS = [
  "dequantized_weight_recovery",
  "HADAMARD_ROTATION",
  "DECOMPOSED_HADAMARD_ROTATION",
  "GPTQ",
  "OSCAR",
];

/**
 * Parses a recipe; `name` is for messages.
 *
 * @throws {FormatError} for anything that is no recipe
 * @throws {UnsupportedError} when entries ask for more than the weight modes; lists all of them
 */
export function parseRecipe(text: string, name = "recipe"): Recipe {
  const document = parseJson(text, name);
  if (!Array.isArray(document)) throw badJson(name, describeJson(document), "an array of entries");
  const missing: string[] = [];
  const entries = document.map((value: unknown, position) =>
    parseEntry(value, `${name}, entry ${position + 1}`, position, missing),
  );
  if (missing.length > 0) {
    throw new UnsupportedError({
      where: name,
      found: missing.join("; "),
      expected: "entries that quantize weights without calibration data",
      remedy: "Change or remove these entries",
      features: missing,
    });
  }
  return { name, entries };
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw badJson(name, `text that is not JSON (${found})`, "a JSON array of entries");
  }
}

function parseEntry(
  value: unknown,
  where: string,
  position: number,
  missing: string[],
): RecipeEntry {
  const entry = new JsonReader(value, where, ENTRY_FIELDS);
  const regex = parseRegex(entry.text("regex"), entry.place("regex"));
  const operation = parseOperation(entry.text("operation"), entry.place("operation"));
  const algorithm = entry.text("algorithm_key");
  const head = { position, regex, operation };
  if (algorithm === NO_QUANTIZE) return head;
  const known = [...Object.keys(METHOD_BY_ALGORITHM), FLOAT_CASTING];
  if (OTHER_ALGORITHMS.includes(algorithm)) {
    missing.push(`entry ${position + 1}: algorithm ${algorithm}`);
    return head;
  }
  if (!known.includes(algorithm)) {
    const expected = `one of ${[NO_QUANTIZE, ...known].join(", ")}`;
    throw badJson(entry.place("algorithm_key"), `"${algorithm}"`, expected);
  }
  const { value: raw, where: place } = entry.value("op_config");
  const lacking: string[] = [];
  const config = parseConfig(new JsonReader(raw, place, CONFIG_FIELDS), algorithm, lacking);
  missing.push(...lacking.map((what) => `entry ${position + 1}: ${what}`));
  return { ...head, config };
}

function parseConfig(config: JsonReader, algorithm: string, missing: string[]): RecipeConfig {
  const precision = config.choice("compute_precision", ["INTEGER", "FLOAT"]);
  const explicit = config.flag("explicit_dequantize", false);
  const { value, where } = config.value("weight_tensor_config");
  const weights = parseWeights(new JsonReader(value, where, TENSOR_FIELDS), algorithm, missing);
  if (config.has("activation_tensor_config")) missing.push("quantized activations");
  if (precision === "FLOAT" && !explicit && weights.dtype !== "float16") {
    missing.push("compute_precision FLOAT without explicit_dequantize");
  }
  return {
    ...weights,
    method: METHOD_BY_ALGORITHM[algorithm] ?? "min_max",
    weightOnly: precision === "FLOAT",
    minElements: config.count("min_weight_elements", 0),
    skipChecks: config.flag("skip_checks", false),
  };
}

function parseWeights(
  weights: JsonReader,
  algorithm: string,
  missing: string[],
): Pick<RecipeConfig, "dtype" | "granularity"> {
  const bits = weights.count("num_bits");
  const kind = weights.choice("dtype", ["INT", "FLOAT"]);
  const granularity = parseGranularity(weights);
  if (weights.has("algorithm_params")) {
    const { value, where } = weights.value("algorithm_params");
    checkFields(value, where, []);
  }
  if ((kind === "FLOAT") !== (algorithm === FLOAT_CASTING)) {
    const wanted = algorithm === FLOAT_CASTING ? "FLOAT" : "INT";
    throw badJson(weights.place("dtype"), `"${kind}" with ${algorithm}`, `"${wanted}"`);
  }
  if (kind === "FLOAT") {
    if (bits !== 16) throw badJson(weights.place("num_bits"), String(bits), "16");
    return { dtype: "float16", granularity };
  }
  if (!weights.flag("symmetric", true)) missing.push("asymmetric weights");
  if (bits !== 8 && bits !== 4) missing.push(`weights of ${bits} bits`);
  if (bits === 8 && typeof granularity === "number") missing.push("blocks of 8-bit weights");
  return { dtype: bits === 4 ? "int4" : "int8", granularity };
}

/** Blocks are a granularity of their own, or in older files a size beside it. */
function parseGranularity(weights: JsonReader): "channel" | "tensor" | BlockSize {
  const size = weights.count("block_size", 0);
  if (size !== 0) return blockSize(size, weights.place("block_size"));
  if (!weights.has("granularity")) return "tensor";
  const text = weights.text("granularity");
  if (text === "TENSORWISE") return "tensor";
  if (text === "CHANNELWISE") return "channel";
  const [, digits] = /^BLOCKWISE_(\d+)$/.exec(text) ?? [];
  if (digits !== undefined) return blockSize(Number(digits), weights.place("granularity"));
  const expected = "TENSORWISE, CHANNELWISE or BLOCKWISE_32, _64, _128, _256";
  throw badJson(weights.place("granularity"), `"${text}"`, expected);
}

function blockSize(size: number, where: string): BlockSize {
  const found = BLOCK_SIZES.find((candidate) => candidate === size);
  if (found === undefined) throw badJson(where, String(size), `one of ${BLOCK_SIZES.join(", ")}`);
  return found;
}

function parseRegex(text: string, where: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw badJson(where, `"${text}"`, "a regular expression");
  }
}

function parseOperation(text: string, where: string): RecipeEntry["operation"] {
  if (text === "*" || text === "INPUT" || text === "OUTPUT") return text;
  const name = OPERATOR_BY_RECIPE_NAME[text] ?? text;
  if ((BUILTIN_OPERATOR as readonly string[]).includes(name)) return name as BuiltinOperatorName;
  throw badJson(where, `"${text}"`, "an operator such as FULLY_CONNECTED, or *");
}
