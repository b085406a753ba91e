/**
 * DEQUANTIZE: real = scale × (q − zeroPoint), per tensor or per channel, and half floats widened. The law is that of
 * builds with vector code: in groups of 8, f32(f32(q)·s) + f32(−z·s); the rest of a tensor in double, rounded once.
 * TensorFlow Lite 2.21 kernels/dequantize.cc, optimized_ops.h.
 */

import { assert } from "../../base/errors.ts";
import { widenFloat16 } from "../../base/float16.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import type { KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireType,
} from "../require.ts";
import { float32, present } from "../views.ts";
import { numbersOf } from "./elements.ts";

const { fround } = Math;

function isPerChannel(node: KernelNode): boolean {
  return (inputAt(node, 0).quantization?.scale.length ?? 0) > 1;
}

function createPerTensor(node: KernelNode): KernelRun {
  const { scale, zeroPoint } = perTensorQuantization(node, inputAt(node, 0), "input");
  const offset = fround(-zeroPoint * scale);
  return ([input], [out]) => {
    const [stored, real] = [numbersOf(input), float32(out)];
    const grouped = real.length - (real.length % 8);
    for (let i = 0; i < grouped; i++) real[i] = fround(stored[i] * scale) + offset;
    for (let i = grouped; i < real.length; i++) real[i] = scale * (stored[i] - zeroPoint);
  };
}

/** Elements that follow each other in one channel, and the number of channels, along the quantized axis. */
export function channelLayout(
  node: KernelNode,
  shape: Shape,
  axis: number,
  scales: number,
): { inner: number; channels: number } {
  const channels = shape[axis];
  if (channels !== scales) {
    throw misshapen(node, `${scales} scales along axis ${axis}`, `${channels ?? "an axis"}`);
  }
  return { inner: elementCount(shape.slice(axis + 1)), channels };
}

function createPerChannel(node: KernelNode): KernelRun {
  const { shape, quantization } = inputAt(node, 0);
  assert(quantization !== undefined, "per-channel quantization");
  const { scale, zeroPoint, quantizedDimension } = quantization;
  const { inner, channels } = channelLayout(node, shape, quantizedDimension, scale.length);
  return ([input], [out]) => {
    const [stored, real] = [numbersOf(input), float32(out)];
    for (let i = 0; i < real.length; i++) {
      const c = Math.floor(i / inner) % channels;
      real[i] = scale[c] * (stored[i] - (zeroPoint[c] ?? 0));
    }
  };
}

function createFromHalf(): KernelRun {
  return ([input], [out]) => {
    const { data } = present(input);
    assert(data instanceof Uint16Array, "half floats");
    widenFloat16(data, float32(out));
  };
}

export const DEQUANTIZE: KernelTable = {
  DEQUANTIZE: {
    check(node) {
      requireOperands(node, [1, 1]);
      const input = inputAt(node, 0);
      const types = ["uint8", "int8", "int16", "float16", "int4", "uint4", "int2"] as const;
      requireType(node, input, types, "input");
      requireType(node, outputAt(node, 0), ["float32"], "output");
      if (input.dtype !== "float16" && !isPerChannel(node)) {
        perTensorQuantization(node, input, "input");
      }
    },
    shapes: (node) => [inputAt(node, 0).shape],
    create(node) {
      if (inputAt(node, 0).dtype === "float16") return createFromHalf();
      return isPerChannel(node) ? createPerChannel(node) : createPerTensor(node);
    },
  },
};
