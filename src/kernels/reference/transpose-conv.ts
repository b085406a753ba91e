/**
 * TRANSPOSE_CONV: output shape int32[4], filter [out channels, height, width, in channels], input
 * [batch, height, width, in channels], bias [out channels]. Every input element adds its products with the filter to a
 * window of the output. Float, hybrid (activations quantized per image, asymmetric) and full integer.
 * TensorFlow Lite 2.21 kernels/transpose_conv.cc.
 */
import { assert } from "../../base/errors.ts";
import { formatShape, type Shape } from "../../base/shape.ts";
import type { KernelContext, KernelNode, KernelRun, KernelTable, ValueOf } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, outputAt, requireRank, requireType } from "../require.ts";
import { float32, int32, present } from "../views.ts";
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
  type OutputStage,
  type RequantizationLaw,
} from "./output-stage.ts";
import { centeredWeights, hybridWeights, preparedOnce } from "./weights.ts";
import { imageWindow, requireBias, type WindowAxis } from "./window.ts";

const OPERANDS = { input: 2, filter: 1, bias: 3 };

/** A transposed convolution: sizes and windows. */
export interface TransposeGeometry {
  readonly batch: number;
  /** The window as it would slide over the output to give the input. */
  readonly rows: WindowAxis;
  readonly columns: WindowAxis;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inChannels: number;
  readonly outChannels: number;
}

/** The geometry of a node whose output has that shape. */
export function transposeGeometry(node: KernelNode, outputShape: Shape): TransposeGeometry {
  const [filter, input] = [inputAt(node, 1).shape, inputAt(node, 2).shape];
  requireRank(node, input, [4, 4], "input");
  requireRank(node, filter, [4, 4], "filter");
  requireRank(node, outputShape, [4, 4], "output shape");
  const options = optionsOf(node, "TransposeConvOptions");
  const [outChannels, filterHeight, filterWidth, inChannels] = filter;
  const [batch, inputHeight, inputWidth, channels] = input;
  const [outBatch, outHeight, outWidth, outDepth] = outputShape;
  if (channels !== inChannels || outDepth !== outChannels || outBatch !== batch) {
    throw misshapen(
      node,
      `input ${formatShape(input)}, filter ${formatShape(filter)}, output ${formatShape(outputShape)}`,
      "equal batches and channels",
    );
  }
  requireBias(node, 3, outChannels);
  const filterSize = [filterHeight, filterWidth] as const;
  const window = imageWindow(node, options, [outHeight, outWidth], filterSize);
  return { batch, ...window, inputHeight, inputWidth, inChannels, outChannels };
}

/** sums[y, x, c] = Σ over the input elements that reach (y, x) of element × filter. */
function scatterImage(
  geometry: TransposeGeometry,
  image: Float64Array,
  weights: Float32Array | Int8Array | Int16Array,
  sums: Float64Array,
  checkTime: () => void,
): void {
  const { rows, columns, inputHeight, inputWidth, inChannels, outChannels } = geometry;
  const window = rows.filterSize * columns.filterSize;
  const products = new Float64Array(outChannels * window);
  sums.fill(0);
  for (let y = 0; y < inputHeight; y++) {
    checkTime();
    for (let x = 0; x < inputWidth; x++) {
      const from = (y * inputWidth + x) * inChannels;
      const vector = image.subarray(from, from + inChannels);
      dotRows(vector, inChannels, weights, 0, products.length, products);
      addWindow(y * rows.stride - rows.padBefore, x * columns.stride - columns.padBefore);
    }
  }

  function addWindow(top: number, left: number): void {
    for (let ky = 0; ky < rows.filterSize; ky++) {
      const row = top + ky;
      if (row < 0 || row >= rows.inputSize) continue;
      for (let kx = 0; kx < columns.filterSize; kx++) {
        const column = left + kx;
        if (column < 0 || column >= columns.inputSize) continue;
        const at = (row * columns.inputSize + column) * outChannels;
        const product = ky * columns.filterSize + kx;
        for (let c = 0; c < outChannels; c++) sums[at + c] += products[c * window + product];
      }
    }
  }
}

/** What the three arithmetics do differently: the image as centered doubles, the weights, the last stage. */
interface TransposeArithmetic {
  readonly weights: Float32Array | Int8Array | Int16Array;
  readonly stage: OutputStage;
  loadImage(at: number, image: Float64Array): void;
}

