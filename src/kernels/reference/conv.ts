/**
 * CONV_2D: input [batch, height, width, channels], filter [out channels, height, width, channels / groups], bias
 * [out channels]. For every output position the window is copied into one vector, whose dot products with the filter
 * rows give the output channels. Float, hybrid (int8 weights, activations quantized per image) and full integer.
 * TensorFlow Lite 2.21 kernels/conv.cc.
 */
import type { TensorData } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import { formatShape } from "../../base/shape.ts";
import type { Conv2DOptions } from "../../formats/tflite/schema.gen.ts";
import type { KernelContext, KernelNode, KernelRun, KernelTable, TensorInfo } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, outputAt, requireRank } from "../require.ts";
import { float32, present } from "../views.ts";
import { arithmeticOf, requireProductTypes } from "./arithmetic-kind.ts";
import { dotRows } from "./dot.ts";
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

/** Sizes of one convolution. */
export interface ConvGeometry {
  readonly batch: number;
  readonly rows: WindowAxis;
  readonly columns: WindowAxis;
  readonly channels: number;
  readonly groupChannels: number;
  readonly groups: number;
  readonly outChannels: number;
}

/**
 * Lays out a convolution from its operands and options.
 *
 * @throws {ShapeError} for operands that do not fit together.
 */
export function convGeometry(node: KernelNode): ConvGeometry {
  const [input, filter] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
  requireRank(node, input, [4, 4], "input");
  requireRank(node, filter, [4, 4], "filter");
  const options = optionsOf(node, "Conv2DOptions");
  const [batch, height, width, channels] = input;
  const [outChannels, filterHeight, filterWidth, groupChannels] = filter;
  const groups = channels / groupChannels;
  if (!Number.isInteger(groups) || groups < 1 || outChannels % groups !== 0) {
    throw misshapen(
      node,
      `input ${formatShape(input)} with filter ${formatShape(filter)}`,
      "input channels that are a multiple of the filter's, and out channels of as many groups",
    );
  }
  requireBias(node, 2, outChannels);
  const window = imageWindow(node, options, [height, width], [filterHeight, filterWidth]);
  return { batch, ...window, channels, groupChannels, groups, outChannels };
}

/** Copies the window of one group at an output position into `patch`; what lies outside becomes 0. */
function gatherPatch(
  geometry: ConvGeometry,
  image: ArrayLike<number>,
  imageAt: number,
  zero: number,
  y: number,
  x: number,
  group: number,
  patch: Float64Array,
): void {
  const { rows, columns, channels, groupChannels } = geometry;
  const top = y * rows.stride - rows.padBefore;
  const left = x * columns.stride - columns.padBefore;
  const [firstRow, endRow] = insideRange(rows, top);
  const [firstColumn, endColumn] = insideRange(columns, left);
  const isWhole =
    endRow - firstRow === rows.filterSize && endColumn - firstColumn === columns.filterSize;
  if (!isWhole) patch.fill(0);
  for (let ky = firstRow; ky < endRow; ky++) {
    const rowAt = imageAt + (top + ky * rows.dilation) * columns.inputSize * channels;
    for (let kx = firstColumn; kx < endColumn; kx++) {
      const from = rowAt + (left + kx * columns.dilation) * channels + group * groupChannels;
      const to = (ky * columns.filterSize + kx) * groupChannels;
      for (let c = 0; c < groupChannels; c++) patch[to + c] = image[from + c] - zero;
    }
  }
}

interface TimedGeometry extends ConvGeometry {
  readonly checkTime: () => void;
}

/** Convolves one image. `zero` is subtracted from its elements. */
function convolveImage(
  geometry: TimedGeometry,
  image: ArrayLike<number>,
  imageAt: number,
  zero: number,
  weights: Float32Array | Int8Array | Int16Array,
  stage: OutputStage,
  out: TensorData,
  outAt: number,
): void {
  const { checkTime, rows, columns, groups, groupChannels, outChannels } = geometry;
  const depth = rows.filterSize * columns.filterSize * groupChannels;
  const groupRows = outChannels / groups;
  const patch = new Float64Array(depth);
  const sums = new Float64Array(groupRows);
  let at = outAt;
  for (let y = 0; y < rows.outputSize; y++) {
    checkTime();
    for (let x = 0; x < columns.outputSize; x++) {
      for (let group = 0; group < groups; group++) {
        gatherPatch(geometry, image, imageAt, zero, y, x, group, patch);
        dotRows(patch, depth, weights, group * groupRows, groupRows, sums);
        stage(sums, groupRows, group * groupRows, out, at + group * groupRows);
      }
      at += outChannels;
    }
  }
}

