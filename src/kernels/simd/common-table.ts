/** Emitted kernels of operators that many models have, by name: always there. */
import type { FastKernel, FastKernelTable } from "./fast-kernel.ts";
import { ARITHMETIC_KERNELS } from "./operators/arithmetic.ts";
import { fastBatchMatmul } from "./operators/batch-matmul.ts";
import { COMPARISON_KERNELS } from "./operators/comparison.ts";
import { fastConv } from "./operators/conv.ts";
import { fastDepthwise } from "./operators/depthwise.ts";
import { fastEmbeddingLookup } from "./operators/embedding.ts";
import { fastFullyConnected } from "./operators/fully-connected.ts";
import { fastIntegerMatmul } from "./operators/integer-matmul.ts";
import { fastIntegerTransposeConv } from "./operators/integer-transpose-conv.ts";
import {
  fastConcatenation,
  fastPack,
  fastSplit,
  fastSplitV,
  fastUnpack,
} from "./operators/joining.ts";
import { fastL2Normalization } from "./operators/l2-normalization.ts";
import { MOVEMENT_KERNELS } from "./operators/movement.ts";
import { fastPad } from "./operators/pad.ts";
import { PLACE_KERNELS } from "./operators/place.ts";
import { fastAveragePool, fastL2Pool, fastMaxPool } from "./operators/pool.ts";
import { fastDequantize, fastQuantize } from "./operators/quantize.ts";
import { REDUCTION_KERNELS } from "./operators/reduction.ts";
import { fastResizeBilinear } from "./operators/resize.ts";
import { SELECT_KERNELS } from "./operators/select.ts";
import { fastSoftmax } from "./operators/softmax.ts";
import { fastFloatTransposeConv } from "./operators/transpose-conv.ts";
import { UNARY_KERNELS } from "./operators/unary.ts";

const COMMON_FAST_KERNELS: FastKernelTable = {
  CONV_2D: fastConv,
  DEPTHWISE_CONV_2D: fastDepthwise,
  FULLY_CONNECTED: fastFullyConnected,
  TRANSPOSE_CONV: (request) => fastFloatTransposeConv(request) ?? fastIntegerTransposeConv(request),
  BATCH_MATMUL: (request) => fastBatchMatmul(request) ?? fastIntegerMatmul(request),
  EMBEDDING_LOOKUP: fastEmbeddingLookup,
  AVERAGE_POOL_2D: fastAveragePool,
  MAX_POOL_2D: fastMaxPool,
  L2_POOL_2D: fastL2Pool,
  SOFTMAX: fastSoftmax,
  L2_NORMALIZATION: fastL2Normalization,
  DEQUANTIZE: fastDequantize,
  QUANTIZE: fastQuantize,
  RESIZE_BILINEAR: fastResizeBilinear,
  PAD: fastPad,
  PADV2: fastPad,
  CONCATENATION: fastConcatenation,
  PACK: fastPack,
  UNPACK: fastUnpack,
  SPLIT: fastSplit,
  SPLIT_V: fastSplitV,
  ...REDUCTION_KERNELS,
  ...MOVEMENT_KERNELS,
  ...ARITHMETIC_KERNELS,
  ...COMPARISON_KERNELS,
  ...SELECT_KERNELS,
  ...PLACE_KERNELS,
  ...UNARY_KERNELS,
};

/** The emitted kernel of an operator that many models have; undefined for any other. */
export function commonFastKernel(op: string): FastKernel | undefined {
  return Object.hasOwn(COMMON_FAST_KERNELS, op) ? COMMON_FAST_KERNELS[op] : undefined;
}
