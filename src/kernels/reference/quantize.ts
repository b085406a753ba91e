/**
 * QUANTIZE: floats to integers, and integers to integers of another scale. From floats the law is that of builds with
 * vector code: in groups of 8, the product with the reciprocal of the scale, ties to even; the rest of a tensor divided
 * in double, ties away from zero. Integers are requantized in fixed
 * point, bytes in groups of 16 with ties up, the rest away from zero. TensorFlow Lite 2.21 kernels/quantize.cc.
 */
import type { DType } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import { roundHalfAway, roundHalfEven } from "../../base/rounding.ts";
import type { KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import {
  inputAt,
  outputAt,
  perTensorQuantization,
  requireOperands,
  unsupported,
} from "../require.ts";
import { float32 } from "../views.ts";
import { channelLayout } from "./dequantize.ts";
import { numbersOf, storeElements } from "./elements.ts";
import {
  multiplyByQuantizedMultiplier,
  multiplyRoundingUp,
  quantizeMultiplier,
} from "./fixed-point.ts";

const { fround } = Math;

interface Range {
  readonly min: number;
  readonly max: number;
}

const RANGES: Readonly<Partial<Record<DType, Range>>> = {
  int8: { min: -128, max: 127 },
  uint8: { min: 0, max: 255 },
  int16: { min: -32768, max: 32767 },
  int4: { min: -8, max: 7 },
  uint4: { min: 0, max: 15 },
  int32: { min: -(2 ** 31), max: 2 ** 31 - 1 },
};

const BYTES: readonly DType[] = ["int8", "uint8"];

/** Output types that the official kernel writes, by input type. */
const OUTPUTS: Readonly<Partial<Record<DType, readonly DType[]>>> = {
  float32: ["int8", "uint8", "int16", "int4", "uint4"],
  int8: ["int8", "uint8", "int16"],
  uint8: ["int8", "uint8"],
  int16: ["int8", "int16", "int32"],
  int32: ["int8", "int16"],
};

function rangeOf(dtype: DType): Range {
  const range = RANGES[dtype];
  assert(range !== undefined, `no quantized range for ${dtype}`);
  return range;
}

function createFromFloat(node: KernelNode): KernelRun {
  const output = outputAt(node, 0);
  const { scale, zeroPoint } = perTensorQuantization(node, output, "output");
  const { min, max } = rangeOf(output.dtype);
  const inverse = fround(1 / scale);
  return ([input], [out]) => {
    const [real, stored] = [float32(input), numbersOf(out)];
    const grouped = real.length - (real.length % 8);
    for (let i = 0; i < real.length; i++) {
      const rounded =
        i < grouped ? roundHalfEven(fround(real[i] * inverse)) : roundHalfAway(real[i] / scale);
      stored[i] = clamp(rounded + zeroPoint, min, max);
    }
    storeElements(out, stored);
  };
}

function createPerChannel(node: KernelNode): KernelRun {
  const { dtype, shape, quantization } = outputAt(node, 0);
  assert(quantization !== undefined, "per-channel quantization");
  const { scale, zeroPoint, quantizedDimension } = quantization;
  const { min, max } = rangeOf(dtype);
  return ([input], [out]) => {
    const [real, stored] = [float32(input), numbersOf(out)];
    const { inner, channels } = channelLayout(node, shape, quantizedDimension, scale.length);
    for (let i = 0; i < real.length; i++) {
      const c = Math.floor(i / inner) % channels;
      const rounded = roundHalfAway(fround(real[i] / scale[c]));
      stored[i] = clamp(rounded + (zeroPoint[c] ?? 0), min, max);
    }
    storeElements(out, stored);
  };
}

function createRequantize(node: KernelNode): KernelRun {
  const output = outputAt(node, 0);
  const from = perTensorQuantization(node, inputAt(node, 0), "input");
  const to = perTensorQuantization(node, output, "output");
  const { multiplier, shift } = quantizeMultiplier(from.scale / to.scale);
  const { min, max } = rangeOf(output.dtype);
  const areBytes = BYTES.includes(inputAt(node, 0).dtype) && BYTES.includes(output.dtype);
  return ([input], [out]) => {
    const [source, stored] = [numbersOf(input), numbersOf(out)];
    const grouped = areBytes ? stored.length - (stored.length % 16) : 0;
    for (let i = 0; i < stored.length; i++) {
      const multiply = i < grouped ? multiplyRoundingUp : multiplyByQuantizedMultiplier;
      const q = multiply(source[i] - from.zeroPoint, multiplier, shift) + to.zeroPoint;
      stored[i] = clamp(q, min, max);
    }
  };
}

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}

export const QUANTIZE: KernelTable = {
  QUANTIZE: {
    check(node) {
      requireOperands(node, [1, 1]);
      const [input, output] = [inputAt(node, 0), outputAt(node, 0)];
      if (!OUTPUTS[input.dtype]?.includes(output.dtype)) {
        throw unsupported(node, `from ${input.dtype} to ${output.dtype}`);
      }
      const isPerChannel = (output.quantization?.scale.length ?? 0) > 1;
      if (input.dtype !== "float32" || !isPerChannel) {
        perTensorQuantization(node, output, "output");
      }
      if (input.dtype !== "float32") perTensorQuantization(node, input, "input");
    },
    shapes: (node) => [inputAt(node, 0).shape],
    create(node) {
      if (inputAt(node, 0).dtype !== "float32") return createRequantize(node);
      const scales = outputAt(node, 0).quantization?.scale.length ?? 0;
      return scales > 1 ? createPerChannel(node) : createFromFloat(node);
    },
  },
};
