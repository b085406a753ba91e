/** Activations of recurrent operators, on float32 vectors in place. */
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../kernel.ts";
import { unsupported } from "../require.ts";

/** A function of one number. */
export type ScalarFunction = (x: number) => number;

/** 1 / (1 + e^−x). */
export const sigmoid: ScalarFunction = (x) => 1 / (1 + Math.exp(-x));

const FUNCTIONS: Readonly<Partial<Record<ActivationFunctionType, ScalarFunction>>> = {
  NONE: (x) => x,
  RELU: (x) => Math.max(0, x),
  RELU_N1_TO_1: (x) => Math.max(-1, Math.min(1, x)),
  RELU6: (x) => Math.max(0, Math.min(6, x)),
  TANH: Math.tanh,
};

/**
 * The function of an activation.
 *
 * @throws {UnsupportedError} for SIGN_BIT.
 */
export function activationFunction(
  node: KernelNode,
  activation: ActivationFunctionType,
): ScalarFunction {
  const f = FUNCTIONS[activation];
  if (f === undefined) throw unsupported(node, `with activation ${activation}`);
  return f;
}

/** values[i] = f(values[i]). */
export function applyInPlace(values: Float32Array, f: ScalarFunction): void {
  for (let i = 0; i < values.length; i++) values[i] = f(values[i]);
}

/** Limits values to ±clip; 0 means no limit. */
export function clipInPlace(values: Float32Array, clip: number): void {
  if (clip <= 0) return;
  for (let i = 0; i < values.length; i++) values[i] = Math.max(-clip, Math.min(clip, values[i]));
}
