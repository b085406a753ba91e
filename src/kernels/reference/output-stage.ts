/**
 * From accumulators to outputs: what stands at the end of convolutions and matrix products. One function per kind of
 * arithmetic, made from the operator's operands; each turns `count` sums, one per output channel, into outputs.
 */
import { FLOAT32_MAX, type TensorData } from "../../base/dtype.ts";
import { assert, GraphError } from "../../base/errors.ts";
import { roundHalfAway } from "../../base/rounding.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorInfo, TensorView } from "../kernel.ts";
import { perTensorQuantization } from "../require.ts";
import { type ClampRange, clampRange } from "./activation.ts";
import {
  multiplyByQuantizedMultiplier,
  multiplyRoundingUp,
  multiplyWideByQuantizedMultiplier,
  quantizedActivationRange,
  quantizeMultiplier,
} from "./fixed-point.ts";

const { fround } = Math;

/** Output channels from `channel` on: sums[0..count) become out[at..at+count). */
export type OutputStage = (
  sums: Float64Array,
  count: number,
  channel: number,
  out: TensorData,
  at: number,
) => void;

/** The bias as doubles, or zeros where the operator has none. */
export function biasValues(bias: TensorView | undefined, channels: number): Float64Array {
  const values = new Float64Array(channels);
  if (bias === undefined) return values;
  const { data } = bias;
  assert(!Array.isArray(data), `numeric bias expected in ${bias.name}`);
  for (let i = 0; i < channels; i++) values[i] = Number(data[i]);
  return values;
}

/** The range of an activation; products that overflow stop at the largest float, as in TensorFlow Lite. */
export function finiteRange(node: KernelNode, activation: ActivationFunctionType): ClampRange {
  const { min, max } = clampRange(node, activation);
  return { min: Math.max(min, -FLOAT32_MAX), max: Math.min(max, FLOAT32_MAX) };
}

/** out = clamp(sum + bias), rounded to float32 once. */
export function floatStage(
  node: KernelNode,
  activation: ActivationFunctionType,
  bias: Float64Array,
): OutputStage {
  const { min, max } = finiteRange(node, activation);
  return (sums, count, channel, out, at) => {
    assert(out instanceof Float32Array, "float output");
    for (let i = 0; i < count; i++) {
      const value = fround(sums[i] + bias[channel + i]);
      out[at + i] = Math.max(min, Math.min(max, value));
    }
  };
}

/**
 * out = clamp(f32(sum)·scale[channel] + bias): sums of integer products, scaled in float32.
 * `scales` holds f32(weight scale × activation scale) and may change from call to call.
 */
export function hybridStage(
  { min, max }: ClampRange,
  bias: Float64Array,
  scales: Float32Array,
): OutputStage {
  return (sums, count, channel, out, at) => {
    assert(out instanceof Float32Array, "float output");
    for (let i = 0; i < count; i++) {
      const scaled = fround(fround(sums[i]) * scales[channel + i]);
      const value = fround(scaled + bias[channel + i]);
      out[at + i] = Math.max(min, Math.min(max, value));
    }
  };
}

/** Scales of a filter, one for each of `channels`: a single scale is repeated. */
export function channelScales(
  node: KernelNode,
  filter: TensorInfo,
  channels: number,
): Float32Array {
  const scales = filter.quantization?.scale ?? new Float32Array(0);
  if (scales.length === channels) return scales;
  if (scales.length === 1) return new Float32Array(channels).fill(scales[0]);
  throw new GraphError({
    where: node.where,
    found: `filter ${JSON.stringify(filter.name)} with ${scales.length} scales`,
    expected: `1 or ${channels}`,
    node: node.op,
  });
}

/** How the real factor input scale × weight scale / output scale is computed. */
export type FactorPrecision = "per-channel" | "per-tensor";

/**
 * How a sum is multiplied by the real factor.
 *
 * - "ties-up": 32-bit mantissa, the second rounding half up: matrix products (ruy), and convolutions made of them.
 * - "ties-away": the same, half away from zero: the plain C++ kernels.
 * - "ties-up-by-8": half up for whole groups of 8 channels, half away for the channels left over: vector code with a
 *   scalar rest.
 * - "wide": 64-bit sums and a mantissa of 15 bits: convolutions of int16 with an int64 bias.
 * - "real": in double, half away from zero: fully connected layers of int16 that have a bias.
 */
export type RequantizationLaw = "ties-up" | "ties-away" | "ties-up-by-8" | "wide" | "real";

