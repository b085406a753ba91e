/**
 * CONV_3D and CONV_3D_TRANSPOSE on float32: input [batch, depth, height, width, channels], filter
 * [depth, height, width, in, out] (the transpose has out before in), bias [out]. Sums are kept in double.
 */
import { formatShape, type Shape, sameShape } from "../../base/shape.ts";
import type { Conv3DOptions } from "../../formats/tflite/schema.gen.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
} from "../require.ts";
import { float32, present } from "../views.ts";
import { clampInPlace, clampRange } from "./activation.ts";
import { integersOf } from "./elements.ts";
import { positionsInside } from "./window.ts";

type Triple = readonly [number, number, number];

interface Window3D {
  readonly strides: Triple;
  readonly dilations: Triple;
  readonly filter: Triple;
  readonly same: boolean;
}

function windowOf(options: Conv3DOptions, filter: Shape): Window3D {
  return {
    strides: [options.stride_d, options.stride_h, options.stride_w],
    dilations: [options.dilation_d_factor, options.dilation_h_factor, options.dilation_w_factor],
    filter: [filter[0], filter[1], filter[2]],
    same: options.padding === "SAME",
  };
}

/** Positions of the window along each axis of an input. */
function positionsOf(node: KernelNode, window: Window3D, input: Triple): Triple {
  const { strides, dilations, filter, same } = window;
  if ([...strides, ...dilations].some((step) => step < 1)) {
    throw misshapen(node, `strides ${formatShape(strides)}`, "strides and dilations of 1 or more");
  }
  return mapTriple((axis) => {
    const reach = (filter[axis] - 1) * dilations[axis] + 1;
    if (same) return Math.ceil(input[axis] / strides[axis]);
    return positionsInside(node, input[axis], reach, strides[axis]);
  });
}

/** Zeros in front of each axis: half of what the windows reach beyond the input, rounded down. */
function paddingOf(window: Window3D, input: Triple, positions: Triple): Triple {
  const { strides, dilations, filter } = window;
  return mapTriple((axis) => {
    const reach = (filter[axis] - 1) * dilations[axis] + 1;
    const total = (positions[axis] - 1) * strides[axis] + reach - input[axis];
    return Math.floor(Math.max(0, total) / 2);
  });
}

function mapTriple(f: (axis: 0 | 1 | 2) => number): Triple {
  return [f(0), f(1), f(2)];
}

/** Calls `visit` for each window position and filter tap that meet inside the input, with flat pixel indices. */
function forEachTap(
  window: Window3D,
  input: Triple,
  positions: Triple,
  checkTime: () => void,
  visit: (inputPixel: number, position: number, tap: number) => void,
): void {
  const padding = paddingOf(window, input, positions);
  const total = positions[0] * positions[1] * positions[2];
  const taps = window.filter[0] * window.filter[1] * window.filter[2];
  for (let position = 0; position < total; position++) {
    checkTime();
    const place = unflatten(position, positions);
    for (let tap = 0; tap < taps; tap++) {
      const offset = unflatten(tap, window.filter);
      const at = mapTriple(
        (axis) =>
          place[axis] * window.strides[axis] -
          padding[axis] +
          offset[axis] * window.dilations[axis],
      );
      if (at.every((coordinate, axis) => coordinate >= 0 && coordinate < input[axis])) {
        visit((at[0] * input[1] + at[1]) * input[2] + at[2], position, tap);
      }
    }
  }
}

function unflatten(index: number, [, height, width]: Triple): Triple {
  return [Math.floor(index / (height * width)), Math.floor(index / width) % height, index % width];
}

function requireFloats(node: KernelNode, indices: readonly number[]): void {
  for (const i of indices) {
    if (node.inputs[i] !== undefined) requireType(node, inputAt(node, i), ["float32"], "operand");
  }
  requireType(node, outputAt(node, 0), ["float32"], "output");
  clampRange(node, optionsOf(node, "Conv3DOptions").fused_activation_function);
}

function requireBias(node: KernelNode, index: number, channels: number): void {
  const bias = node.inputs[index]?.shape;
  if (bias === undefined || sameShape(bias, [channels])) return;
  throw misshapen(node, `bias of shape ${formatShape(bias)}`, `[${channels}]`);
}

/** Starts each pixel's sums at the bias, lets `accumulate` add to them, then clamps and stores. */
function withBias(
  node: KernelNode,
  bias: TensorView | undefined,
  out: Float32Array,
  channels: number,
  accumulate: (sums: Float64Array) => void,
): void {
  const sums = new Float64Array(out.length);
  if (bias !== undefined) {
    const values = float32(bias);
    for (let i = 0; i < sums.length; i++) sums[i] = values[i % channels];
  }
  accumulate(sums);
  out.set(sums);
  clampInPlace(out, clampRange(node, optionsOf(node, "Conv3DOptions").fused_activation_function));
}

