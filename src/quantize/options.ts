/** What callers ask for, and the policy that comes of it. */
import { type Diagnostic, UsageError } from "../base/errors.ts";
import type { Policy } from "./policy.ts";
import type { Recipe } from "./recipe/recipe.ts";
import { recipePolicy } from "./recipe/recipe-policy.ts";
import { type PatternSelection, selectByPattern } from "./selection.ts";
import type { Progress } from "./store.ts";
import { BLOCK_SIZES, type BlockSize, RANGE_METHODS, type RangeMethod } from "./weight-format.ts";
import { DEFAULT_MIN_ELEMENTS, float16Policy, r113Policy, weightPolicy } from "./weight-policy.ts";

/** The modes that need no data: what happens to weights only. */
const WEIGHT_MODES = ["dynamic_range", "weight_only", "float16"] as const;
/** One of the modes. */
export type WeightMode = (typeof WEIGHT_MODES)[number];

/** What the quantizer does, and to which weights. */
export interface QuantizeOptions {
  /**
   * "dynamic_range": int8 weights that kernels multiply with activations quantized on the fly.
   * "weight_only": int8 weights that DEQUANTIZE turns into floats, once, before anything runs.
   * "float16": all float constants as half floats, with DEQUANTIZE.
   */
  readonly mode: WeightMode;
  /** "int8" by default. "int4" where kernels read that (elsewhere int8), in the range −7 … 7. */
  readonly weightType?: "int8" | "int4";
  /** One scale per tensor instead of one per channel. */
  readonly perTensor?: boolean;
  /** One scale for so many elements of a row instead of one per channel; needs weightType "int4". */
  readonly blockSize?: BlockSize;
  /** How the range of a weight is found: "min_max" by default. */
  readonly method?: RangeMethod;
  /** Weights with fewer elements stay float; 1024 by default. float16 takes all. */
  readonly minElements?: number;
  /** Only constants that one of these patterns matches: `op:TYPE`, or a regular expression for names. */
  readonly include?: readonly string[];
  /** No constant that one of these patterns matches. */
  readonly exclude?: readonly string[];
  /** Whether hybrid operators quantize activations asymmetrically; true by default, as in the official converter. */
  readonly asymmetricInputs?: boolean;
  /** Moves scale between the channels of consecutive convolutions first, so that one scale suits them all. */
  readonly equalize?: boolean;
  /** Takes the mean error of quantized weights back in the biases. */
  readonly correctBiases?: boolean;
  /** Weights as TensorFlow 1.13 made them: per tensor, and its list of operators. Needs mode "dynamic_range". */
  readonly legacy?: "r1.13";
  /** Decides operator by operator instead of the options above; asymmetricInputs and the repairs still count. */
  readonly recipe?: Recipe;
  readonly onProgress?: Progress;
}

/** A policy, and what there is to remark once it has seen the model. */
export interface ResolvedOptions {
  readonly policy: Policy;
  diagnose(): readonly Diagnostic[];
}

/** @throws {UsageError} when options contradict each other or make no sense */
export function resolveOptions(options: QuantizeOptions): ResolvedOptions {
  const { mode, legacy, recipe } = options;
  if (recipe !== undefined) {
    checkRecipeOptions(options);
    return recipePolicy(recipe, { asymmetricInputs: options.asymmetricInputs ?? true });
  }
  if (!WEIGHT_MODES.includes(mode)) {
    throw usage("mode", `"${mode}"`, `one of ${WEIGHT_MODES.join(", ")}`);
  }
  const minElements = options.minElements ?? DEFAULT_MIN_ELEMENTS;
  if (!Number.isInteger(minElements) || minElements < 0) {
    throw usage("minElements", String(minElements), "a whole number of elements");
  }
  if (legacy !== undefined && legacy !== "r1.13") throw usage("legacy", `"${legacy}"`, '"r1.13"');
  if (legacy !== undefined && mode !== "dynamic_range") {
    throw usage("legacy", `"${legacy}" in mode ${mode}`, "mode dynamic_range");
  }
  checkFormat(options);
  const selection = selectByPattern(options.include ?? [], options.exclude ?? []);
  return {
    policy: policyOf(options, minElements, selection),
    diagnose: () => selection.unmatched().map(unmatchedPattern),
  };
}

function policyOf(
  options: QuantizeOptions,
  minElements: number,
  { select }: PatternSelection,
): Policy {
  const { mode, legacy, weightType, blockSize, method } = options;
  if (mode === "float16") return float16Policy(select);
  if (legacy === "r1.13") return r113Policy({ minElements, select });
  return weightPolicy({
    weightOnly: mode === "weight_only",
    dtype: weightType ?? "int8",
    granularity: options.perTensor === true ? "tensor" : (blockSize ?? "channel"),
    method: method ?? "min_max",
    minElements,
    asymmetricInputs: options.asymmetricInputs ?? true,
    select,
  });
}

function unmatchedPattern(pattern: string): Diagnostic {
  return { id: "pattern-without-match", text: `The pattern "${pattern}" matches no constant.` };
}

/** A recipe says all of this itself. */
function checkRecipeOptions({
  perTensor,
  minElements,
  include,
  exclude,
  ...rest
}: QuantizeOptions) {
  const { legacy, weightType, blockSize, method } = rest;
  const others = {
    perTensor,
    minElements,
    include,
    exclude,
    legacy,
    weightType,
    blockSize,
    method,
  };
  const found = Object.entries(others).find(([, value]) => value !== undefined);
  if (found !== undefined) throw usage(found[0], "a value beside a recipe", "one or the other");
}

/** The stored form: options that need each other or exclude each other. */
function checkFormat(options: QuantizeOptions): void {
  const { mode, legacy, weightType, perTensor, blockSize, method, equalize, correctBiases } =
    options;
  if (weightType !== undefined && weightType !== "int8" && weightType !== "int4") {
    throw usage("weightType", `"${weightType}"`, '"int8" or "int4"');
  }
  if (blockSize !== undefined && !BLOCK_SIZES.includes(blockSize)) {
    throw usage("blockSize", String(blockSize), `one of ${BLOCK_SIZES.join(", ")}`);
  }
  if (method !== undefined && !RANGE_METHODS.includes(method)) {
    throw usage("method", `"${method}"`, `one of ${RANGE_METHODS.join(", ")}`);
  }
  if (blockSize !== undefined && weightType !== "int4") {
    throw usage("blockSize", "blocks of int8 weights, which no kernel reads", 'weightType "int4"');
  }
  if (blockSize !== undefined && perTensor === true) {
    throw usage("blockSize", "blocks together with perTensor", "one of the two");
  }
  if (mode === "float16" && (equalize || correctBiases)) {
    const option = equalize ? "equalize" : "correctBiases";
    throw usage(option, "true in mode float16", "an integer mode, half floats need no repair");
  }
  if (mode === "float16" || legacy !== undefined) {
    const found = Object.entries({ weightType, perTensor, blockSize, method }).find(
      ([, value]) => value !== undefined,
    );
    const where = legacy === undefined ? `mode ${mode}` : `legacy ${legacy}`;
    if (found !== undefined)
      throw usage(found[0], `a value in ${where}`, "none, it fixes the form");
  }
}

function usage(option: string, found: string, expected: string): UsageError {
  return new UsageError({ where: `option ${option}`, found, expected, option });
}
