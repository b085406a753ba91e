/** What kinds of DEPTHWISE_CONV_2D do differently: constants, how the image is prepared, the numbers of the stage, what comes last. */
import { assert } from "../../../base/errors.ts";
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import type { KernelNode, TensorView } from "../../kernel.ts";
import { channelScales, finiteRange, lawFor } from "../../reference/output-stage.ts";
import { centeredWeights, hybridWeights } from "../../reference/weights.ts";
import { inputAt, perTensorQuantization } from "../../require.ts";
import type { ByteType } from "../activations/emit-quantize.ts";
import type { DepthwiseData } from "../depthwise/emit-depthwise.ts";
import type { FastRequest } from "../fast-kernel.ts";
import type { SumFinish } from "./integer-finish.ts";
import { productTypes } from "./product-types.ts";
import { doubleFactors, requantizationOf } from "./requantization.ts";
import { centered, QUANTIZED, type StripPreparation } from "./strip-preparation.ts";
import { wideProduct } from "./wide-product.ts";

/** Products of integers below 256 summed over this many taps stay below 2^24, where float32 is exact. */
const MAX_EXACT_TAPS = 256;

export type StageColumn = Float32Array | Int32Array | Float64Array;

export interface DepthwiseKind {
  readonly data: DepthwiseData;
  readonly weights: ArrayLike<number>;
  readonly columns: readonly StageColumn[];
  /** Whether integer sums are small enough for doubles. */
  readonly smallSums: boolean;
  /** Whether no result lies below the zero point. */
  readonly dropsNegatives: boolean;
  /** Absent where elements are read as they are. */
  readonly preparation: StripPreparation | undefined;
  /** Bytes of an element of input and output. */
  readonly elementBytes: 1 | 2 | 4;
  /** Zero point of integer outputs. */
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
  /** Makes results of int32 sums, where the emitted function leaves those. */
  readonly finish?: SumFinish;
}

/** The operands and options of a node. */
interface Operands {
  readonly node: KernelNode;
  readonly filter: TensorView;
  readonly bias: TensorView | undefined;
  readonly channels: number;
  readonly activation: ActivationFunctionType;
}

/** The kind of a node with `channels` output channels; undefined for what is left to the reference. */
export function depthwiseKind(
  { node, known }: FastRequest,
  channels: number,
  activation: ActivationFunctionType,
): DepthwiseKind | undefined {
  const filter = known(1);
  const bias = node.inputs[2] === undefined ? undefined : known(2);
  if (filter === undefined || (node.inputs[2] !== undefined && bias === undefined))
    return undefined;
  if (filter.quantization?.details !== undefined) return undefined;
  const operands = { node, filter, bias, channels, activation };
  const types = productTypes(inputAt(node, 0).dtype, filter.dtype);
  if (types === "float") return floatKind(operands);
  if (filter.shape[1] * filter.shape[2] > MAX_EXACT_TAPS) return undefined;
  switch (types) {
    case "hybrid":
      return hybridKind(operands);
    case "int8":
    case "uint8":
      return byteKind(operands, types);
    case "int16":
      return wideKind(operands);
    case undefined:
      return undefined;
  }
}

function floatKind(operands: Operands): DepthwiseKind {
  const { data } = operands.filter;
  assert(data instanceof Float32Array, "float weights");
  return {
    ...{ data: "f32", weights: data, columns: [floatBias(operands)], preparation: undefined },
    ...clampOf(operands),
  };
}

function hybridKind(operands: Operands): DepthwiseKind {
  const { node, filter, channels } = operands;
  const columns = [channelScales(node, filter, channels), floatBias(operands)];
  const weights = hybridWeights(filter);
  return { data: "qd8", weights, columns, preparation: QUANTIZED, ...clampOf(operands) };
}

function floatBias({ bias, channels }: Operands): Float32Array {
  return bias?.data instanceof Float32Array ? bias.data : new Float32Array(channels);
}

const PLAIN_CODE = { smallSums: false, dropsNegatives: false } as const;

/** The stage's numbers for float results. */
function clampOf({ node, activation }: Operands) {
  const { min, max } = finiteRange(node, activation);
  return { low: min, high: max, zeroPoint: 0, elementBytes: 4, ...PLAIN_CODE } as const;
}

function byteKind(operands: Operands, type: ByteType): DepthwiseKind | undefined {
  const { node, filter, bias, channels, activation } = operands;
  if (bias !== undefined && bias.dtype !== "int32") return undefined;
  const precision = type === "uint8" ? "per-tensor" : "per-channel";
  const requantization = requantizationOf(node, activation, channels, precision);
  if (requantization === undefined) return undefined;
  const { zeroPoint, low, high } = requantization;
  const integerBias = bias?.data instanceof Int32Array ? bias.data : new Int32Array(channels);
  const inputZero = perTensorQuantization(node, inputAt(node, 0), "input").zeroPoint;
  const weights = centeredWeights(filter);
  const doubles = doubleFactors(requantization, integerBias, largestSums(weights, channels));
  return {
    data: type === "uint8" ? "qu8" : "qs8",
    weights,
    columns:
      doubles === undefined
        ? [requantization.multipliers, requantization.exponents, integerBias]
        : [doubles.factors, doubles.offsets, doubles.steps],
    smallSums: doubles !== undefined,
    dropsNegatives: low >= zeroPoint,
    preparation: centered(inputZero),
    elementBytes: 1,
    zeroPoint,
    low,
    high,
  };
}

/** Bound of |Σ (q − zero point) · weight| for each channel of weights [taps, channels]. */
function largestSums(weights: ArrayLike<number>, channels: number): Float64Array {
  const sums = new Float64Array(channels);
  for (let start = 0; start < weights.length; start += channels) {
    for (let c = 0; c < channels; c++) sums[c] += 255 * Math.abs(weights[start + c]);
  }
  return sums;
}

function wideKind({
  node,
  filter,
  bias,
  channels,
  activation,
}: Operands): DepthwiseKind | undefined {
  const law = lawFor(inputAt(node, 0), bias, "ties-up-by-8");
  const settings = { channels, law, isDepthwise: true };
  const product = wideProduct(node, activation, settings, filter, bias);
  if (product === undefined) return undefined;
  const { weights, sumBias, finish } = product;
  return {
    ...{ data: "qi16", weights, columns: [sumBias], preparation: centered(0) },
    ...{ elementBytes: 2, zeroPoint: 0, low: 0, high: 0, finish, ...PLAIN_CODE },
  };
}
