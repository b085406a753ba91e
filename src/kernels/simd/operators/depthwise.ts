/** DEPTHWISE_CONV_2D with multiplier 1 over linear memory; hybrid images are quantized to floats of q − zero point. */
import { assert } from "../../../base/errors.ts";
import { optionsOf } from "../../options.ts";
import { clampRange } from "../../reference/activation.ts";
import { type DepthwiseGeometry, depthwiseGeometry } from "../../reference/depthwise-conv.ts";
import { channelScales } from "../../reference/output-stage.ts";
import { hybridWeights } from "../../reference/weights.ts";
import { inputAt } from "../../require.ts";
import {
  type DepthwiseFunction,
  depthwiseName,
  edgeName,
  emitDepthwise,
} from "../depthwise/emit-depthwise.ts";
import { type DepthwiseShape, rowTableBytes, runDepthwise } from "../depthwise/run-depthwise.ts";
import { addressOf, type FastKernel, Region } from "../fast-kernel.ts";
import { bindQuantizer, quantizerFunctions } from "./activation-quantizer.ts";
import { type ProductWeights, productWeights } from "./product.ts";

/** |q − z| · |w| summed over this many taps stays below 2^24, where float32 is exact. */
const MAX_EXACT_TAPS = Math.floor(2 ** 24 / (255 * 127));

export const fastDepthwise: FastKernel = ({ node, known }) => {
  const geometry = depthwiseGeometry(node);
  const { rows, columns, channels, multiplier, outChannels } = geometry;
  if (multiplier !== 1 || inputAt(node, 0).dtype !== "float32") return undefined;
  const taps = rows.filterSize * columns.filterSize;
  const weights = productWeights(node, known, outChannels, taps);
  if (weights === undefined || (weights.data === "qd8" && taps > MAX_EXACT_TAPS)) return undefined;
  const options = optionsOf(node, "DepthwiseConv2DOptions");
  const { min, max } = clampRange(node, options.fused_activation_function);
  const shape = shapeOf(geometry);
  const code = { ...shape, data: weights.data };
  const name = depthwiseName(code);
  const isHybrid = weights.data === "qd8";
  const persistent = new Region();
  layConstants(persistent, taps, channels, columns.inputSize);
  const scratch = new Region();
  layScratch(scratch, shape, isHybrid ? geometry.imageElements : 0);
  return {
    variant: name,
    functions: [
      { name, emit: (module) => emitDepthwise(module, code) },
      ...(isHybrid ? quantizerFunctions("float32") : []),
    ],
    persistentBytes: persistent.byteLength,
    scratchBytes: scratch.byteLength,
    bind(place) {
      const constants = layConstants(
        new Region(place.persistent),
        taps,
        channels,
        columns.inputSize,
      );
      const scales = isHybrid ? channelScales(node, inputAt(node, 1), channels) : undefined;
      storeConstants(place.memory, weights, scales, constants);
      const at = layScratch(
        new Region(place.scratch),
        shape,
        isHybrid ? geometry.imageElements : 0,
      );
      const [inner, edge] = [name, edgeName(code)].map((key) => place.call<DepthwiseFunction>(key));
      assert(inner !== undefined && edge !== undefined, "both depthwise functions");
      const heap = new Int32Array(place.memory.buffer);
      const quantize = isHybrid ? bindQuantizer(place, "float32", true, at.range) : undefined;
      const operands = { ...constants, rowTable: at.rowTable, low: min, high: max };
      const one = { ...shape, batch: 1 };
      return ([input], [output]) => {
        for (let b = 0; b < geometry.batch; b++) {
          const source = addressOf(input) + b * geometry.imageElements * 4;
          const scale = quantize?.(source, geometry.imageElements, at.quantized) ?? 1;
          const image = quantize === undefined ? source : at.quantized;
          const target = addressOf(output) + b * geometry.outElements * 4;
          runDepthwise(
            one,
            { ...operands, input: image, output: target },
            [scale],
            heap,
            inner,
            edge,
          );
        }
      };
    },
  };
};

function shapeOf(geometry: DepthwiseGeometry): DepthwiseShape {
  const { batch, rows, columns, channels } = geometry;
  return {
    batch,
    channels,
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

interface DepthwiseConstants {
  readonly weights: number;
  readonly scales: number;
  readonly bias: number;
  readonly zeroRow: number;
}

function layConstants(
  region: Region,
  taps: number,
  channels: number,
  inputWidth: number,
): DepthwiseConstants {
  return {
    weights: region.take(taps * channels * 4),
    scales: region.take(channels * 4),
    bias: region.take(channels * 4),
    zeroRow: region.take(inputWidth * channels * 4),
  };
}

function storeConstants(
  { buffer }: WebAssembly.Memory,
  { data, filter, bias, n, k }: ProductWeights,
  scales: Float32Array | undefined,
  at: DepthwiseConstants,
): void {
  const values = data === "qd8" ? hybridWeights(filter) : filter.data;
  assert(values instanceof Float32Array || values instanceof Int8Array, "depthwise weights");
  new Float32Array(buffer, at.weights, n * k).set(values);
  if (scales !== undefined) new Float32Array(buffer, at.scales, n).set(scales);
  if (bias === undefined) return;
  assert(bias.data instanceof Float32Array, "float bias");
  new Float32Array(buffer, at.bias, n).set(bias.data);
}

function layScratch(
  region: Region,
  shape: DepthwiseShape,
  quantizedElements: number,
): { readonly range: number; readonly rowTable: number; readonly quantized: number } {
  return {
    range: region.take(8),
    rowTable: region.take(rowTableBytes(shape)),
    quantized: region.take(quantizedElements * 4),
  };
}
