/**
 * EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL: bool results on broadcast operands. Quantized 8-bit
 * operands (and int16 ones for equality) are compared after both are brought to a common fixed-point scale:
 * (q − z)·2^8·s, rounded (TensorFlow Lite 2.21, kernels/comparisons.cc).
 */
import type { Kernel, KernelNode, KernelTable, TensorInfo } from "../kernel.ts";
import { inputAt, perTensorQuantization } from "../require.ts";
import { isQuantized } from "./elements.ts";
import { multiplyByQuantizedMultiplier, quantizeMultiplier } from "./fixed-point.ts";
import { halfFormat } from "./half.ts";
import { type Pair, pairKernel } from "./pairwise.ts";

/** A comparison that works alike on numbers and bigints. */
type Comparison = (a: number | bigint, b: number | bigint) => boolean;

/** The function that brings stored integers of an operand to the common scale. */
function rescaler(node: KernelNode, operand: TensorInfo, role: string): (q: number) => number {
  const { scale, zeroPoint } = perTensorQuantization(node, operand, role);
  const { multiplier, shift } = quantizeMultiplier(scale);
  return (q) => multiplyByQuantizedMultiplier((q - zeroPoint) * 256, multiplier, shift);
}

function rescaled(node: KernelNode, compare: Comparison): Pair {
  const toCommonA = rescaler(node, inputAt(node, 0), "input");
  const toCommonB = rescaler(node, inputAt(node, 1), "second input");
  return (a: number, b: number) => compare(toCommonA(a), toCommonB(b));
}

function comparisonPair(node: KernelNode, compare: Comparison): Pair | undefined {
  const { dtype } = inputAt(node, 0);
  const half = halfFormat(dtype);
  if (half !== undefined) return (a: number, b: number) => compare(half.read(a), half.read(b));
  switch (dtype) {
    case "float32":
    case "int32":
    case "int64":
      return compare;
    case "int8":
    case "uint8":
      return rescaled(node, compare);
    default:
      return undefined;
  }
}

/** Ordering compares stored int16 values whatever their scales. */
function ordering(compare: Comparison): Kernel {
  return pairKernel(
    (node) => (inputAt(node, 0).dtype === "int16" ? compare : comparisonPair(node, compare)),
    "bool",
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function equality(wanted: boolean): Kernel {
  const compare: Comparison = (a, b) => (a === b) === wanted;
  return pairKernel((node) => {
    const operand = inputAt(node, 0);
    if (operand.dtype === "bool") return (a: number, b: number) => (!a === !b) === wanted;
    if (operand.dtype === "string") {
      return (a: Uint8Array, b: Uint8Array) => sameBytes(a, b) === wanted;
    }
    if (operand.dtype !== "int16") return comparisonPair(node, compare);
    return isQuantized(operand) ? rescaled(node, compare) : compare;
  }, "bool");
}

export const COMPARISON: KernelTable = {
  EQUAL: equality(true),
  NOT_EQUAL: equality(false),
  GREATER: ordering((a, b) => a > b),
  GREATER_EQUAL: ordering((a, b) => a >= b),
  LESS: ordering((a, b) => a < b),
  LESS_EQUAL: ordering((a, b) => a <= b),
};
