/**
 * CONV_2D over linear memory. A 1×1 window with stride 1 multiplies the image as it lies; other windows are read where they
 * are in it, or gathered strip by strip where steps of the product do not fit their lines. Hybrid and integer convolutions turn one image at a time into int16 (q − zero point), so that padding
 * is 0 and nothing has to be corrected, or into bytes, whose padding is the zero point.
 */
import { elementCount } from "../../../base/shape.ts";
import { optionsOf } from "../../options.ts";
import { type ConvGeometry, convGeometry, isPerChannel } from "../../reference/conv.ts";
import { finiteRange } from "../../reference/output-stage.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  addressOf,
  type CallList,
  type EmittedFunction,
  type FastKernel,
  type FastPlace,
  type FastPlan,
  RESIDUAL_OPERAND,
  Region,
} from "../fast-kernel.ts";
import { emitGather, GATHER_NAME } from "../gather/emit-gather.ts";
import { blockRows } from "../gemm/blocks.ts";
import { COPY_ROWS_NAME, emitCopyRows } from "../moves/emit-moves.ts";
import { PASS_SCRATCH_BYTES } from "./activation-pass.ts";
import { bindGather, rowTableBytes } from "./gather-windows.ts";
import { fastGroupedConv } from "./grouped-conv.ts";
import {
  bindWindows,
  type ImageWindows,
  imageWindows,
  paddedBytes,
  windowTableBytes,
} from "./image-windows.ts";
import { type Multiply, type Product, planProduct } from "./product.ts";

/** Strips that several threads share at a time: one alone is too little work to hand out. */
const STRIPS_PER_LIST = 8;

/** Memory that a convolution uses while it runs. Addresses in bytes. */
interface ConvScratch {
  readonly pass: number;
  /** float32[1], int32[1]: scale and zero point of the prepared image, for hybrid convolutions. */
  readonly scale: number;
  readonly zeroPoint: number;
  /** The image as the product wants it, for all but float convolutions. */
  readonly prepared: number;
  /** Pointers of a gather. */
  readonly rowTable: number;
  /** A strip of gathered windows. */
  readonly strip: number;
  /** The image with a margin. */
  readonly padded: number;
}

/** Sizes of the matrix that is multiplied. */
interface ConvMatrix {
  readonly geometry: ConvGeometry;
  readonly product: Product;
  /** Bytes of an element of the image that is gathered. */
  readonly elementBytes: number;
  readonly stripRows: number;
  /** The image is the matrix. */
  readonly isDirect: boolean;
  /** Rows of the matrix are windows of the image. */
  readonly windows: ImageWindows | undefined;
}

export const fastConv: FastKernel = (request) => {
  const { node, residual } = request;
  if (elementCount(outputAt(node, 0).shape) === 0) return undefined;
  const geometry = convGeometry(node);
  const isWide = inputAt(node, 0).dtype === "int16";
  if (geometry.groups !== 1 || isWide) return fastGroupedConv(request);
  const { rows, columns, outChannels, channels } = geometry;
  const windows = imageWindows(geometry);
  const product = planProduct(request, {
    rows: rows.outputSize * columns.outputSize,
    n: outChannels,
    k: rows.filterSize * columns.filterSize * channels,
    activation: optionsOf(node, "Conv2DOptions").fused_activation_function,
    floatRange: finiteRange,
    asymmetric: isPerChannel(inputAt(node, 1), geometry.groups),
    oneScale: true,
    ...(isPointwise(geometry) ? {} : { windows }),
    precision: inputAt(node, 0).dtype === "uint8" ? "per-tensor" : "per-channel",
    ...(residual === undefined ? {} : { residual }),
  });
  if (product === undefined) return undefined;
  const matrix = matrixOf(geometry, windows, product);
  const scratch = new Region();
  layScratch(scratch, matrix);
  return {
    variant: product.variant.name,
    functions: [...product.functions, ...movesOf(matrix)],
    persistentBytes: tableDistance(product) + (product.windows ? windowTableBytes(windows) : 0),
    scratchBytes: scratch.byteLength,
    ...(residual === undefined ? {} : { addsResidual: true }),
    bind: (place) => bindConv(place, matrix, layScratch(new Region(place.scratch), matrix)),
  };
};

/** Whether windows are pixels, all of them in turn. */
function isPointwise({ rows, columns }: ConvGeometry): boolean {
  return [rows, columns].every(
    (axis) => axis.filterSize === 1 && axis.stride === 1 && axis.padBefore === 0,
  );
}

/** What brings windows into the product's reach. */
function movesOf({ isDirect, windows }: ConvMatrix): readonly EmittedFunction[] {
  if (windows === undefined) return isDirect ? [] : [{ name: GATHER_NAME, emit: emitGather }];
  return windows.isPadded ? [{ name: COPY_ROWS_NAME, emit: emitCopyRows }] : [];
}

