/**
 * DEPTHWISE_CONV_2D over linear memory. Hybrid and integer convolutions turn one image at a time into floats of
 * q − zero point, or int16 into int32, whose sums are requantized when those of an image are there. A multiplier m > 1 is
 * a convolution with multiplier 1 of the image with each channel repeated m times.
 */
import { optionsOf } from "../../options.ts";
import { type DepthwiseGeometry, depthwiseGeometry } from "../../reference/depthwise-conv.ts";
import {
  type DepthwiseOperands,
  type DepthwiseRecords,
  type DepthwiseShape,
  recordsByteLength,
  shareRecords,
  writeRecords,
} from "../depthwise/depthwise-records.ts";
import { channelStep, depthwiseName, emitDepthwise } from "../depthwise/emit-depthwise.ts";
import { packedChannels, packRow } from "../depthwise/pack-channels.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import { emitRepeat, REPEAT_NAME, type RepeatFunction } from "../moves/emit-repeat.ts";
import { PASS_SCRATCH_BYTES } from "./activation-pass.ts";
import { depthwiseKind, type StageColumn } from "./depthwise-kind.ts";

export const fastDepthwise: FastKernel = (request) => {
  const geometry = depthwiseGeometry(request.node);
  const { rows, columns, multiplier, outChannels: channels } = geometry;
  const taps = rows.filterSize * columns.filterSize;
  const { fused_activation_function } = optionsOf(request.node, "DepthwiseConv2DOptions");
  const kind = depthwiseKind(request, channels, fused_activation_function);
  if (kind === undefined) return undefined;
  const shape = shapeOf(geometry);
  const { data, smallSums, dropsNegatives } = kind;
  const { relaxed } = request.features;
  const step = channelStep(channels);
  const code = { ...shape, data, smallSums, dropsNegatives, relaxed, channelStep: step };
  const name = depthwiseName(code);
  const layConstants = (region: Region) => ({
    weights: region.take(packedChannels(taps, channels) * 4),
    columns: region.take(packedChannels(kind.columns.length, channels) * (smallSums ? 8 : 4)),
    zeroRow: region.take(columns.inputSize * channels * 4),
    records: region.take(recordsByteLength(shape) * geometry.batch),
    finish: kind.finish?.lay(region),
  });
  const layScratch = (region: Region) => ({
    pass: region.take(PASS_SCRATCH_BYTES),
    prepared: region.take(kind.pass === undefined ? 0 : geometry.imageElements * 4),
    repeated: region.take(multiplier === 1 ? 0 : geometry.imageElements * multiplier * 4),
    sums: region.take(kind.finish === undefined ? 0 : geometry.outElements * 4),
  });
  const [persistent, scratch] = [new Region(), new Region()];
  layConstants(persistent);
  layScratch(scratch);
  return {
    variant: name,
    functions: [
      { name, emit: (module) => emitDepthwise(module, code) },
      ...(kind.pass?.functions ?? []),
      ...(kind.finish?.functions ?? []),
      ...(multiplier === 1 ? [] : [{ name: REPEAT_NAME, emit: emitRepeat }]),
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const { buffer } = place.memory;
      const { records, finish, ...constants } = layConstants(new Region(place.persistent));
      if (!place.isStored) {
        const length = packedChannels(taps, channels);
        const Packed = data === "qi16" ? Int32Array : Float32Array;
        const packed = new Packed(buffer, constants.weights, length);
        packWeights(kind.weights, taps, channels, packed);
        storeColumns(buffer, kind.columns, channels, constants.columns);
      }
      const at = layScratch(new Region(place.scratch));
      const recordsFor = rememberedRecords(shape, new Int32Array(buffer));
      const pass = kind.pass?.bind(place, at.pass);
      const repeat = multiplier === 1 ? undefined : place.call<RepeatFunction>(REPEAT_NAME);
      const requantize = finish?.(place);
      const { low, high } = kind;
      const fixed = { ...constants, outputBytes: requantize === undefined ? kind.elementBytes : 4 };
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
            output: requantize === undefined ? target : at.sums,
          });
          const stage = [constants.columns, parameter, low, high];
          const calls = shareRecords(lists, shape, place.threads, stage);
          place.callAll(name, calls, geometry.outElements * taps);
          requantize?.(at.sums, geometry.outElements / channels, channels, target);
        }
      };
    },
  };
};

function packWeights(
  weights: ArrayLike<number>,
  taps: number,
  channels: number,
  packed: Float32Array | Int32Array,
): void {
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