/** Operands of a full-integer product, whose quantization decides the requantization. */
export interface IntegerOperands {
  readonly input: TensorInfo;
  readonly filter: TensorInfo;
  readonly output: TensorInfo;
  readonly channels: number;
  /** Per tensor, TensorFlow Lite multiplies the scales in float32; per channel in double. */
  readonly precision: FactorPrecision;
  readonly law: RequantizationLaw;
}

/**
 * out = clamp(requantize(sum + bias) + zero point), in fixed point. The multipliers are made once; the bias comes with
 * each run.
 */
export function integerStage(
  node: KernelNode,
  activation: ActivationFunctionType,
  operands: IntegerOperands,
): (bias: Float64Array) => OutputStage {
  const { output, law } = operands;
  const { dtype } = output;
  assert(dtype === "int8" || dtype === "uint8" || dtype === "int16", "integer output");
  const outputQuantization = perTensorQuantization(node, output, "output");
  const requantize = requantizer(law, requantizationFactors(node, operands));
  const { min, max } = quantizedActivationRange(node, activation, dtype, outputQuantization);
  const { zeroPoint } = outputQuantization;
  return (bias) => (sums, count, channel, out, at) => {
    assert(!Array.isArray(out), "integer output");
    for (let i = 0; i < count; i++) {
      const c = channel + i;
      const value = requantize(sums[i] + bias[c], c) + zeroPoint;
      out[at + i] = Math.max(min, Math.min(max, value));
    }
  };
}

/** input scale × weight scale / output scale, per channel. */
export function requantizationFactors(
  node: KernelNode,
  { input, filter, output, channels, precision }: Omit<IntegerOperands, "law">,
): Float64Array {
  const outputScale = perTensorQuantization(node, output, "output").scale;
  const inputScale = perTensorQuantization(node, input, "input").scale;
  return Float64Array.from(channelScales(node, filter, channels), (scale) => {
    const product = precision === "per-tensor" ? fround(inputScale * scale) : inputScale * scale;
    return product / outputScale;
  });
}

/** The law of int16 activations: 64-bit sums, unless the bias has 32 bits; that of the kernel for the others. */
export function lawFor(
  input: TensorInfo,
  bias: TensorInfo | undefined,
  byteLaw: RequantizationLaw,
): RequantizationLaw {
  if (input.dtype !== "int16") return byteLaw;
  return bias?.dtype === "int32" ? "ties-away" : "wide";
}

/** Turns the sum of a channel into a quantized value, before zero point and clamp. */
type Requantize = (sum: number, channel: number) => number;

function requantizer(law: RequantizationLaw, factors: Float64Array): Requantize {
  if (law === "real") return (sum, channel) => roundHalfAway(sum * factors[channel]);
  const fixed = Array.from(factors, quantizeMultiplier);
  const multipliers = Int32Array.from(fixed, ({ multiplier }) => multiplier);
  const shifts = Int32Array.from(fixed, ({ shift }) => shift);
  const by = (multiply: typeof multiplyRoundingUp): Requantize => {
    return (sum, channel) => multiply(sum, multipliers[channel], shifts[channel]);
  };
  const isBelowOne = shifts.every((shift) => shift <= 0);
  const up = isBelowOne ? rightShiftRequantizer(multipliers, shifts) : by(multiplyRoundingUp);
  switch (law) {
    case "ties-up":
      return up;
    case "ties-away":
      return by(multiplyByQuantizedMultiplier);
    case "wide":
      return by(multiplyWideByQuantizedMultiplier);
    case "ties-up-by-8": {
      const grouped = factors.length - (factors.length % 8);
      const away = by(multiplyByQuantizedMultiplier);
      return (sum, channel) => (channel < grouped ? up : away)(sum, channel);
    }
  }
}

/** `multiplyRoundingUp` for factors below 1, with all that depends on the channel only taken out of the loop. */
function rightShiftRequantizer(multipliers: Int32Array, shifts: Int32Array): Requantize {
  const high = Float64Array.from(multipliers, (multiplier) => multiplier >> 16);
  const low = Float64Array.from(multipliers, (multiplier) => multiplier & 0xffff);
  const unit = Float64Array.from(shifts, (shift) => 2 ** shift);
  return (sum, channel) => {
    const carry = Math.floor((sum * low[channel] + 2 ** 30) * 2 ** -16);
    const product = Math.floor((sum * high[channel] + carry) * 2 ** -15);
    const scale = unit[channel];
    return scale === 1 ? product : Math.floor(product * scale + 0.5);
  };
}
