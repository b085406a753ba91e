/** ADD and SUB of int8 or uint8 operands of one shape over linear memory. */
import { elementCount, sameShape } from "../../../base/shape.ts";
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../../kernel.ts";
import { type QuantizedMultiplier, quantizedActivationRange } from "../../reference/fixed-point.ts";
import { quantizedOperands, sumFactors } from "../../reference/quantized-arithmetic.ts";
import { inputAt, type PerTensorQuantization } from "../../require.ts";
import {
  emitQuantizedSum,
  type QuantizedSumFunction,
  quantizedSumName,
  type SumOperand,
} from "../elementwise/emit-quantized-sum.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";

/** Extra bits that operands of 8 bits get in the common scale. */
const BITS = 20;

export function fastQuantizedSum(
  sign: "add" | "sub",
  activationOf: (node: KernelNode) => ActivationFunctionType,
): FastKernel {
  return ({ node, known }) => {
    const [a, b] = [inputAt(node, 0), inputAt(node, 1)];
    if ((a.dtype !== "int8" && a.dtype !== "uint8") || !sameShape(a.shape, b.shape))
      return undefined;
    const operands = quantizedOperands(node);
    if (operands === undefined || known(0) !== undefined || known(1) !== undefined)
      return undefined;
    const factors = sumFactors(operands, BITS);
    const [left, right] = [operandOf(operands.a, factors.a), operandOf(operands.b, factors.b)];
    const { multiplier, shift } = factors.out;
    if (left === undefined || right === undefined || shift > 0 || shift < -31) return undefined;
    const range = quantizedActivationRange(node, activationOf(node), a.dtype, operands.out);
    const variant = { dtype: a.dtype, sign };
    const count = elementCount(a.shape);
    const stage = [multiplier, -shift, operands.out.zeroPoint, range.min, range.max] as const;
    return {
      variant: quantizedSumName(variant),
      functions: [
        { name: quantizedSumName(variant), emit: (module) => emitQuantizedSum(module, variant) },
      ],
      persistentBytes: 0,
      scratchBytes: 0,
      bind(place) {
        const run = place.call<QuantizedSumFunction>(quantizedSumName(variant));
        return ([x, y], [output]) => {
          run(addressOf(x), addressOf(y), addressOf(output), count, ...left, ...right, ...stage);
        };
      },
    };
  };
}

/** Zero point, left shift and multiplier; undefined where the factor is too small for a left shift. */
function operandOf(
  { zeroPoint }: PerTensorQuantization,
  { multiplier, shift }: QuantizedMultiplier,
): SumOperand | undefined {
  return BITS + shift < 0 ? undefined : [zeroPoint, BITS + shift, multiplier];
}
