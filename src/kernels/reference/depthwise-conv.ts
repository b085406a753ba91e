/**
 * DEPTHWISE_CONV_2D: input [batch, height, width, channels], filter [1, height, width, channels × multiplier]; output
 * channel c·multiplier + m sees input channel c only. Float, hybrid (activations quantized per image, asymmetric) and
 * full integer. TensorFlow Lite 2.21 kernels/depthwise_conv.cc.
 */
import { assert } from "../../base/errors.ts";
import { formatShape } from "../../base/shape.ts";
import type { DepthwiseConv2DOptions } from "../../formats/tflite/schema.gen.ts";
import type { KernelContext, KernelNode, KernelRun, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, outputAt, requireRank } from "../require.ts";
import { float32, present } from "../views.ts";
import { arithmeticOf, requireProductTypes } from "./arithmetic-kind.ts";
import { quantizeVector } from "./hybrid.ts";
import {
  biasValues,
  channelScales,
  finiteRange,
  floatStage,
  hybridStage,
  integerStage,
  lawFor,
  type OutputStage,
} from "./output-stage.ts";
import { centeredWeights, hybridWeights, preparedOnce } from "./weights.ts";
import { imageWindow, insideRange, requireBias, type WindowAxis } from "./window.ts";

/** Sizes of one depthwise convolution. */
export interface DepthwiseGeometry {
  readonly batch: number;
  readonly rows: WindowAxis;
  readonly columns: WindowAxis;
  readonly channels: number;
  readonly multiplier: number;
  readonly outChannels: number;
  readonly imageElements: number;
  readonly outElements: number;
}

/**
 * Lays out a depthwise convolution from its operands and options.
 *
 * @throws {ShapeError} for operands that do not fit together.
 */
export function depthwiseGeometry(node: KernelNode): DepthwiseGeometry {
  const [input, filter] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
  requireRank(node, input, [4, 4], "input");
  requireRank(node, filter, [4, 4], "filter");
  const options = optionsOf(node, "DepthwiseConv2DOptions");
  const [batch, height, width, channels] = input;
  const [one, filterHeight, filterWidth, outChannels] = filter;
  const multiplier = outChannels / channels;
  if (one !== 1 || !Number.isInteger(multiplier) || multiplier < 1) {
    throw misshapen(
      node,
      `input ${formatShape(input)} with filter ${formatShape(filter)}`,
      "a filter [1, height, width, channels × multiplier]",
    );
  }
  requireBias(node, 2, outChannels);
  const window = imageWindow(node, options, [height, width], [filterHeight, filterWidth]);
  const imageElements = height * width * channels;
  const outElements = window.rows.outputSize * window.columns.outputSize * outChannels;
  return { batch, ...window, channels, multiplier, outChannels, imageElements, outElements };
}

/** sums[c·multiplier + m] += Σ over the window at (y, x) of image × filter. */
function addWindow(
  geometry: DepthwiseGeometry,
  image: Float64Array,
  weights: Float64Array,
  y: number,
  x: number,
  sums: Float64Array,
): void {
  const { rows, columns, channels, multiplier, outChannels } = geometry;
  const top = y * rows.stride - rows.padBefore;
  const left = x * columns.stride - columns.padBefore;
  const [firstRow, endRow] = insideRange(rows, top);
  const [firstColumn, endColumn] = insideRange(columns, left);
  for (let ky = firstRow; ky < endRow; ky++) {
    for (let kx = firstColumn; kx < endColumn; kx++) {
      const row = top + ky * rows.dilation;
      const column = left + kx * columns.dilation;
      const from = (row * columns.inputSize + column) * channels;
      const filterAt = (ky * columns.filterSize + kx) * outChannels;
      if (multiplier === 1) {
        for (let c = 0; c < channels; c++) sums[c] += image[from + c] * weights[filterAt + c];
        continue;
      }
      for (let c = 0, o = 0; c < channels; c++) {
        const value = image[from + c];
        for (let m = 0; m < multiplier; m++, o++) sums[o] += value * weights[filterAt + o];
      }
    }
  }
}

interface TimedGeometry extends DepthwiseGeometry {
  readonly checkTime: () => void;
}

