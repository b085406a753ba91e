/** Factors of a full-integer product in the form that emitted stages take. */

import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorInfo } from "../../kernel.ts";
import { quantizedActivationRange, quantizeMultiplier } from "../../reference/fixed-point.ts";
import type { FactorPrecision } from "../../reference/output-stage.ts";
import { requantizationFactors } from "../../reference/output-stage.ts";
import { inputAt, outputAt, perTensorQuantization } from "../../require.ts";

export interface Requantization {
  readonly multipliers: Int32Array;
  /** 2^(31 − r) for a right shift by r. */
  readonly exponents: Int32Array;
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
}

/** Below this magnitude sums with their bias are requantized in doubles (`emitRequantizeSmall`). */
const SMALL_SUM = 2 ** 21;

/** Columns for `emitRequantizeSmall`, one double per channel each. */
export interface DoubleFactors {
  readonly factors: Float64Array;
  readonly offsets: Float64Array;
  readonly steps: Float64Array;
}

/**
 * Factors in doubles; undefined where a sum may be too large. `largest`: bound of |sum| of each channel, without bias.
 */
export function doubleFactors(
  { multipliers, exponents }: Requantization,
  bias: Int32Array,
  largest: ArrayLike<number>,
): DoubleFactors | undefined {
  const isSmall = bias.every((value, c) => Math.abs(value) + (largest[c] ?? 0) < SMALL_SUM);
  if (!isSmall) return undefined;
  const steps = Float64Array.from(exponents, (exponent) => exponent / 2 ** 31);
  const factors = steps.map((step, c) => ((multipliers[c] ?? 0) * step) / 2 ** 31);
  const offsets = steps.map((step, c) => {
    return (bias[c] ?? 0) * (factors[c] ?? 0) + step * (0.5 + 2 ** -32);
  });
  return { factors, offsets, steps };
}

/** Requantization to the node's output; undefined where some factor is not below 1/2 or is 0. */
export function requantizationOf(
  node: KernelNode,
  activation: ActivationFunctionType,
  channels: number,
  precision: FactorPrecision,
  input: TensorInfo = inputAt(node, 0),
): Requantization | undefined {
  const output = outputAt(node, 0);
  if (output.dtype !== "int8" && output.dtype !== "uint8") return undefined;
  const operands = {
    input,
    filter: inputAt(node, 1),
    output,
    channels,
    precision,
  };
  const fixed = Array.from(requantizationFactors(node, operands), quantizeMultiplier);
  if (!fixed.every(({ shift, multiplier }) => shift < 0 && multiplier > 0)) return undefined;
  const quantization = perTensorQuantization(node, output, "output");
  const { min, max } = quantizedActivationRange(node, activation, output.dtype, quantization);
  return {
    multipliers: Int32Array.from(fixed, ({ multiplier }) => multiplier),
    exponents: Int32Array.from(fixed, ({ shift }) => 2 ** (31 + shift)),
    zeroPoint: quantization.zeroPoint,
    low: min,
    high: max,
  };
}
