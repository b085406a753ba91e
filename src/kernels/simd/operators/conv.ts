/**
 * CONV_2D over linear memory. A 1×1 window with stride 1 multiplies the image as it lies; other windows are gathered
 * strip by strip. Hybrid convolutions quantize one image at a time to int16 (q − zero point), so that padding is 0 and
 * nothing has to be corrected.
 */
import { optionsOf } from "../../options.ts";
import { clampRange } from "../../reference/activation.ts";
import { type ConvGeometry, convGeometry, isPerChannel } from "../../reference/conv.ts";
import { insideRange } from "../../reference/window.ts";
import { inputAt } from "../../require.ts";
import {
  addressOf,
  type FastKernel,
  type FastPlace,
  type FastPlan,
  Region,
} from "../fast-kernel.ts";
import { emitGather, GATHER_NAME, type GatherFunction } from "../gather/emit-gather.ts";
import { blockRows } from "../gemm/blocks.ts";
import { gemmSteps } from "../gemm/pack.ts";
import type { GemmVariant } from "../gemm/variants.ts";
import { bindQuantizer, quantizerFunctions } from "./activation-quantizer.ts";
import {
  bindMultiply,
  chooseGemm,
  gemmFunction,
  layProduct,
  type Multiply,
  productWeights,
  storeProduct,
} from "./product.ts";

/** Memory that a convolution uses while it runs. Addresses in bytes. */
interface ConvScratch {
  /** float32[2] for the range, float32[1] for the scale. */
  readonly range: number;
  readonly scale: number;
  /** The quantized image, for hybrid convolutions. */
  readonly quantized: number;
  /** i32 pointers, one per kernel row. */
  readonly rowTable: number;
  /** A strip of gathered windows. */
  readonly strip: number;
}

/** Element sizes and strides of the matrix that is multiplied. */
interface ConvMatrix {
  readonly geometry: ConvGeometry;
  readonly variant: GemmVariant;
  readonly elementBytes: number;
  /** Bytes from one gathered window to the next. */
  readonly rowBytes: number;
  readonly stripRows: number;
  readonly isDirect: boolean;
}

export const fastConv: FastKernel = ({ node, known, features }) => {
  const geometry = convGeometry(node);
  if (geometry.groups !== 1 || inputAt(node, 0).dtype !== "float32") return undefined;
  const { rows, columns, outChannels, channels } = geometry;
  const depth = rows.filterSize * columns.filterSize * channels;
  const weights = productWeights(node, known, outChannels, depth);
  if (weights === undefined || depth === 0) return undefined;
  const clamp = clampRange(node, optionsOf(node, "Conv2DOptions").fused_activation_function);
  const pixels = rows.outputSize * columns.outputSize;
  const variant = chooseGemm(weights.data, pixels, features.relaxed);
  const matrix = matrixOf(geometry, variant, depth, pixels);
  const persistent = new Region();
  layProduct(persistent, variant, outChannels, depth);
  const scratch = new Region();
  layScratch(scratch, matrix);
  return {
    variant: variant.name,
    functions: [
      gemmFunction(variant),
      { name: GATHER_NAME, emit: emitGather },
      ...(variant.data === "qd8" ? quantizerFunctions("int16") : []),
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const layout = layProduct(new Region(place.persistent), variant, outChannels, depth);
      storeProduct(place.memory, node, variant, weights, layout);
      const at = layScratch(new Region(place.scratch), matrix);
      const multiply = bindMultiply(place, variant, weights, layout, clamp);
      const asymmetric = isPerChannel(inputAt(node, 1), geometry.groups);
      return variant.data === "qd8"
        ? bindHybrid(place, matrix, at, multiply, asymmetric)
        : bindFloat(place, matrix, at, multiply);
    },
  };
};

function matrixOf(
  geometry: ConvGeometry,
  variant: GemmVariant,
  depth: number,
  pixels: number,
): ConvMatrix {
  const { rows, columns, channels } = geometry;
  const elementBytes = variant.data === "qd8" ? 2 : 4;
  const rowBytes = gemmSteps(variant.data, depth) * 4;
  const isPointwise = [rows, columns].every(
    (axis) => axis.filterSize === 1 && axis.stride === 1 && axis.padBefore === 0,
  );
  return {
    geometry,
    variant,
    elementBytes,
    rowBytes,
    stripRows: blockRows(pixels, rowBytes, variant.mr),
    isDirect: isPointwise && channels * elementBytes === rowBytes,
  };
}

function layScratch(region: Region, matrix: ConvMatrix): ConvScratch {
  const { geometry, variant, rowBytes, stripRows, isDirect } = matrix;
  const imageBytes = imageElements(geometry) * 2;
  return {
    range: region.take(8),
    scale: region.take(4),
    quantized: region.take(variant.data === "qd8" ? imageBytes : 0),
    rowTable: region.take(geometry.rows.filterSize * 4),
    strip: region.take(isDirect ? 0 : stripRows * rowBytes),
  };
}

function imageElements({ rows, columns, channels }: ConvGeometry): number {
  return rows.inputSize * columns.inputSize * channels;
}

function outputElements({ rows, columns, outChannels }: ConvGeometry): number {
  return rows.outputSize * columns.outputSize * outChannels;
}