function convolveImage(
  geometry: TimedGeometry,
  image: Float64Array,
  weights: Float64Array,
  stage: OutputStage,
  out: TensorView,
  outAt: number,
): void {
  const { checkTime, rows, columns, outChannels } = geometry;
  const sums = new Float64Array(outChannels);
  let at = outAt;
  for (let y = 0; y < rows.outputSize; y++) {
    checkTime();
    for (let x = 0; x < columns.outputSize; x++) {
      sums.fill(0);
      addWindow(geometry, image, weights, y, x, sums);
      stage(sums, outChannels, 0, out.data, at);
      at += outChannels;
    }
  }
}

function createFloat(
  node: KernelNode,
  options: DepthwiseConv2DOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const geometry = { ...depthwiseGeometry(node), checkTime };
  const { batch, imageElements, outElements, outChannels } = geometry;
  const weightsOf = preparedOnce((filter) => Float64Array.from(float32(filter)));
  const image = new Float64Array(imageElements);
  return ([input, filter, bias], [out]) => {
    const biases = biasValues(bias, outChannels);
    const stage = floatStage(node, options.fused_activation_function, biases);
    for (let b = 0; b < batch; b++) {
      image.set(float32(input).subarray(b * imageElements, (b + 1) * imageElements));
      convolveImage(geometry, image, weightsOf(filter), stage, present(out), b * outElements);
    }
  };
}

function createHybrid(
  node: KernelNode,
  options: DepthwiseConv2DOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const geometry = { ...depthwiseGeometry(node), checkTime };
  const { batch, imageElements, outElements, outChannels } = geometry;
  const weightScales = channelScales(node, inputAt(node, 1), outChannels);
  const weightsOf = preparedOnce((filter) => Float64Array.from(hybridWeights(filter)));
  const image = new Float64Array(imageElements);
  return ([input, filter, bias], [out]) => {
    const biases = biasValues(bias, outChannels);
    for (let b = 0; b < batch; b++) {
      const from = b * imageElements;
      const { scale } = quantizeVector(float32(input), from, imageElements, true, image);
      const scales = new Float32Array(outChannels).fill(scale);
      const finish = hybridStage(
        finiteRange(node, options.fused_activation_function),
        biases,
        scales,
      );
      // Here the weight scale is applied first, not multiplied into the activation scale: it decides overflow.
      const stage: OutputStage = (sums, count, channel, data, at) => {
        for (let i = 0; i < count; i++) sums[i] = Math.fround(sums[i]) * weightScales[channel + i];
        finish(sums, count, channel, data, at);
      };
      convolveImage(geometry, image, weightsOf(filter), stage, present(out), b * outElements);
    }
  };
}

function createInteger(
  node: KernelNode,
  options: DepthwiseConv2DOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const geometry = { ...depthwiseGeometry(node), checkTime };
  const { batch, imageElements, outElements, outChannels } = geometry;
  const [input, filter, output] = [inputAt(node, 0), inputAt(node, 1), outputAt(node, 0)];
  const zero = input.quantization?.zeroPoint[0] ?? 0;
  const weightsOf = preparedOnce((view) => Float64Array.from(centeredWeights(view)));
  const image = new Float64Array(imageElements);
  const isByte = input.dtype === "uint8";
  const stageOf = integerStage(node, options.fused_activation_function, {
    input,
    filter,
    output,
    channels: outChannels,
    precision: isByte ? "per-tensor" : "per-channel",
    law: lawFor(input, node.inputs[2], isByte ? "ties-away" : "ties-up-by-8"),
  });
  return ([view, weights, bias], [out]) => {
    const { data } = present(view);
    assert(!Array.isArray(data), "numeric input");
    const stage = stageOf(biasValues(bias, outChannels));
    for (let b = 0; b < batch; b++) {
      const from = b * imageElements;
      for (let i = 0; i < imageElements; i++) image[i] = Number(data[from + i]) - zero;
      convolveImage(geometry, image, weightsOf(weights), stage, present(out), b * outElements);
    }
  };
}

export const DEPTHWISE_CONV: KernelTable = {
  DEPTHWISE_CONV_2D: {
    check(node) {
      requireProductTypes(node);
      optionsOf(node, "DepthwiseConv2DOptions");
    },
    shapes(node) {
      const { batch, rows, columns, outChannels } = depthwiseGeometry(node);
      return [[batch, rows.outputSize, columns.outputSize, outChannels]];
    },
    create(node, context) {
      const options = optionsOf(node, "DepthwiseConv2DOptions");
      switch (arithmeticOf(node)) {
        case "float":
          return createFloat(node, options, context);
        case "hybrid":
          return createHybrid(node, options, context);
        case "integer":
          return createInteger(node, options, context);
      }
    },
  },
};
