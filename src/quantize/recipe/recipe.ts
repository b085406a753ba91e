/**
 * Recipes: which operators are quantized how, as ordered rules. The file format is the JSON of ai-edge-quantizer
 * (recipe_manager.py, qtyping.py): an array of entries, of which the last one that fits an operator wins.
 */
import type { BuiltinOperatorName } from "../../formats/tflite/schema.gen.ts";
import type { BlockSize, RangeMethod } from "../weight-format.ts";

/** One rule: which operators, and what becomes of their weights. */
export interface RecipeEntry {
  /** Position in the file, from 0: how messages name the entry. */
  readonly position: number;
  /** Searched for in the operator's scope: the names of its outputs, each followed by ";". */
  readonly regex: RegExp;
  /** "*" is every operator; INPUT and OUTPUT of the graph have no weights. */
  readonly operation: BuiltinOperatorName | "*" | "INPUT" | "OUTPUT";
  /** Absent where the entry says to leave the operator alone. */
  readonly config?: RecipeConfig;
}

/** What an entry says of weights and computation. */
export interface RecipeConfig {
  readonly dtype: "int8" | "int4" | "float16";
  readonly granularity: "channel" | "tensor" | BlockSize;
  readonly method: RangeMethod;
  /** Weights go through DEQUANTIZE instead of being read by the operator. */
  readonly weightOnly: boolean;
  readonly minElements: number;
  /** The entry also applies to operators for which the default policy has no such configuration. */
  readonly skipChecks: boolean;
}

/** Rules in order; for each operator the last that matches holds. */
export interface Recipe {
  readonly name: string;
  readonly entries: readonly RecipeEntry[];
}

/** Algorithms by the names that recipes use. */
export const METHOD_BY_ALGORITHM: Readonly<Record<string, RangeMethod>> = {
  min_max_uniform_quantize: "min_max",
  MSE: "mse",
  OCTAV: "octav",
};
export const FLOAT_CASTING = "float_casting";
export const NO_QUANTIZE = "no_quantize";

/** Operators whose name in recipes differs from the schema's. */
export const OPERATOR_BY_RECIPE_NAME: Readonly<Record<string, BuiltinOperatorName>> = {
  CONV_2D_TRANSPOSE: "TRANSPOSE_CONV",
};
