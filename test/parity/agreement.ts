/**
 * Runs a model on emitted kernels and on the reference, on the same random inputs, and holds the outcomes to each other:
 * to the bit, or within a few roundings for sums of floats.
 */
import fc from "fast-check";
import { expect } from "vitest";
import type { Model } from "../../src/model/ir.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import type { OperandSpec } from "../one-operator-model.ts";

/** Largest float difference over the largest value: a few roundings of sums of up to some thousand terms. */
export const FLOAT_BOUND = 1e-5;
export const RUNS = { numRuns: 60, seed: 20261124 };

export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
}

export type Output = Float32Array | Int8Array | Uint8Array;

export interface Outcome {
  readonly outputs: readonly Output[];
  readonly variants: readonly (string | undefined)[];
}

export async function run(
  model: Model | Uint8Array,
  kernels: "simd" | "reference",
  invocations = 1,
): Promise<Outcome> {
  const variants: (string | undefined)[] = [];
  const interpreter = await Interpreter.create(model, {
    kernels,
    observe: ({ variant }) => variants.push(variant),
  });
  const next = uniform(99);
  const outputs: Output[] = [];
  for (let invocation = 0; invocation < invocations; invocation++) {
    for (const { index, shape, dtype } of interpreter.getInputDetails()) {
      const length = shape.reduce((product, size) => product * size, 1);
      const draw = {
        float32: () => Float32Array.from({ length }, () => next() * 3),
        int8: () => Int8Array.from({ length }, () => Math.round(next() * 127)),
        bool: () => Uint8Array.from({ length }, () => (next() > 0 ? 1 : 0)),
        /** Indices below 8. */
        int32: () => Int32Array.from({ length }, () => Math.floor((next() + 1) * 4)),
        int16: () => Int16Array.from({ length }, () => Math.round(next() * 32767)),
        uint8: () => Uint8Array.from({ length }, () => Math.round((next() + 1) * 127)),
      };
      interpreter.setTensor(index, draw[dtype as keyof typeof draw]());
    }
    await interpreter.invoke();
    for (const { index } of interpreter.getOutputDetails()) {
      outputs.push(interpreter.getTensor(index).slice() as Output);
    }
  }
  interpreter.dispose();
  return { outputs, variants };
}

/** Outputs of all `invocations` must agree, which differ in their inputs. */
export async function expectAgreement(
  model: Model,
  isExact: boolean,
  invocations = 1,
): Promise<void> {
  const fast = await run(model, "simd", invocations);
  const slow = await run(model, "reference", invocations);
  expect(fast.variants.every((variant) => variant !== undefined)).toBe(true);
  expect(slow.variants.every((variant) => variant === undefined)).toBe(true);
  for (const [index, output] of fast.outputs.entries()) {
    if (isExact) expect([...output]).toEqual([...slow.outputs[index]]);
    else expect(difference(output, slow.outputs[index])).toBeLessThanOrEqual(FLOAT_BOUND);
  }
}

export function difference(a: Output, b: Output): number {
  let [worst, largest] = [0, 1e-6];
  for (const [index, value] of b.entries()) {
    worst = Math.max(worst, Math.abs(value - a[index]));
    largest = Math.max(largest, Math.abs(value));
  }
  return worst / largest;
}

/** int16 activations have a bias of 64 bits, or of 32. */
export type Kind = "float" | "hybrid" | "int8" | "uint8" | "int16" | "int16, int32 bias";
export const kinds = fc.constantFrom<Kind>(
  ...(["float", "hybrid", "int8", "uint8", "int16", "int16, int32 bias"] as const),
);

/**
 * Weights of that kind; int8 per channel, uint8 with one scale and a zero point. Those of an even number of channels are
 * mostly small, as trained ones are, which have products of their own.
 */
export function weights(
  kind: Kind,
  shape: readonly number[],
  channels: number,
  axis: number,
): OperandSpec {
  const even = uniform(shape.join("").length + channels);
  const next = channels % 2 === 0 ? () => even() ** 5 : even;
  const length = shape.reduce((product, size) => product * size, 1);
  if (kind === "float") return { shape, data: Float32Array.from({ length }, next) };
  if (kind === "uint8") {
    const data = Uint8Array.from({ length }, () => Math.round((next() + 1) * 127));
    return { shape, dtype: "uint8", data, scale: Float32Array.of(0.013), zeroPoint: [121] };
  }
  return {
    shape,
    dtype: "int8",
    data: Int8Array.from({ length }, () => Math.round(next() * 127)),
    scale: Float32Array.from({ length: channels }, () => (next() + 1.5) / 100),
    axis,
  };
}

/** An activation of that kind; `scale` is that of bytes, 256 times that of int16. */
export function activation(kind: Kind, shape: readonly number[], scale: number): OperandSpec {
  if (kind === "float" || kind === "hybrid") return { shape };
  if (kind === "int16" || kind === "int16, int32 bias") {
    return { shape, dtype: "int16", scale: Float32Array.of(scale / 256), zeroPoint: [0] };
  }
  return {
    shape,
    dtype: kind,
    scale: Float32Array.of(scale),
    zeroPoint: [kind === "int8" ? -9 : 117],
  };
}

export function biases(kind: Kind, count: number): OperandSpec {
  const next = uniform(5);
  const shape = [count];
  if (kind === "float" || kind === "hybrid") {
    return { shape, data: Float32Array.from({ length: count }, next) };
  }
  const numbers = Array.from({ length: count }, () => Math.round(next() * 4000));
  return kind === "int16"
    ? { shape, dtype: "int64", data: BigInt64Array.from(numbers, (value) => BigInt(value) << 12n) }
    : { shape, dtype: "int32", data: Int32Array.from(numbers) };
}

export const activations = fc.constantFrom("NONE", "RELU", "RELU6", "RELU_N1_TO_1");
