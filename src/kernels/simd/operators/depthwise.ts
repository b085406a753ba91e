/**
 * DEPTHWISE_CONV_2D over linear memory. Hybrid and integer convolutions turn one image at a time into floats of
 * q − zero point. A multiplier m > 1 is a convolution with multiplier 1 of the image with each channel repeated m times.
 */
import { assert } from "../../../base/errors.ts";
import type { ActivationFunctionType } from "../../../formats/tflite/schema.gen.ts";
import { optionsOf } from "../../options.ts";
import { type DepthwiseGeometry, depthwiseGeometry } from "../../reference/depthwise-conv.ts";
import { channelScales, finiteRange } from "../../reference/output-stage.ts";
import { centeredWeights, hybridWeights } from "../../reference/weights.ts";
import { inputAt, perTensorQuantization } from "../../require.ts";
import {
  type DepthwiseOperands,
  type DepthwiseRecords,
  type DepthwiseShape,
  recordsByteLength,
  shareRecords,
  writeRecords,
} from "../depthwise/depthwise-records.ts";
import {
  channelStep,
  type DepthwiseData,
  depthwiseName,
  emitDepthwise,
} from "../depthwise/emit-depthwise.ts";
import { packedChannels, packRow } from "../depthwise/pack-channels.ts";
import { addressOf, type FastKernel, type FastRequest, Region } from "../fast-kernel.ts";
import { emitRepeat, REPEAT_NAME, type RepeatFunction } from "../moves/emit-repeat.ts";
import {
  type ActivationPass,
  PASS_SCRATCH_BYTES,
  quantizingPass,
  wideningPass,
} from "./activation-pass.ts";
import { doubleFactors, requantizationOf } from "./requantization.ts";

/** Products of integers below 256 summed over this many taps stay below 2^24, where float32 is exact. */
const MAX_EXACT_TAPS = 256;

type StageColumn = Float32Array | Int32Array | Float64Array;

/** A kind of depthwise convolution: constants, what comes before, and the stage's numbers. */
interface DepthwiseKind {
  readonly data: DepthwiseData;
  readonly weights: ArrayLike<number>;
  readonly columns: readonly StageColumn[];
  /** Whether integer sums are small enough for doubles. */
  readonly smallSums: boolean;
  readonly pass: ActivationPass | undefined;
  readonly elementBytes: number;
  /** Zero point of integer outputs. */
  readonly zeroPoint: number;
  readonly low: number;
  readonly high: number;
}

export const fastDepthwise: FastKernel = (request) => {
  const geometry = depthwiseGeometry(request.node);
  const { rows, columns, multiplier, outChannels: channels } = geometry;
  const taps = rows.filterSize * columns.filterSize;
  const { fused_activation_function } = optionsOf(request.node, "DepthwiseConv2DOptions");
  const kind = kindOf(request, channels, fused_activation_function);
  if (kind === undefined || (kind.pass !== undefined && taps > MAX_EXACT_TAPS)) return undefined;
  const shape = shapeOf(geometry);
  const { data, smallSums } = kind;
  const { relaxed } = request.features;
  const code = { ...shape, data, smallSums, relaxed, channelStep: channelStep(channels) };
  const name = depthwiseName(code);
  const layConstants = (region: Region) => ({
    weights: region.take(packedChannels(taps, channels) * 4),
    columns: region.take(packedChannels(kind.columns.length, channels) * (smallSums ? 8 : 4)),
    zeroRow: region.take(columns.inputSize * channels * 4),
    records: region.take(recordsByteLength(shape) * geometry.batch),
  });
  const layScratch = (region: Region) => ({
    pass: region.take(PASS_SCRATCH_BYTES),
    prepared: region.take(kind.pass === undefined ? 0 : geometry.imageElements * 4),
    repeated: region.take(multiplier === 1 ? 0 : geometry.imageElements * multiplier * 4),
  });
  const [persistent, scratch] = [new Region(), new Region()];
  layConstants(persistent);
  layScratch(scratch);
  return {
    variant: name,
    functions: [
      { name, emit: (module) => emitDepthwise(module, code) },
      ...(kind.pass?.functions ?? []),
      ...(multiplier === 1 ? [] : [{ name: REPEAT_NAME, emit: emitRepeat }]),
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const { buffer } = place.memory;
      const { records, ...constants } = layConstants(new Region(place.persistent));
      if (!place.isStored) {
        storeWeights(buffer, kind.weights, { taps, channels, at: constants.weights });
        storeColumns(buffer, kind.columns, channels, constants.columns);
      }
      const at = layScratch(new Region(place.scratch));
      const recordsFor = rememberedRecords(shape, new Int32Array(buffer));
      const pass = kind.pass?.bind(place, at.pass);
      const repeat = multiplier === 1 ? undefined : place.call<RepeatFunction>(REPEAT_NAME);
      const { low, high, elementBytes: outputBytes } = kind;
      const fixed = { ...constants, outputBytes };
      return ([input], [output]) => {
        for (let b = 0; b < geometry.batch; b++) {
          const source = addressOf(input) + b * geometry.imageElements * kind.elementBytes;
          const scale = pass?.(source, geometry.imageElements, at.prepared).scale ?? 1;
          let image = pass === undefined ? source : at.prepared;
          if (repeat !== undefined) {
            repeat(image, geometry.imageElements, at.repeated, multiplier);
            image = at.repeated;
          }
          const target = addressOf(output) + b * geometry.outElements * kind.elementBytes;
          const parameter = kind.data === "qd8" ? scale : kind.zeroPoint;
          const lists = recordsFor(b, {
            ...fixed,
            records: records + b * recordsByteLength(shape),
            input: image,
            output: target,
          });
          const stage = [constants.columns, parameter, low, high];
          const calls = shareRecords(lists, shape, place.threads, stage);
          place.callAll(name, calls, geometry.outElements * taps);
        }
      };
    },
  };
};

