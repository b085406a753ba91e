/**
 * CONV_2D over linear memory. A 1×1 window with stride 1 multiplies the image as it lies; other windows are gathered
 * strip by strip. Hybrid and integer convolutions turn one image at a time into int16 (q − zero point), so that padding
 * is 0 and nothing has to be corrected, or into bytes, whose padding is the zero point.
 */
import { elementCount } from "../../../base/shape.ts";
import { optionsOf } from "../../options.ts";
import { type ConvGeometry, convGeometry, isPerChannel } from "../../reference/conv.ts";
import { finiteRange } from "../../reference/output-stage.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  addressOf,
  type FastKernel,
  type FastPlace,
  type FastPlan,
  RESIDUAL_OPERAND,
  Region,
} from "../fast-kernel.ts";
import { emitGather, GATHER_NAME } from "../gather/emit-gather.ts";
import { blockRows } from "../gemm/blocks.ts";
import { PASS_SCRATCH_BYTES } from "./activation-pass.ts";
import { bindGather, rowTableBytes } from "./gather-windows.ts";
import { fastGroupedConv } from "./grouped-conv.ts";
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
}

export const fastConv: FastKernel = (request) => {
  const { node, residual } = request;
  if (elementCount(outputAt(node, 0).shape) === 0) return undefined;
  const geometry = convGeometry(node);
  const isWide = inputAt(node, 0).dtype === "int16";
  if (geometry.groups !== 1 || isWide) return fastGroupedConv(request);
  const { rows, columns, outChannels, channels } = geometry;
  const product = planProduct(request, {
    rows: rows.outputSize * columns.outputSize,
    n: outChannels,
    k: rows.filterSize * columns.filterSize * channels,
    activation: optionsOf(node, "Conv2DOptions").fused_activation_function,
    floatRange: finiteRange,
    asymmetric: isPerChannel(inputAt(node, 1), geometry.groups),
    oneScale: true,
    precision: inputAt(node, 0).dtype === "uint8" ? "per-tensor" : "per-channel",
    ...(residual === undefined ? {} : { residual }),
  });
  if (product === undefined) return undefined;
  const matrix = matrixOf(geometry, product);
  const scratch = new Region();
  layScratch(scratch, matrix);
  return {
    variant: product.variant.name,
    functions: [...product.functions, { name: GATHER_NAME, emit: emitGather }],
    persistentBytes: product.persistentBytes,
    scratchBytes: scratch.byteLength,
    ...(residual === undefined ? {} : { addsResidual: true }),
    bind: (place) => bindConv(place, matrix, layScratch(new Region(place.scratch), matrix)),
  };
};

function matrixOf(geometry: ConvGeometry, product: Product): ConvMatrix {
  const { rows, columns, channels } = geometry;
  const elementBytes = product.pass?.storedBytes ?? product.elementBytes;
  const isPointwise = [rows, columns].every(
    (axis) => axis.filterSize === 1 && axis.stride === 1 && axis.padBefore === 0,
  );
  const pixels = rows.outputSize * columns.outputSize;
  return {
    geometry,
    product,
    elementBytes,
    stripRows: blockRows(pixels, product.blockedBytes, product.variant.mr),
    isDirect: isPointwise && channels * elementBytes === product.rowBytes,
  };
}

function layScratch(region: Region, matrix: ConvMatrix): ConvScratch {
  const { geometry, product, stripRows, isDirect } = matrix;
  return {
    pass: region.take(PASS_SCRATCH_BYTES),
    scale: region.take(4),
    zeroPoint: region.take(4),
    prepared: region.take(imageElements(geometry) * (product.pass?.storedBytes ?? 0)),
    rowTable: region.take(isDirect ? 0 : rowTableBytes(geometry, STRIPS_PER_LIST * stripRows)),
    strip: region.take(isDirect ? 0 : STRIPS_PER_LIST * stripRows * product.rowBytes),
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
  const pass = product.pass?.bind(place, at.pass);
  const scale = new Float32Array(place.memory.buffer, at.scale, 1);
  const zeroPoint = new Int32Array(place.memory.buffer, at.zeroPoint, 1);
  const { elementBytes } = product;
  return (inputs, [output]) => {
    const [input] = inputs;
    residual.distance = addressOf(inputs[RESIDUAL_OPERAND]) - addressOf(output);
    for (let b = 0; b < geometry.batch; b++) {
      const image = addressOf(input) + b * count * elementBytes;
      const out = addressOf(output) + b * outputElements(geometry) * elementBytes;
      if (pass === undefined) {
        convolve(image, out, product.zeroPoint);
      } else {
        const prepared = pass(image, count, at.prepared);
        scale[0] = prepared.scale;
        zeroPoint[0] = prepared.zeroPoint;
        convolve(at.prepared, out, prepared.zeroPoint);
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
): (image: number, out: number, padding: number) => void {
  const { geometry, product, stripRows, isDirect } = matrix;
  const { rows, columns, outChannels } = geometry;
  const { rowBytes, elementBytes } = product;
  const pixels = rows.outputSize * columns.outputSize;
  if (isDirect) return (image, out) => multiply(image, rowBytes, pixels, out);
  const gather = bindGather(place, { ...matrix, rowBytes }, at);
  const step = place.threads === 1 ? stripRows : STRIPS_PER_LIST * stripRows;
  return (image, out, padding) => {
    for (let pixel = 0; pixel < pixels; pixel += step) {
      const count = Math.min(step, pixels - pixel);
      gather(image, pixel, count, padding);
      multiply(at.strip, rowBytes, count, out + pixel * outChannels * elementBytes);
    }
  };
}
