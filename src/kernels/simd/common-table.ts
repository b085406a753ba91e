/** Emitted kernels of operators of which convolutional networks and dense classifiers are made, by name: always there. */
import type { FastKernelTable } from "./fast-kernel.ts";
import { ARITHMETIC_KERNELS } from "./operators/arithmetic.ts";
import { fastConv } from "./operators/conv.ts";
import { fastDepthwise } from "./operators/depthwise.ts";
import { fastFullyConnected } from "./operators/fully-connected.ts";
import {
  fastConcatenation,
  fastPack,
  fastSplit,
  fastSplitV,
  fastUnpack,
} from "./operators/joining.ts";
import { fastPad } from "./operators/pad.ts";
import { fastAveragePool, fastL2Pool, fastMaxPool } from "./operators/pool.ts";
import { fastDequantize, fastQuantize } from "./operators/quantize.ts";
import { REDUCTION_KERNELS } from "./operators/reduction.ts";
import { fastReshape } from "./operators/reshape.ts";
import { fastSoftmax } from "./operators/softmax.ts";
import { UNARY_KERNELS } from "./operators/unary.ts";

export const COMMON_FAST_KERNELS: FastKernelTable = {
  CONV_2D: fastConv,
  DEPTHWISE_CONV_2D: fastDepthwise,
  FULLY_CONNECTED: fastFullyConnected,
  AVERAGE_POOL_2D: fastAveragePool,
  MAX_POOL_2D: fastMaxPool,
  L2_POOL_2D: fastL2Pool,
  SOFTMAX: fastSoftmax,
  DEQUANTIZE: fastDequantize,
  QUANTIZE: fastQuantize,
  PAD: fastPad,
  PADV2: fastPad,
  CONCATENATION: fastConcatenation,
  PACK: fastPack,
  UNPACK: fastUnpack,
  SPLIT: fastSplit,
  SPLIT_V: fastSplitV,
  RESHAPE: fastReshape,
  SQUEEZE: fastReshape,
  EXPAND_DIMS: fastReshape,
  ...REDUCTION_KERNELS,
  ...ARITHMETIC_KERNELS,
  ...UNARY_KERNELS,
};