function imageElements({ rows, columns, channels }: ConvGeometry): number {
  return rows.inputSize * columns.inputSize * channels;
}

function outputElements({ rows, columns, outChannels }: ConvGeometry): number {
  return rows.outputSize * columns.outputSize * outChannels;
}

function createFloat(
  node: KernelNode,
  options: Conv2DOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const geometry = { ...convGeometry(node), checkTime };
  return ([input, filter, bias], [out]) => {
    const image = float32(input);
    const weights = float32(filter);
    const biases = biasValues(bias, geometry.outChannels);
    const stage = floatStage(node, options.fused_activation_function, biases);
    for (let b = 0; b < geometry.batch; b++) {
      const imageAt = b * imageElements(geometry);
      const outAt = b * outputElements(geometry);
      convolveImage(geometry, image, imageAt, 0, weights, stage, present(out).data, outAt);
    }
  };
}

/**
 * Whether a hybrid convolution quantizes activations asymmetrically: the kernel for per-channel weights does, the one
 * for a single scale does not. Which one runs depends on the scales' values, not on their number.
 */
export function isPerChannel(filter: TensorInfo, groups: number): boolean {
  const scales = filter.quantization?.scale ?? new Float32Array(0);
  return groups !== 1 || scales.some((scale) => scale !== scales[0]);
}

function createHybrid(
  node: KernelNode,
  options: Conv2DOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const geometry = { ...convGeometry(node), checkTime };
  const { batch, groups, outChannels } = geometry;
  const count = imageElements(geometry);
  const asymmetric = isPerChannel(inputAt(node, 1), groups);
  const weightScales = channelScales(node, inputAt(node, 1), outChannels);
  const scales = new Float32Array(outChannels);
  const weightsOf = preparedOnce(hybridWeights);
  return ([input, filter, bias], [out]) => {
    const centered = new Float64Array(count);
    const biases = biasValues(bias, outChannels);
    const stage = hybridStage(finiteRange(node, options.fused_activation_function), biases, scales);
    for (let b = 0; b < batch; b++) {
      const { scale } = quantizeVector(float32(input), b * count, count, asymmetric, centered);
      for (let c = 0; c < outChannels; c++) scales[c] = weightScales[c] * scale;
      const outAt = b * outputElements(geometry);
      convolveImage(geometry, centered, 0, 0, weightsOf(filter), stage, present(out).data, outAt);
    }
  };
}

function createInteger(
  node: KernelNode,
  options: Conv2DOptions,
  { checkTime }: KernelContext,
): KernelRun {
  const geometry = { ...convGeometry(node), checkTime };
  const { outChannels } = geometry;
  const [input, filter, output] = [inputAt(node, 0), inputAt(node, 1), outputAt(node, 0)];
  const zero = input.quantization?.zeroPoint[0] ?? 0;
  const weightsOf = preparedOnce(centeredWeights);
  const stageOf = integerStage(node, options.fused_activation_function, {
    input,
    filter,
    output,
    channels: outChannels,
    precision: input.dtype === "uint8" ? "per-tensor" : "per-channel",
    law: lawFor(input, node.inputs[2], geometry.groups === 1 ? "ties-up" : "ties-away"),
  });
  return ([image, weights, bias], [out]) => {
    const { data } = present(image);
    assert(!Array.isArray(data), "numeric input");
    const stage = stageOf(biasValues(bias, outChannels));
    for (let b = 0; b < geometry.batch; b++) {
      const imageAt = b * imageElements(geometry);
      const outAt = b * outputElements(geometry);
      const elements = data as ArrayLike<number>;
      convolveImage(
        geometry,
        elements,
        imageAt,
        zero,
        weightsOf(weights),
        stage,
        present(out).data,
        outAt,
      );
    }
  };
}

export const CONV: KernelTable = {
  CONV_2D: {
    check(node) {
      requireProductTypes(node);
      optionsOf(node, "Conv2DOptions");
    },
    shapes(node) {
      const { batch, rows, columns, outChannels } = convGeometry(node);
      return [[batch, rows.outputSize, columns.outputSize, outChannels]];
    },
    create(node, context) {
      const options = optionsOf(node, "Conv2DOptions");
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
