/** Which of the three arithmetics a product of activations and weights runs in, told from its element types. */
import type { DType } from "../../base/dtype.ts";
import type { KernelNode } from "../kernel.ts";
import { inputAt, outputAt, requireOperands, unsupported } from "../require.ts";

/**
 * float: both float32. hybrid: float activations, weights of 8 bits or fewer. integer: both quantized.
 */
export type ArithmeticKind = "float" | "hybrid" | "integer";

/** Positions of the operands of a product. */
export interface ProductOperands {
  readonly input: number;
  readonly filter: number;
  /** Absent where the operator has no bias at all. */
  readonly bias?: number;
  /** By type of the input, another type that the output may have. */
  readonly widerOutput?: Readonly<Partial<Record<DType, DType>>>;
}

const CONVOLUTION: ProductOperands = { input: 0, filter: 1, bias: 2 };

const FILTERS: Readonly<Partial<Record<DType, readonly DType[]>>> = {
  float32: ["float32", "int8", "uint8", "int4", "int2"],
  int8: ["int8", "int4", "int2"],
  uint8: ["uint8"],
  int16: ["int8", "int4", "int2"],
};

const BIASES: Readonly<Partial<Record<DType, readonly DType[]>>> = {
  float32: ["float32"],
  int8: ["int32"],
  uint8: ["int32"],
  int16: ["int64", "int32"],
};

/** The arithmetic of an operator that `requireProductTypes` has passed. */
export function arithmeticOf(
  node: KernelNode,
  operands: ProductOperands = CONVOLUTION,
): ArithmeticKind {
  if (inputAt(node, operands.input).dtype !== "float32") return "integer";
  return inputAt(node, operands.filter).dtype === "float32" ? "float" : "hybrid";
}

/**
 * Requires input, filter, optional bias and output to be of types that go together.
 *
 * @throws {UnsupportedError} that names the types.
 */
export function requireProductTypes(
  node: KernelNode,
  operands: ProductOperands = CONVOLUTION,
): void {
  const { bias: biasAt, widerOutput } = operands;
  const least = Math.max(operands.input, operands.filter) + 1;
  requireOperands(node, [least, biasAt === undefined ? least : biasAt + 1]);
  const input = inputAt(node, operands.input).dtype;
  const filter = inputAt(node, operands.filter).dtype;
  const bias = biasAt === undefined ? undefined : node.inputs[biasAt]?.dtype;
  const output = outputAt(node, 0).dtype;
  const fits =
    FILTERS[input]?.includes(filter) &&
    (output === input || output === widerOutput?.[input]) &&
    (bias === undefined || BIASES[input]?.includes(bias));
  if (fits) return;
  const operandTypes = [input, filter, ...(bias === undefined ? [] : [bias])].join(", ");
  throw unsupported(node, `on (${operandTypes}) to ${output}`);
}
