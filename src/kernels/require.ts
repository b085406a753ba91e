/**
 * What kernels ask of an operator before anything runs, in the words of the error classes: operand counts, element
 * types, ranks, quantization. Each function throws a typed error that names the operator and the operand.
 */
import { bitsOf, type DType } from "../base/dtype.ts";
import { ExecutionError, GraphError, ShapeError, UnsupportedError } from "../base/errors.ts";
import { formatShape, type Shape } from "../base/shape.ts";
import type { KernelNode, TensorInfo } from "./kernel.ts";

/** Builds the error for something legal that this kernel does not do; `feature` completes "<OP> ...". */
export function unsupported(node: KernelNode, feature: string): UnsupportedError {
  return new UnsupportedError({
    where: node.where,
    found: `${node.op} ${feature}`,
    expected: "a combination that this version implements",
    features: [`${node.op} ${feature}`],
  });
}

/** Builds the error for operands whose shapes do not fit together. */
export function misshapen(node: KernelNode, found: string, expected: string): ShapeError {
  return new ShapeError({ where: node.where, found, expected });
}

/** Requires between `min` and `max` inputs (absent optional ones count) and exactly `outputs` outputs. */
export function requireOperands(
  node: KernelNode,
  [min, max]: readonly [min: number, max: number],
  outputs = 1,
): void {
  const given = node.inputs.length;
  if (given >= min && given <= max && node.outputs.length === outputs) return;
  const wanted = min === max ? `${min}` : max === Infinity ? `at least ${min}` : `${min} to ${max}`;
  throw new GraphError({
    where: node.where,
    found: `${given} inputs and ${node.outputs.length} outputs`,
    expected: `${wanted} inputs and ${outputs} outputs`,
    node: node.op,
  });
}

/** The input at `index`, which must be there. */
export function inputAt(node: KernelNode, index: number): TensorInfo {
  const input = node.inputs[index];
  if (input !== undefined) return input;
  throw new GraphError({
    where: node.where,
    found: `no input ${index}`,
    expected: "an operand that is not optional",
    node: node.op,
  });
}

/** The output at `index`, which must be there. */
export function outputAt(node: KernelNode, index: number): TensorInfo {
  const output = node.outputs[index];
  if (output !== undefined) return output;
  throw new GraphError({
    where: node.where,
    found: `no output ${index}`,
    expected: "one more output",
    node: node.op,
  });
}

/** Requires one of `types`; `role` is the operand's name in messages ("input", "filter", "axis" ...). */
export function requireType(
  node: KernelNode,
  operand: TensorInfo,
  types: readonly DType[],
  role: string,
): void {
  if (!types.includes(operand.dtype)) throw unsupported(node, `with ${role} ${operand.dtype}`);
}

/** Requires `b` to have the type of `a`. */
export function requireSameType(
  node: KernelNode,
  a: TensorInfo,
  b: TensorInfo,
  role: string,
): void {
  if (a.dtype !== b.dtype) throw unsupported(node, `on ${a.dtype} with ${role} ${b.dtype}`);
}

/** Requires elements that do not share bytes, for kernels that write them in place. */
export function requireWholeBytes(node: KernelNode, operand: TensorInfo): void {
  if ((bitsOf(operand.dtype) ?? 8) < 8) throw unsupported(node, `on ${operand.dtype}`);
}

/** Requires a rank between `min` and `max`. Call from `shapes`: ranks are only certain when shapes are. */
export function requireRank(
  node: KernelNode,
  shape: Shape,
  [min, max]: readonly [min: number, max: number],
  role: string,
): void {
  if (shape.length >= min && shape.length <= max) return;
  const wanted = min === max ? `rank ${min}` : `rank ${min} to ${max}`;
  throw misshapen(node, `${role} of shape ${formatShape(shape)}`, wanted);
}

/** Requires exactly one element, whatever the rank. Call from `shapes`, like `requireRank`. */
export function requireOne(node: KernelNode, { shape }: TensorInfo, role: string): void {
  if (shape.every((size) => size === 1)) return;
  throw misshapen(node, `${role} of shape ${formatShape(shape)}`, "one element");
}

/** Scale and zero point of a tensor quantized as a whole. */
export interface PerTensorQuantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The per-tensor quantization of an operand; throws when there is none, or one per channel. */
export function perTensorQuantization(
  node: KernelNode,
  operand: TensorInfo,
  role: string,
): PerTensorQuantization {
  const scales = operand.quantization?.scale;
  const scale = scales?.[0];
  if (scales?.length === 1 && scale !== undefined) {
    return { scale, zeroPoint: operand.quantization?.zeroPoint[0] ?? 0 };
  }
  throw new GraphError({
    where: node.where,
    found: `${role} ${JSON.stringify(operand.name)} (${operand.dtype}) with ${scales?.length ?? 0} scales`,
    expected: "one scale and zero point",
    node: node.op,
  });
}

/** Builds the error for a value inside a tensor that the operator cannot work with; raised while running. */
export function badValue(node: KernelNode, found: string, expected: string): ExecutionError {
  return new ExecutionError({ where: node.where, found, expected, kernel: node.op });
}