function storeWeights(
  buffer: ArrayBufferLike,
  weights: ArrayLike<number>,
  { taps, channels, at }: { readonly taps: number; readonly channels: number; readonly at: number },
): void {
  const packed = new Float32Array(buffer, at, packedChannels(taps, channels));
  for (let row = 0; row < taps; row++) {
    packRow(weights, row * channels, { row, rows: taps, channels }, packed);
  }
}

/** Packs the stage's columns, which are of one type, one beside the other. */
function storeColumns(
  buffer: ArrayBufferLike,
  columns: readonly StageColumn[],
  channels: number,
  at: number,
): void {
  const length = packedChannels(columns.length, channels);
  const [first] = columns;
  const packed =
    first instanceof Float64Array
      ? new Float64Array(buffer, at, length)
      : first instanceof Float32Array
        ? new Float32Array(buffer, at, length)
        : new Int32Array(buffer, at, length);
  for (const [row, column] of columns.entries()) {
    packRow(column, 0, { row, rows: columns.length, channels }, packed);
  }
}

/** Writes the records of an image of the batch; those of the last run serve again where addresses are the same. */
function rememberedRecords(
  shape: DepthwiseShape,
  heap: Int32Array,
): (image: number, at: DepthwiseOperands) => DepthwiseRecords {
  const remembered: (DepthwiseOperands & { readonly lists: DepthwiseRecords })[] = [];
  return (image, at) => {
    const last = remembered[image];
    if (last?.input === at.input && last.output === at.output) return last.lists;
    const lists = writeRecords(shape, at, heap);
    remembered[image] = { ...at, lists };
    return lists;
  };
}

function kindOf(
  { node, known, features }: FastRequest,
  channels: number,
  activation: ActivationFunctionType,
): DepthwiseKind | undefined {
  const filter = known(1);
  const bias = node.inputs[2] === undefined ? undefined : known(2);
  if (filter === undefined || (node.inputs[2] !== undefined && bias === undefined))
    return undefined;
  if (filter.quantization?.details !== undefined) return undefined;
  const input = inputAt(node, 0);
  const floatBias = bias?.data instanceof Float32Array ? bias.data : new Float32Array(channels);
  if (input.dtype === "float32") {
    const { min, max } = finiteRange(node, activation);
    const clamp = { low: min, high: max, zeroPoint: 0, elementBytes: 4, smallSums: false };
    if (filter.dtype === "float32") {
      assert(filter.data instanceof Float32Array, "float weights");
      return { data: "f32", weights: filter.data, columns: [floatBias], pass: undefined, ...clamp };
    }
    if (filter.dtype !== "int8" && filter.dtype !== "int4") return undefined;
    const columns = [channelScales(node, filter, channels), floatBias];
    const pass = quantizingPass("float32", true, features);
    return { data: "qd8", weights: hybridWeights(filter), columns, pass, ...clamp };
  }
  if (input.dtype !== "int8" && input.dtype !== "uint8") return undefined;
  if (filter.dtype !== input.dtype || (bias !== undefined && bias.dtype !== "int32"))
    return undefined;
  const precision = input.dtype === "uint8" ? "per-tensor" : "per-channel";
  const requantization = requantizationOf(node, activation, channels, precision);
  if (requantization === undefined) return undefined;
  const { zeroPoint, low, high } = requantization;
  const integerBias = bias?.data instanceof Int32Array ? bias.data : new Int32Array(channels);
  const inputZero = perTensorQuantization(node, input, "input").zeroPoint;
  const weights = centeredWeights(filter);
  const doubles = doubleFactors(requantization, integerBias, largestSums(weights, channels));
  return {
    data: input.dtype === "uint8" ? "qu8" : "qs8",
    weights,
    columns:
      doubles === undefined
        ? [requantization.multipliers, requantization.exponents, integerBias]
        : [doubles.factors, doubles.offsets, doubles.steps],
    smallSums: doubles !== undefined,
    pass: wideningPass("float32", input.dtype, inputZero),
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

function shapeOf(geometry: DepthwiseGeometry): DepthwiseShape {
  const { rows, columns, outChannels } = geometry;
  return {
    channels: outChannels,
    inputHeight: rows.inputSize,
    inputWidth: columns.inputSize,
    outputHeight: rows.outputSize,
    outputWidth: columns.outputSize,
    kernelHeight: rows.filterSize,
    kernelWidth: columns.filterSize,
    strideHeight: rows.stride,
    strideWidth: columns.stride,
    dilationHeight: rows.dilation,
    dilationWidth: columns.dilation,
    padTop: rows.padBefore,
    padLeft: columns.padBefore,
  };
}