/** Bytes from what the product keeps to the table of windows. */
function tableDistance({ persistentBytes }: Product): number {
  return Math.ceil(persistentBytes / 64) * 64;
}

function matrixOf(geometry: ConvGeometry, windows: ImageWindows, product: Product): ConvMatrix {
  const { rows, columns, channels } = geometry;
  const elementBytes = product.pass?.storedBytes ?? product.elementBytes;
  const pixels = rows.outputSize * columns.outputSize;
  return {
    geometry,
    product,
    elementBytes,
    stripRows: blockRows(pixels, product.blockedBytes, product.variant.mr),
    windows: product.windows ? windows : undefined,
    isDirect: isPointwise(geometry) && channels * elementBytes === product.rowBytes,
  };
}

function layScratch(region: Region, matrix: ConvMatrix): ConvScratch {
  const { geometry, product, stripRows, elementBytes, windows } = matrix;
  const isGathered = !matrix.isDirect && windows === undefined;
  return {
    pass: region.take(PASS_SCRATCH_BYTES),
    scale: region.take(4),
    zeroPoint: region.take(4),
    prepared: region.take(imageElements(geometry) * (product.pass?.storedBytes ?? 0)),
    rowTable: region.take(isGathered ? rowTableBytes(geometry, STRIPS_PER_LIST * stripRows) : 0),
    strip: region.take(isGathered ? STRIPS_PER_LIST * stripRows * product.rowBytes : 0),
    padded: region.take(windows === undefined ? 0 : paddedBytes(windows, elementBytes)),
  };
}

function imageElements({ rows, columns, channels }: ConvGeometry): number {
  return rows.inputSize * columns.inputSize * channels;
}

function outputElements({ rows, columns, outChannels }: ConvGeometry): number {
  return rows.outputSize * columns.outputSize * outChannels;
}

function bindConv(
  place: FastPlace,
  matrix: ConvMatrix,
  at: ConvScratch,
): ReturnType<FastPlan["bind"]> {
  const { geometry, product } = matrix;
  const count = imageElements(geometry);
  const rowParameters = { scales: at.scale, zeroPoints: at.zeroPoint, stride: 0 };
  const residual = { distance: 0 };
  const multiply = product.bind(place, rowParameters, residual);
  const convolve = bindImage(place, matrix, at, multiply);
  const begin = product.pass?.bindBegin(place, at.pass);
  const scale = new Float32Array(place.memory.buffer, at.scale, 1);
  const zeroPoint = new Int32Array(place.memory.buffer, at.zeroPoint, 1);
  const { elementBytes } = product;
  return (inputs, [output]) => {
    const [input] = inputs;
    residual.distance = addressOf(inputs[RESIDUAL_OPERAND]) - addressOf(output);
    for (let b = 0; b < geometry.batch; b++) {
      const image = addressOf(input) + b * count * elementBytes;
      const out = addressOf(output) + b * outputElements(geometry) * elementBytes;
      if (begin === undefined) {
        convolve(image, out, product.zeroPoint);
      } else {
        const pending = begin(image, count, at.prepared);
        scale[0] = pending.scale;
        zeroPoint[0] = pending.zeroPoint;
        convolve(at.prepared, out, pending.zeroPoint, pending.list);
      }
    }
  };
}

/** Convolves one image at an address: directly, or in gathered strips. */
function bindImage(
  place: FastPlace,
  matrix: ConvMatrix,
  at: ConvScratch,
  multiply: Multiply,
): (image: number, out: number, padding: number, before?: CallList) => void {
  const { geometry, product, stripRows, isDirect, windows } = matrix;
  const { rows, columns, outChannels } = geometry;
  const { rowBytes, elementBytes } = product;
  const pixels = rows.outputSize * columns.outputSize;
  if (isDirect) return (image, out, _, before) => multiply(image, rowBytes, pixels, out, before);
  const prepare = (before: CallList | undefined): void => {
    if (before !== undefined) place.callInTurn([before]);
  };
  if (windows !== undefined) {
    const table = place.persistent + tableDistance(product);
    const ready = bindWindows(place, windows, matrix.elementBytes, { table, padded: at.padded });
    return (image, out, padding, before) => {
      prepare(before);
      ready(image, padding);
      multiply(table, 4, pixels, out);
    };
  }
  const gather = bindGather(place, { ...matrix, rowBytes }, at);
  const step = place.threads === 1 ? stripRows : STRIPS_PER_LIST * stripRows;
  return (image, out, padding, before) => {
    prepare(before);
    for (let pixel = 0; pixel < pixels; pixel += step) {
      const count = Math.min(step, pixels - pixel);
      gather(image, pixel, count, padding);
      multiply(at.strip, rowBytes, count, out + pixel * outChannels * elementBytes);
    }
  };
}
