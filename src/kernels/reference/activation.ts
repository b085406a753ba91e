/** The activation functions that many operators carry in their options ("fused"), on floats. */
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../kernel.ts";
import { unsupported } from "../require.ts";

/** Lowest and highest result of an activation that only clamps. */
export interface ClampRange {
  readonly min: number;
  readonly max: number;
}

const RANGES: Readonly<Partial<Record<ActivationFunctionType, ClampRange>>> = {
  NONE: { min: -Infinity, max: Infinity },
  RELU: { min: 0, max: Infinity },
  RELU_N1_TO_1: { min: -1, max: 1 },
  RELU6: { min: 0, max: 6 },
};

/**
 * The range that a fused activation clamps to.
 *
 * @throws {UnsupportedError} for TANH and SIGN_BIT, which TensorFlow Lite fuses nowhere but in recurrent operators.
 */
export function clampRange(node: KernelNode, activation: ActivationFunctionType): ClampRange {
  const range = RANGES[activation];
  if (range === undefined) throw unsupported(node, `with fused activation ${activation}`);
  return range;
}

/** Clamps in place. NaN stays NaN. */
export function clampInPlace(values: Float32Array, { min, max }: ClampRange): void {
  if (min === -Infinity && max === Infinity) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value < min) values[i] = min;
    else if (value > max) values[i] = max;
  }
}
