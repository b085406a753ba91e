/**
 * Operators in plain TypeScript that many models have, by name: always there. Each family keeps its rows in a file of its
 * own; this file and `rare-table.ts` only gather them.
 */
import type { Kernel, KernelTable } from "../kernel.ts";
import { ACTIVATIONS } from "./activations.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { BATCH_MATMUL } from "./batch-matmul.ts";
import { BLOCK_LAYOUT } from "./block-layout.ts";
import { CASTING } from "./casting.ts";
import { COMPARISON } from "./comparison.ts";
import { COMPLEX } from "./complex.ts";
import { CONV } from "./conv.ts";
import { DEPTHWISE_CONV } from "./depthwise-conv.ts";
import { DEQUANTIZE } from "./dequantize.ts";
import { EMBEDDING_LOOKUP } from "./embedding-lookup.ts";
import { FILLING } from "./filling.ts";
import { FULLY_CONNECTED } from "./fully-connected.ts";
import { GATHERING } from "./gathering.ts";
import { JOINING } from "./joining.ts";
import { LOGICAL } from "./logical.ts";
import { NORMALIZATION } from "./normalization.ts";
import { ORDERING } from "./ordering.ts";
import { PADDING } from "./padding.ts";
import { PLACING } from "./placing.ts";
import { POOL } from "./pool.ts";
import { QUANTIZE } from "./quantize.ts";
import { REARRANGING } from "./rearranging.ts";
import { REDUCTIONS } from "./reductions.ts";
import { RESHAPING } from "./reshaping.ts";
import { RESIZING } from "./resizing.ts";
import { SELECTION } from "./selection.ts";
import { SLICING } from "./slicing.ts";
import { SOFTMAX } from "./softmax.ts";
import { TRANSPOSE_CONV } from "./transpose-conv.ts";
import { UNARY } from "./unary.ts";

export const COMMON_KERNELS: KernelTable = {
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
  ...TRANSPOSE_CONV,
  ...BATCH_MATMUL,
  ...JOINING,
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
  ...CASTING,
  ...UNARY,
};

/** The reference kernel of an operator that many models have; undefined for any other. */
export function commonKernel(op: string): Kernel | undefined {
  return Object.hasOwn(COMMON_KERNELS, op) ? COMMON_KERNELS[op] : undefined;
}