function createScatter(
  node: KernelNode,
  checkTime: () => void,
  bind: (inputs: Parameters<KernelRun>[0]) => TransposeArithmetic,
): KernelRun {
  const geometry = transposeGeometry(node, outputAt(node, 0).shape);
  const { batch, rows, columns, inputHeight, inputWidth, inChannels, outChannels } = geometry;
  const image = new Float64Array(inputHeight * inputWidth * inChannels);
  const sums = new Float64Array(rows.inputSize * columns.inputSize * outChannels);
  return (inputs, [out]) => {
    const { weights, stage, loadImage } = bind(inputs);
    for (let b = 0; b < batch; b++) {
      loadImage(b * image.length, image);
      scatterImage(geometry, image, weights, sums, checkTime);
      for (let at = 0; at < sums.length; at += outChannels) {
        const pixel = sums.subarray(at, at + outChannels);
        stage(pixel, outChannels, 0, present(out).data, b * sums.length + at);
      }
    }
  };
}

function createFloat(node: KernelNode, { checkTime }: KernelContext): KernelRun {
  const { fused_activation_function: activation } = optionsOf(node, "TransposeConvOptions");
  const channels = inputAt(node, 1).shape[0];
  return createScatter(node, checkTime, ([, filter, input, bias]) => ({
    weights: float32(filter),
    stage: floatStage(node, activation, biasValues(bias, channels)),
    loadImage: (at, image) => image.set(float32(input).subarray(at, at + image.length)),
  }));
}

function createHybrid(node: KernelNode, { checkTime }: KernelContext): KernelRun {
  const { fused_activation_function: activation } = optionsOf(node, "TransposeConvOptions");
  const channels = inputAt(node, 1).shape[0];
  const weightScales = channelScales(node, inputAt(node, 1), channels);
  const scales = new Float32Array(channels);
  const weightsOf = preparedOnce(hybridWeights);
  return createScatter(node, checkTime, ([, filter, input, bias]) => ({
    weights: weightsOf(filter),
    stage: hybridStage(finiteRange(node, activation), biasValues(bias, channels), scales),
    loadImage(at, image) {
      const { scale } = quantizeVector(float32(input), at, image.length, true, image);
      for (let c = 0; c < channels; c++) scales[c] = weightScales[c] * scale;
    },
  }));
}

/** The law of full-integer sums. int16 activations: 64-bit sums, unless the bias has 32 bits or, where there is none, the options say it would. */
export function transposeLaw(node: KernelNode): RequantizationLaw {
  const { dtype } = inputAt(node, OPERANDS.input);
  if (dtype === "uint8") return "ties-up";
  const { quantized_bias_type: biasType } = optionsOf(node, "TransposeConvOptions");
  const bias = node.inputs[OPERANDS.bias]?.dtype ?? (biasType === "INT32" ? "int32" : "int64");
  return dtype === "int8" || bias === "int32" ? "ties-up-by-8" : "wide";
}

function createInteger(node: KernelNode, { checkTime }: KernelContext): KernelRun {
  const { fused_activation_function: activation } = optionsOf(node, "TransposeConvOptions");
  const [filter, input, output] = [inputAt(node, 1), inputAt(node, 2), outputAt(node, 0)];
  const channels = filter.shape[0];
  const zero = input.quantization?.zeroPoint[0] ?? 0;
  const stageOf = integerStage(node, activation, {
    input,
    filter,
    output,
    channels,
    precision: input.dtype === "uint8" ? "per-tensor" : "per-channel",
    law: transposeLaw(node),
  });
  const weightsOf = preparedOnce(centeredWeights);
  return createScatter(node, checkTime, ([, weights, view, bias]) => ({
    weights: weightsOf(weights),
    stage: stageOf(biasValues(bias, channels)),
    loadImage(at, image) {
      const { data } = present(view);
      assert(!Array.isArray(data), "numeric input");
      for (let i = 0; i < image.length; i++) image[i] = Number(data[at + i]) - zero;
    },
  }));
}

function outputShapeOf(node: KernelNode, known: ValueOf): Shape | undefined {
  const value = known(0);
  if (value === undefined) return undefined;
  const shape = [...int32(value)];
  transposeGeometry(node, shape);
  return shape;
}

export const TRANSPOSE_CONV: KernelTable = {
  TRANSPOSE_CONV: {
    check(node) {
      requireType(node, inputAt(node, 0), ["int32"], "output shape");
      requireProductTypes(node, OPERANDS);
      optionsOf(node, "TransposeConvOptions");
    },
    shapes: (node, known) => [outputShapeOf(node, known)],
    create(node, context) {
      switch (arithmeticOf(node, OPERANDS)) {
        case "float":
          return createFloat(node, context);
        case "hybrid":
          return createHybrid(node, context);
        case "integer":
          return createInteger(node, context);
      }
    },
  },
};
