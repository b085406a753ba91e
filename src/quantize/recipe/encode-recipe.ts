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

/**
 * Writes the options of an integer weight mode as recipe JSON. Patterns become expressions for operator scopes, the
 * only names that recipes match: a pattern that names a constant itself does not carry over.
 *
 * @throws {UsageError} for options that recipes cannot say: float16 for all constants, the ways of TensorFlow 1.13
 */
export function encodeRecipe(options: QuantizeOptions): string {
  const { mode, legacy, include = [], exclude = [] } = options;
  if (mode === "float16" || legacy !== undefined) {
    const option = legacy === undefined ? "mode" : "legacy";
    throw new UsageError({
      where: `option ${option}`,
      found: `"${legacy ?? mode}"`,
      expected: "mode dynamic_range or weight_only, which recipes can express",
      option,
    });
  }
  const opConfig = configOf(options);
  const algorithm = algorithmOf(options);
  const wanted =
    include.length > 0 ? include.map(scopeOfPattern) : [{ regex: ".*", operation: "*" }];
  const entries = wanted.flatMap((scope) => {
    const entry = { ...scope, algorithm_key: algorithm, op_config: opConfig };
    const unchecked = { ...opConfig, skip_checks: true };
    const beyond = BEYOND_POLICY.filter((op) => scope.operation === "*" || scope.operation === op);
    return [entry, ...beyond.map((operation) => ({ ...entry, operation, op_config: unchecked }))];
  });
  const barred = exclude
    .map(scopeOfPattern)
    .map((scope) => ({ ...scope, algorithm_key: NO_QUANTIZE }));
  return `${JSON.stringify([...entries, ...barred], undefined, 2)}\n`;
}

function configOf({ mode, weightType, perTensor, blockSize, minElements }: QuantizeOptions) {
  const granularity =
    perTensor === true
      ? "TENSORWISE"
      : blockSize === undefined
        ? "CHANNELWISE"
        : `BLOCKWISE_${blockSize}`;
  const weightOnly = mode === "weight_only";
  return {
    weight_tensor_config: {
      num_bits: weightType === "int4" ? 4 : 8,
      symmetric: true,
      granularity,
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

function scopeOfPattern(pattern: string): { regex: string; operation: string } {
  if (!pattern.startsWith(OPERATOR_PREFIX)) return { regex: pattern, operation: "*" };
  const op = pattern.slice(OPERATOR_PREFIX.length).toUpperCase();
  const renamed = Object.entries(OPERATOR_BY_RECIPE_NAME).find(([, name]) => name === op);
  return { regex: ".*", operation: renamed?.[0] ?? op };
}
