/** ADD, SUB and MUL on broadcast operands of int8 or uint8 over linear memory. */
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../../kernel.ts";
import { type QuantizedMultiplier, quantizedActivationRange } from "../../reference/fixed-point.ts";
import {
  productFactor,
  type QuantizedOperands,
  quantizedOperands,
  sumFactors,
} from "../../reference/quantized-arithmetic.ts";
import { inputAt, type PerTensorQuantization } from "../../require.ts";
import {
  emitQuantizedPair,
  type PairOperand,
  type QuantizedPairVariant,
  quantizedPairName,
} from "../elementwise/emit-quantized-pair.ts";
import type { FastKernel } from "../fast-kernel.ts";
import { planPairs } from "./pair-plan.ts";

/** Extra bits that operands of 8 bits get in the common scale. */
const BITS = 20;
const BYTES = { operand: 1, result: 1 };

/** What the emitted function needs to know of the scales. */
interface PairFactors {
  readonly a: PairOperand;
  readonly b: PairOperand;
  readonly out: QuantizedMultiplier;
}

export function fastQuantizedPair(
  op: QuantizedPairVariant["op"],
  activationOf: (node: KernelNode) => ActivationFunctionType,
): FastKernel {
  return (request) => {
    const { node } = request;
    const { dtype } = inputAt(node, 0);
    if (dtype !== "int8" && dtype !== "uint8") return undefined;
    const operands = quantizedOperands(node);
    const factors = operands && factorsOf(op, operands);
    if (operands === undefined || factors === undefined) return undefined;
    const { multiplier, shift } = factors.out;
    if (shift > 0 || shift < -31) return undefined;
    const range = quantizedActivationRange(node, activationOf(node), dtype, operands.out);
    const stage = [multiplier, -shift, operands.out.zeroPoint, range.min, range.max];
    return planPairs(request, BYTES, (repeated) => {
      const variant = { dtype, op, repeated };
      return {
        name: quantizedPairName(variant),
        emit: (module) => emitQuantizedPair(module, variant),
        rest: [...factors.a, ...factors.b, ...stage],
      };
    });
  };
}

/** Undefined where a factor to the common scale is too small for a left shift. */
function factorsOf(
  op: QuantizedPairVariant["op"],
  operands: QuantizedOperands,
): PairFactors | undefined {
  const { a, b } = operands;
  if (op === "mul") {
    return { a: [a.zeroPoint, 0, 0], b: [b.zeroPoint, 0, 0], out: productFactor(operands) };
  }
  const factors = sumFactors(operands, BITS);
  const [left, right] = [operandOf(a, factors.a), operandOf(b, factors.b)];
  if (left === undefined || right === undefined) return undefined;
  return { a: left, b: right, out: factors.out };
}

/** Zero point, left shift and multiplier; undefined where the factor is too small for a left shift. */
function operandOf(
  { zeroPoint }: PerTensorQuantization,
  { multiplier, shift }: QuantizedMultiplier,
): PairOperand | undefined {
  return BITS + shift < 0 ? undefined : [zeroPoint, BITS + shift, multiplier];
}