function bindFloat(
  place: FastPlace,
  matrix: ConvMatrix,
  at: ConvScratch,
  multiply: Multiply,
): ReturnType<FastPlan["bind"]> {
  const { geometry } = matrix;
  const convolve = bindImage(place, matrix, at, multiply);
  return ([input], [output]) => {
    for (let b = 0; b < geometry.batch; b++) {
      const image = addressOf(input) + b * imageElements(geometry) * 4;
      convolve(image, addressOf(output) + b * outputElements(geometry) * 4);
    }
  };
}

function bindHybrid(
  place: FastPlace,
  matrix: ConvMatrix,
  at: ConvScratch,
  multiply: Multiply,
  asymmetric: boolean,
): ReturnType<FastPlan["bind"]> {
  const { geometry } = matrix;
  const count = imageElements(geometry);
  const convolve = bindImage(place, matrix, at, multiply);
  const quantize = bindQuantizer(place, "int16", asymmetric, at.range);
  const scale = new Float32Array(place.memory.buffer, at.scale, 1);
  return ([input], [output]) => {
    for (let b = 0; b < geometry.batch; b++) {
      scale[0] = quantize(addressOf(input) + b * count * 4, count, at.quantized);
      convolve(at.quantized, addressOf(output) + b * outputElements(geometry) * 4);
    }
  };
}

/** Convolves one image at an address: directly, or in gathered strips. */
function bindImage(
  place: FastPlace,
  matrix: ConvMatrix,
  at: ConvScratch,
  multiply: Multiply,
): (image: number, out: number) => void {
  const { geometry, rowBytes, stripRows, isDirect } = matrix;
  const { rows, columns, outChannels } = geometry;
  const pixels = rows.outputSize * columns.outputSize;
  if (isDirect) {
    return (image, out) => multiply(image, rowBytes, pixels, out, at.scale, 0);
  }
  const gather = bindGather(place, matrix, at);
  return (image, out) => {
    for (let pixel = 0; pixel < pixels; pixel += stripRows) {
      const count = Math.min(stripRows, pixels - pixel);
      gather(image, pixel, count);
      multiply(at.strip, rowBytes, count, out + pixel * outChannels * 4, at.scale, 0);
    }
  };
}

/** Fills the strip with the windows of `count` output pixels from `pixel` on, in row-major order of the output. */
function bindGather(
  place: FastPlace,
  matrix: ConvMatrix,
  at: ConvScratch,
): (image: number, pixel: number, count: number) => void {
  const { geometry, elementBytes, rowBytes } = matrix;
  const { rows, columns, channels } = geometry;
  const gather = place.call<GatherFunction>(GATHER_NAME);
  const table = new Int32Array(place.memory.buffer, at.rowTable, rows.filterSize);
  const bytes = new Uint8Array(place.memory.buffer);
  const pixelBytes = channels * elementBytes;
  const lineBytes = columns.inputSize * pixelBytes;
  const kernelRowBytes = columns.filterSize * pixelBytes;
  const isDense = columns.dilation === 1;
  /** Copies kernel columns [first, end) of `pixels` pixels of output row y from x on. */
  const copy = (
    image: number,
    [y, x]: readonly [number, number],
    [first, end]: readonly [number, number],
    pixels: number,
    target: number,
  ) => {
    const top = y * rows.stride - rows.padBefore;
    const left = x * columns.stride - columns.padBefore;
    const [firstRow, endRow] = insideRange(rows, top);
    const column = (left + first * columns.dilation) * pixelBytes;
    for (let k = firstRow; k < endRow; k++) {
      table[k - firstRow] = image + (top + k * rows.dilation) * lineBytes + column;
    }
    if (endRow - firstRow < rows.filterSize || end - first < columns.filterSize) {
      bytes.fill(0, target, target + pixels * rowBytes);
    }
    gather(
      target + firstRow * kernelRowBytes + first * pixelBytes,
      rowBytes,
      at.rowTable,
      endRow - firstRow,
      end > first ? pixels : 0,
      columns.stride * pixelBytes,
      isDense ? 1 : end - first,
      columns.dilation * pixelBytes,
      isDense ? (end - first) * pixelBytes : pixelBytes,
      kernelRowBytes,
    );
  };
  const inside = insideColumns(geometry);
  return (image, pixel, count) => {
    let done = 0;
    while (done < count) {
      const y = Math.floor((pixel + done) / columns.outputSize);
      const x = (pixel + done) % columns.outputSize;
      const target = at.strip + done * rowBytes;
      const range = insideRange(columns, x * columns.stride - columns.padBefore);
      const whole = x >= inside.start && x < inside.end;
      const pixels = whole ? Math.min(count - done, inside.end - x) : 1;
      copy(image, [y, x], range, pixels, target);
      done += pixels;
    }
  };
}

/** Output columns [start, end) whose windows lose nothing at the left and right border. */
function insideColumns({ columns }: ConvGeometry): {
  readonly start: number;
  readonly end: number;
} {
  const { filterSize, dilation, inputSize, stride, padBefore, outputSize } = columns;
  const reach = (filterSize - 1) * dilation + 1;
  const start = Math.ceil(padBefore / stride);
  const end = Math.floor((inputSize - reach + padBefore) / stride) + 1;
  return { start, end: Math.max(start, Math.min(end, outputSize)) };
}
