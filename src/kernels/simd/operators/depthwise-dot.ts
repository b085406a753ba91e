/** The way over the image of a depthwise convolution by dot products (`depthwise/dot-columns.ts`). */
import type { DepthwiseShape } from "../depthwise/depthwise-records.ts";
import {
  CHANNEL_BYTES,
  dotWeightBytes,
  fitsBytes,
  needsSecond,
  packDotWeights,
  rowGroups,
} from "../depthwise/dot-columns.ts";
import { type DotGeometry, dotStripsName, emitDotStrips } from "../depthwise/emit-dot-strips.ts";
import { CHANNEL_BLOCK } from "../depthwise/pack-channels.ts";
import type { FastFeatures } from "../fast-kernel.ts";
import { movedZeroPoint } from "./activation-pass.ts";
import type { DepthwiseKind } from "./depthwise-kind.ts";
import { type ImageWalk, stripsOf } from "./depthwise-walk.ts";

/** The walk of a convolution with multiplier 1; undefined where dot products do not fit it. */
export function dotWalk(
  shape: DepthwiseShape,
  kind: DepthwiseKind,
  features: FastFeatures,
): ImageWalk | undefined {
  const code = codeOf(shape, kind, features);
  if (code === undefined) return undefined;
  const { data, dot } = code;
  const { inputWidth, padLeft, channels } = shape;
  const groups = rowGroups(code, shape.outputWidth);
  const rowBytes = groups * channels * CHANNEL_BYTES;
  const rowElements = inputWidth * channels;
  const isQuantizedByte = data === "qd8" && dot !== "int16";
  const strips = stripsOf(pixelRows(shape), {
    ...{ rowElements, elementBytes: kind.elementBytes, rowBytes },
    stagedBytes: (elements) => (isQuantizedByte ? elements : 0),
  });
  return {
    code: { name: dotStripsName(code), emit: (module) => emitDotStrips(module, code) },
    weightBytes: dotWeightBytes(code, channels),
    // The pixel outside follows the row.
    zeroRowBytes: rowBytes + channels * CHANNEL_BYTES,
    ...strips.bytes,
    joinsColumns: code.keepsSums,
    packWeights(weights, buffer, address) {
      packDotWeights({ weights, channels, buffer, address }, code);
    },
    bind(buffer, threads) {
      const partsFor = strips.bind(buffer, threads);
      const setZeros = bindZeros(code, new Uint8Array(buffer), rowBytes, channels);
      return (image, at, stage, { zeroPoint, inverse, low, high }) => {
        const zero = storedZeroPoint(code, zeroPoint);
        setZeros(at.zeroRow, zeroPoint);
        const numbers = [at.zeroRow + rowBytes, zero, inverse, low, high];
        return partsFor(image, at).map(({ steps, stepCount, inner, staged }) => [
          ...[steps, stepCount, inner, staged, channels, ...stage],
          ...[inputWidth, padLeft, groups, ...numbers],
        ]);
      };
    },
  };
}

function codeOf(
  shape: DepthwiseShape,
  { data, weights, smallSums, dropsNegatives }: DepthwiseKind,
  { relaxed, dot, wide }: FastFeatures,
): DotGeometry | undefined {
  const { kernelHeight, kernelWidth, strideWidth, channels } = shape;
  if (data !== "qd8" && data !== "qs8" && data !== "qu8") return undefined;
  if (channels % CHANNEL_BLOCK !== 0 || (strideWidth !== 1 && strideWidth !== 2)) return undefined;
  // Of one column half of a dot product would be for nothing.
  if (kernelWidth < 2 || shape.dilationWidth !== 1) return undefined;
  const type = dot !== undefined && fitsBytes(weights) ? dot : "int16";
  return {
    ...{ kernelHeight, kernelWidth, strideWidth, data, smallSums, dropsNegatives, relaxed },
    dot: type,
    hasSecond: type !== "int16" && needsSecond(weights),
    keepsSums: wide === true && data !== "qd8",
  };
}

/** The zero point as dot products of bytes see it, and what is widened. */
function storedZeroPoint({ data, dot }: DotGeometry, zeroPoint: number): number {
  return dot === "int16"
    ? zeroPoint
    : movedZeroPoint(data === "qu8" ? "uint8" : "int8", dot, zeroPoint);
}

/**
 * Makes the function that writes what stands outside of the image: a prepared row, and behind it a pixel as pixels are
 * before they are rearranged.
 */
function bindZeros(
  code: DotGeometry,
  bytes: Uint8Array<ArrayBufferLike>,
  rowBytes: number,
  channels: number,
): (address: number, zeroPoint: number) => void {
  const isWord = code.dot === "int16";
  let last: number | undefined;
  return (address, zeroPoint) => {
    if (last === zeroPoint) return;
    last = zeroPoint;
    const stored = isWord ? 0 : storedZeroPoint(code, zeroPoint);
    const pixel = address + rowBytes;
    bytes.fill(stored, address, pixel);
    bytes.fill(code.data === "qd8" ? stored : zeroPoint, pixel, pixel + channels * CHANNEL_BYTES);
  };
}

/** The shape as its records see it: rows of as many pixels as the output has, none of them at a border. */
function pixelRows(shape: DepthwiseShape): DepthwiseShape {
  const columns = { inputWidth: shape.outputWidth, kernelWidth: 1, strideWidth: 1 };
  return { ...shape, ...columns, dilationWidth: 1, padLeft: 0 };
}