const spatial = ([, d, h, w]: Shape): Triple => [d, h, w];

const CONV_3D: Kernel = {
  check(node) {
    requireOperands(node, [2, 3]);
    requireFloats(node, [0, 1, 2]);
  },
  shapes(node) {
    const [input, filter] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
    requireRank(node, input, [5, 5], "input");
    requireRank(node, filter, [5, 5], "filter");
    if (input[4] !== filter[3]) {
      throw misshapen(node, `filter for ${filter[3]} channels`, `${input[4]} channels`);
    }
    requireBias(node, 2, filter[4]);
    const window = windowOf(optionsOf(node, "Conv3DOptions"), filter);
    return [[input[0], ...positionsOf(node, window, spatial(input)), filter[4]]];
  },
  create:
    (node, { checkTime }) =>
    (inputs, outputs) => {
      const [input, filter, out] = [present(inputs[0]), present(inputs[1]), present(outputs[0])];
      const [batch, , , , channels] = input.shape;
      const kernels = filter.shape[4];
      const [x, w] = [float32(input), float32(filter)];
      const size = spatial(input.shape);
      const positions = spatial(out.shape);
      const window = windowOf(optionsOf(node, "Conv3DOptions"), filter.shape);
      const [inPixels, outPixels] = [size, positions].map(([d, h, v]) => d * h * v);
      withBias(node, inputs[2], float32(out), kernels, (sums) => {
        forEachTap(window, size, positions, checkTime, (pixel, position, tap) => {
          for (let b = 0; b < batch; b++) {
            const from = (b * inPixels + pixel) * channels;
            const to = (b * outPixels + position) * kernels;
            for (let c = 0; c < channels; c++) {
              const at = (tap * channels + c) * kernels;
              for (let k = 0; k < kernels; k++) sums[to + k] += x[from + c] * w[at + k];
            }
          }
        });
      });
    },
};

/** The transpose spreads each input pixel over the window that a CONV_3D of the output would have there. */
const CONV_3D_TRANSPOSE: Kernel = {
  check(node) {
    requireOperands(node, [3, 4]);
    requireType(node, inputAt(node, 0), ["int32"], "output shape");
    requireFloats(node, [1, 2, 3]);
  },
  shapes(node, known) {
    const [filter, input] = [inputAt(node, 1).shape, inputAt(node, 2).shape];
    requireRank(node, input, [5, 5], "input");
    requireRank(node, filter, [5, 5], "filter");
    requireBias(node, 3, filter[3]);
    const view = known(0);
    if (view === undefined) return [undefined];
    const shape = integersOf(node, view);
    const window = windowOf(optionsOf(node, "Conv3DOptions"), filter);
    const fits =
      shape.length === 5 &&
      shape.every((size) => size >= 0) &&
      shape[0] === input[0] &&
      shape[4] === filter[3] &&
      input[4] === filter[4] &&
      sameShape(positionsOf(node, window, spatial(shape)), spatial(input));
    if (fits) return [shape];
    const found = `output ${formatShape(shape)} for input ${formatShape(input)}`;
    throw misshapen(node, found, "the shape that the strides and the filter give");
  },
  create:
    (node, { checkTime }) =>
    (inputs, outputs) => {
      const [filter, input, out] = [present(inputs[1]), present(inputs[2]), present(outputs[0])];
      const [batch, , , , channels] = input.shape;
      const kernels = filter.shape[3];
      const [x, w] = [float32(input), float32(filter)];
      const size = spatial(out.shape);
      const positions = spatial(input.shape);
      const window = windowOf(optionsOf(node, "Conv3DOptions"), filter.shape);
      const [outPixels, inPixels] = [size, positions].map(([d, h, v]) => d * h * v);
      withBias(node, inputs[3], float32(out), kernels, (sums) => {
        forEachTap(window, size, positions, checkTime, (pixel, position, tap) => {
          for (let b = 0; b < batch; b++) {
            const from = (b * inPixels + position) * channels;
            const to = (b * outPixels + pixel) * kernels;
            for (let k = 0; k < kernels; k++) {
              const at = (tap * kernels + k) * channels;
              for (let c = 0; c < channels; c++) sums[to + k] += x[from + c] * w[at + c];
            }
          }
        });
      });
    },
};

export const CONV_3D_FAMILY: KernelTable = { CONV_3D, CONV_3D_TRANSPOSE };
