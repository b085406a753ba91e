/**
 * Every operator in plain TypeScript, by name. This is the definition: fast kernels are proved equal to it. Each family
 * keeps its rows in a file of its own; this file only gathers them.
 */
import type { Kernel, KernelTable } from "../kernel.ts";
import { ACTIVATIONS } from "./activations.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { AUDIO } from "./audio.ts";
import { BATCH_MATMUL } from "./batch-matmul.ts";
import { BLOCK_LAYOUT } from "./block-layout.ts";
import { CASTING } from "./casting.ts";
import { COMPARISON } from "./comparison.ts";
import { COMPLEX } from "./complex.ts";
import { CONTROL_FLOW } from "./control-flow.ts";
import { CONV } from "./conv.ts";
import { CONV_3D_FAMILY } from "./conv-3d.ts";
import { DEPTHWISE_CONV } from "./depthwise-conv.ts";
import { DEQUANTIZE } from "./dequantize.ts";
import { DETECTION_POSTPROCESS } from "./detection-postprocess.ts";
import { EMBEDDING_LOOKUP } from "./embedding-lookup.ts";
import { EMBEDDING_LOOKUP_SPARSE } from "./embedding-lookup-sparse.ts";
import { FILLING } from "./filling.ts";
import { FOURIER } from "./fourier.ts";
import { FULLY_CONNECTED } from "./fully-connected.ts";
import { GATHERING } from "./gathering.ts";
import { JOINING } from "./joining.ts";
import { LOGICAL } from "./logical.ts";
import { LSTM } from "./lstm.ts";
import { MEDIAPIPE_LANDMARKS } from "./mediapipe-landmarks.ts";
import { MEDIAPIPE_POOLING } from "./mediapipe-pooling.ts";
import { NON_MAX_SUPPRESSION } from "./non-max-suppression.ts";
import { NORMALIZATION } from "./normalization.ts";
import { ORDERING } from "./ordering.ts";
import { PADDING } from "./padding.ts";
import { PLACING } from "./placing.ts";
import { POOL } from "./pool.ts";
import { QUANTIZE } from "./quantize.ts";
import { RANDOM } from "./random.ts";
import { REARRANGING } from "./rearranging.ts";
import { REDUCTIONS } from "./reductions.ts";
import { RESHAPING } from "./reshaping.ts";
import { RESIZING } from "./resizing.ts";
import { RESOURCES } from "./resource-variables.ts";
import { RNN } from "./rnn.ts";
import { SEGMENTS } from "./segments.ts";
import { SELECTION } from "./selection.ts";
import { SLICING } from "./slicing.ts";
import { SOFTMAX } from "./softmax.ts";
import { STABLEHLO } from "./stablehlo.ts";
import { SVDF } from "./svdf.ts";
import { TEXT } from "./text.ts";
import { TRANSPOSE_CONV } from "./transpose-conv.ts";
import { UNARY } from "./unary.ts";
import { WINDOWS } from "./windows.ts";

export const REFERENCE_KERNELS: KernelTable = {
  ...ACTIVATIONS,
  ...ARITHMETIC,
  ...COMPARISON,
  ...COMPLEX,
  ...CONV,
  ...DEPTHWISE_CONV,
  ...FULLY_CONNECTED,
  ...POOL,
  ...SOFTMAX,
  ...DEQUANTIZE,
  ...QUANTIZE,
  ...EMBEDDING_LOOKUP,
  EMBEDDING_LOOKUP_SPARSE,
  ...TRANSPOSE_CONV,
  ...BATCH_MATMUL,
  ...JOINING,
  ...LSTM,
  ...RNN,
  ...SVDF,
  ...CONTROL_FLOW,
  ...RESOURCES,
  ...LOGICAL,
  ...NORMALIZATION,
  ...PADDING,
  ...REARRANGING,
  ...REDUCTIONS,
  ...RESHAPING,
  ...GATHERING,
  ...PLACING,
  ...SLICING,
  ...SELECTION,
  ...BLOCK_LAYOUT,
  ...ORDERING,
  ...FILLING,
  ...RESIZING,
  ...SEGMENTS,
  ...CASTING,
  ...NON_MAX_SUPPRESSION,
  ...RANDOM,
  ...FOURIER,
  ...CONV_3D_FAMILY,
  ...WINDOWS,
  ...STABLEHLO,
  ...TEXT,
  ...UNARY,
};

/** The reference kernel of a builtin operator; undefined for one that is not there. */
export function referenceKernel(op: string): Kernel | undefined {
  return Object.hasOwn(REFERENCE_KERNELS, op) ? REFERENCE_KERNELS[op] : undefined;
}

/** Custom operators that are built in, by custom code. */
export const REFERENCE_CUSTOM_KERNELS: KernelTable = {
  ...AUDIO,
  ...MEDIAPIPE_LANDMARKS,
  ...MEDIAPIPE_POOLING,
  TFLite_Detection_PostProcess: DETECTION_POSTPROCESS,
};

/** The built-in kernel of a custom operator; undefined for one that is not there. */
export function referenceCustomKernel(op: string): Kernel | undefined {
  return Object.hasOwn(REFERENCE_CUSTOM_KERNELS, op) ? REFERENCE_CUSTOM_KERNELS[op] : undefined;
}
