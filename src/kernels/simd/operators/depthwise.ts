/**
 * DEPTHWISE_CONV_2D over linear memory. Images of hybrid and integer convolutions are prepared while they are walked over
 * (`depthwise-walk.ts`, `depthwise-dot.ts`); sums of int16 are requantized when those of an image are there. A multiplier
 * m > 1 is a convolution with multiplier 1 of the image with each channel repeated m times.
 */
import { optionsOf } from "../../options.ts";
import { type DepthwiseGeometry, depthwiseGeometry } from "../../reference/depthwise-conv.ts";
import type { DepthwiseShape } from "../depthwise/depthwise-records.ts";
import { channelStep } from "../depthwise/emit-depthwise.ts";
import { packedChannels, packRow } from "../depthwise/pack-channels.ts";
import { joinedColumns } from "../emit-requantize.ts";
import { addressOf, type FastFeatures, type FastKernel, Region } from "../fast-kernel.ts";
import { PASS_SCRATCH_BYTES } from "./activation-pass.ts";
import { dotWalk } from "./depthwise-dot.ts";
import { type DepthwiseKind, depthwiseKind, type StageColumn } from "./depthwise-kind.ts";
import { directWalk, type ImageWalk, stripWalk } from "./depthwise-walk.ts";
import { PLAIN_NUMBERS } from "./strip-preparation.ts";

export const fastDepthwise: FastKernel = (request) => {
  const geometry = depthwiseGeometry(request.node);
  const { rows, columns, multiplier, outChannels: channels } = geometry;
  const taps = rows.filterSize * columns.filterSize;
  const { fused_activation_function } = optionsOf(request.node, "DepthwiseConv2DOptions");
  const kind = depthwiseKind(request, channels, fused_activation_function);
  if (kind === undefined) return undefined;
  const shape = shapeOf(geometry);
  const { data, smallSums, preparation, elementBytes } = kind;
  const walk = walkOf(shape, kind, multiplier, request.features);
  const layConstants = (region: Region) => ({
    weights: region.take(walk.weightBytes),
    columns: region.take(packedChannels(kind.columns.length, channels) * (smallSums ? 8 : 4)),
    zeroRow: region.take(walk.zeroRowBytes),
    records: region.take(walk.recordBytes * geometry.batch),
    finish: kind.finish?.lay(region),
  });
  const layScratch = (region: Region) => ({
    pass: region.take(PASS_SCRATCH_BYTES),
    walk: region.take(walk.scratchBytes),
    sums: region.take(kind.finish === undefined ? 0 : geometry.outElements * 4),
  });
  const [persistent, scratch] = [new Region(), new Region()];
  layConstants(persistent);
  layScratch(scratch);
  return {
    variant: walk.code.name,
    functions: [walk.code, ...(preparation?.functions ?? []), ...(kind.finish?.functions ?? [])],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const { buffer } = place.memory;
      const { records, finish, ...constants } = layConstants(new Region(place.persistent));
      if (!place.isStored) {
        walk.packWeights(kind.weights, buffer, constants.weights);
        const stored = walk.joinsColumns ? kind.columns.map(joinedColumns) : kind.columns;
        storeColumns(buffer, stored, channels, constants.columns);
      }
      const at = layScratch(new Region(place.scratch));
      const callsFor = walk.bind(buffer, place.threads);
      const lookAt = preparation?.bind(place, at.pass);
      const requantize = finish?.(place);
      const { low, high } = kind;
      const outputBytes = requantize === undefined ? elementBytes : 4;
      return ([input], [output]) => {
        for (let b = 0; b < geometry.batch; b++) {
          const source = addressOf(input) + b * geometry.imageElements * elementBytes;
          const target = addressOf(output) + b * geometry.outElements * elementBytes;
          const image = lookAt?.(source, geometry.imageElements) ?? PLAIN_NUMBERS;
          const parameter = data === "qd8" ? image.scale : kind.zeroPoint;
          const operands = {
            ...{ ...constants, outputBytes, scratch: at.walk, input: source },
            records: records + b * walk.recordBytes,
            output: requantize === undefined ? target : at.sums,
          };
          const stage = [constants.columns, parameter, low, high];
          const calls = callsFor(b, operands, stage, image);
          place.callAll(walk.code.name, calls, geometry.outElements * taps);
          requantize?.(at.sums, geometry.outElements / channels, channels, target);
        }
      };
    },
  };
};

/** The way over the image: by dot products where they fit, for floats without a copy. */
function walkOf(
  shape: DepthwiseShape,
  kind: DepthwiseKind,
  times: number,
  features: FastFeatures,
): ImageWalk {
  const { data, smallSums, dropsNegatives, elementBytes } = kind;
  const { relaxed } = features;
  const step = channelStep(shape.channels);
  const code = { ...shape, data, smallSums, dropsNegatives, relaxed, channelStep: step };
  if (times === 1) {
    if (kind.preparation === undefined) return directWalk(shape, code);
    const walk = dotWalk(shape, kind, features);
    if (walk !== undefined) return walk;
  }
  return stripWalk(shape, code, { elementBytes, times });
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
