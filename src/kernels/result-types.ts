/**
 * Types that operators give their results, whatever the file says of them. The official kernels set them before they
 * run (TensorFlow Lite 2.21, Prepare of kernels/*.cc), so a file that names another type runs there, and here too. An
 * operator that is not in the table takes its results as the file has them.
 */
import type { DType } from "../base/dtype.ts";
import type { TensorType } from "../formats/tflite/schema.gen.ts";
import type { KernelNode } from "./kernel.ts";
import { optionsOf } from "./options.ts";

type Rule = (node: KernelNode) => readonly (DType | undefined)[];

/** All results have the type of one operand. */
const like =
  (operand: number): Rule =>
  (node) =>
    node.outputs.map(() => node.inputs[operand]?.dtype);

const always =
  (...types: DType[]): Rule =>
  () =>
    types;

const placeType: Rule = (node) => {
  const type = node.op === "ARG_MAX" ? "ArgMaxOptions" : "ArgMinOptions";
  return [optionsOf(node, type).output_type === "INT64" ? "int64" : "int32"];
};

const SIZE_TYPES: Readonly<Partial<Record<TensorType, DType>>> = { INT32: "int32", INT64: "int64" };

const RULES: Readonly<Record<string, Rule>> = {
  ...rowsOf(like(0), [
    ...["ADD", "SUB", "DIV", "MAXIMUM", "MINIMUM", "POW", "FLOOR_DIV", "FLOOR_MOD"],
    ...["SQUARED_DIFFERENCE", "BITWISE_XOR", "RIGHT_SHIFT", "STABLEHLO_SHIFT_LEFT", "ADD_N"],
    ...["NEG", "FLOOR", "CEIL", "ROUND", "EXP", "PRELU", "FAKE_QUANT", "ZEROS_LIKE", "RANGE"],
    ...["EXPAND_DIMS", "DYNAMIC_UPDATE_SLICE", "GATHER", "GATHER_ND", "SPLIT_V", "DENSIFY"],
    ...["MATRIX_DIAG", "MATRIX_SET_DIAG", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"],
  ]),
  ...rowsOf(like(1), ["SELECT", "SELECT_V2", "SPLIT", "FILL", "SCATTER_ND"]),
  ...rowsOf(like(2), ["SPARSE_TO_DENSE", "ONE_HOT"]),
  ...rowsOf(always("bool"), [
    ...["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"],
    ...["LOGICAL_AND", "LOGICAL_OR"],
  ]),
  ...rowsOf(placeType, ["ARG_MAX", "ARG_MIN"]),
  SHAPE: (node) => [SIZE_TYPES[optionsOf(node, "ShapeOptions").out_type]],
  RANK: always("int32"),
  WHERE: always("int64"),
  BUCKETIZE: always("int32"),
  DEQUANTIZE: always("float32"),
  RFFT2D: always("complex64"),
  NON_MAX_SUPPRESSION_V4: always("int32", "int32"),
  NON_MAX_SUPPRESSION_V5: always("int32", "float32", "int32"),
};

function rowsOf(rule: Rule, operators: readonly string[]): Record<string, Rule> {
  return Object.fromEntries(operators.map((op) => [op, rule]));
}

/**
 * The types of a builtin operator's results, by position; undefined where the file's type stands.
 *
 * @throws {GraphError} when the file carries another operator's options.
 */
export function resultTypes(node: KernelNode): readonly (DType | undefined)[] {
  return Object.hasOwn(RULES, node.op) ? (RULES[node.op]?.(node) ?? []) : [];
}
