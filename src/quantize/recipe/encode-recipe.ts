/** Options as a recipe, for the record and for use elsewhere. */
import { UsageError } from "../../base/errors.ts";
import type { QuantizeOptions } from "../options.ts";
import { OPERATOR_PREFIX } from "../selection.ts";
import { DEFAULT_MIN_ELEMENTS } from "../weight-policy.ts";
import { METHOD_BY_ALGORITHM, NO_QUANTIZE, OPERATOR_BY_RECIPE_NAME } from "./recipe.ts";

/** Operators that ai-edge-quantizer does not quantize: entries of their own, past its policy. */
const BEYOND_POLICY = [
  "GATHER",
  "SVDF",
  "RNN",
  "UNIDIRECTIONAL_SEQUENCE_RNN",
  "BIDIRECTIONAL_SEQUENCE_RNN",
  "LSTM",
  "UNIDIRECTIONAL_SEQUENCE_LSTM",
  "BIDIRECTIONAL_SEQUENCE_LSTM",
] as const;

/** Operators that its policy does not allow int4 weights behind a DEQUANTIZE. */
const WEIGHT_ONLY_INT4 = ["DEPTHWISE_CONV_2D"] as const;

/**
 * Writes the options of an integer weight mode as recipe JSON. Patterns become expressions for operator scopes, the
 * only names that recipes match: a pattern that names a constant itself does not carry over.
 *
 * @throws {UsageError} for options that recipes cannot say: float16 for all constants, the ways of TensorFlow 1.13
 */
export function encodeRecipe(options: QuantizeOptions): string {
  const { mode, legacy, include = [], exclude = [] } = options;
  if (options.recipe !== undefined) {
    const found = "options that come from a recipe already";
    const expected = "options of their own";
    throw new UsageError({ where: "option recipe", found, expected, option: "recipe" });
  }
  if (mode === "float16" || legacy !== undefined) {
    const option = legacy === undefined ? "mode" : "legacy";
    throw new UsageError({
      where: `option ${option}`,
      found: `"${legacy ?? mode}"`,
      expected: "mode dynamic_range or weight_only, which recipes can express",
      option,
    });
  }
  const wanted = include.length > 0 ? include.map(scopeOfPattern) : [EVERYTHING];
  const entries = wanted.flatMap((scope) => entriesFor(scope, options));
  const barred = exclude.map(scopeOfPattern);
  const untouched = barred.map((scope) => ({ ...scope, algorithm_key: NO_QUANTIZE }));
  return `${JSON.stringify([...entries, ...untouched], undefined, 2)}\n`;
}

interface Scope {
  readonly regex: string;
  readonly operation: string;
}

const EVERYTHING: Scope = { regex: ".*", operation: "*" };

/** From the form that every operator has to the one that the fewest have: the policy picks the last that it allows. */
function entriesFor(scope: Scope, options: QuantizeOptions): object[] {
  const { mode, weightType, blockSize, ...rest } = options;
  const forms: QuantizeOptions[] = [{ mode, ...rest }];
  if (weightType === "int4") forms.push({ mode, weightType, ...rest });
  if (blockSize !== undefined) forms.push({ ...forms.at(-1)!, blockSize });
  const algorithm_key = algorithmOf(options);
  const allowed = forms.map((form) => ({ ...scope, algorithm_key, op_config: configOf(form) }));
  const unchecked = { ...configOf(forms[1] ?? forms[0]!), skip_checks: true };
  const beyond = [...BEYOND_POLICY, ...(mode === "weight_only" ? WEIGHT_ONLY_INT4 : [])]
    .filter((op) => scope.operation === "*" || scope.operation === op)
    .map((operation) => ({ ...scope, operation, algorithm_key, op_config: unchecked }));
  return [...allowed, ...beyond];
}

function configOf({ mode, weightType, perTensor, blockSize, minElements }: QuantizeOptions) {
  const rows = blockSize === undefined ? "CHANNELWISE" : `BLOCKWISE_${blockSize}`;
  const weightOnly = mode === "weight_only";
  return {
    weight_tensor_config: {
      num_bits: weightType === "int4" ? 4 : 8,
      symmetric: true,
      granularity: perTensor === true ? "TENSORWISE" : rows,
      dtype: "INT",
    },
    compute_precision: weightOnly ? "FLOAT" : "INTEGER",
    explicit_dequantize: weightOnly,
    skip_checks: false,
    min_weight_elements: minElements ?? DEFAULT_MIN_ELEMENTS,
  };
}

function algorithmOf({ method = "min_max" }: QuantizeOptions): string {
  const found = Object.entries(METHOD_BY_ALGORITHM).find(([, known]) => known === method);
  return found?.[0] ?? "min_max_uniform_quantize";
}

function scopeOfPattern(pattern: string): Scope {
  if (!pattern.startsWith(OPERATOR_PREFIX)) return { regex: pattern, operation: "*" };
  const op = pattern.slice(OPERATOR_PREFIX.length).toUpperCase();
  const renamed = Object.entries(OPERATOR_BY_RECIPE_NAME).find(([, name]) => name === op);
  return { regex: ".*", operation: renamed?.[0] ?? op };
}
