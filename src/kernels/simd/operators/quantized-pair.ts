/** ADD, SUB and MUL on broadcast operands of int8, uint8 or int16 over linear memory. */
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../../kernel.ts";
import { type QuantizedMultiplier, quantizedActivationRange } from "../../reference/fixed-point.ts";
import {
  productFactor,
  type QuantizedOperands,
  quantizedOperands,
  sumBits,
  sumFactors,
  sumsByShifts,
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

const BYTES = { operand: 1, result: 1 };
const HALVES = { operand: 2, result: 2 };

/** What the emitted function needs to know of the scales. */
interface PairFactors {
  readonly a: PairOperand;
  readonly b: PairOperand;
  readonly out: QuantizedMultiplier;
}

/** What the options of the operators say here. */
interface PairOptions {
  readonly fused_activation_function: ActivationFunctionType;
  readonly pot_scale_int16?: boolean;
}

export function fastQuantizedPair(
  op: QuantizedPairVariant["op"],
  optionsFor: (node: KernelNode) => PairOptions,
): FastKernel {
  return (request) => {
    const { node } = request;
    const { dtype } = inputAt(node, 0);
    if (dtype !== "int8" && dtype !== "uint8" && dtype !== "int16") return undefined;
    const operands = quantizedOperands(node);
    const { fused_activation_function: activation, pot_scale_int16 } = optionsFor(node);
    if (operands !== undefined && pot_scale_int16 && sumsByShifts(operands)) return undefined;
    const factors = operands && factorsOf(op, operands);
    if (operands === undefined || factors === undefined) return undefined;
    const { multiplier, shift } = factors.out;
    if (shift > 0 || shift < -31) return undefined;
    const range = quantizedActivationRange(node, activation, dtype, operands.out);
    const stage = [multiplier, -shift, operands.out.zeroPoint, range.min, range.max];
    return planPairs(request, dtype === "int16" ? HALVES : BYTES, (repeated) => {
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
  const bits = sumBits(operands.dtype);
  const factors = sumFactors(operands, bits);
  const [left, right] = [operandOf(a, factors.a, bits), operandOf(b, factors.b, bits)];
  if (left === undefined || right === undefined) return undefined;
  return { a: left, b: right, out: factors.out };
}

/** Zero point, left shift and multiplier; undefined where the factor is too small for a left shift. */
function operandOf(
  { zeroPoint }: PerTensorQuantization,
  { multiplier, shift }: QuantizedMultiplier,
  bits: number,
): PairOperand | undefined {
  return bits + shift < 0 ? undefined : [zeroPoint, bits + shift, multiplier];
}
