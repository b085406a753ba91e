/**
 * Operators in plain TypeScript of which convolutional networks and dense classifiers are made, by name: always there.
 * Each family keeps its rows in a file of its own; this file, `occasional-table.ts` and `rare-table.ts` only gather them.
 */
import type { KernelTable } from "../kernel.ts";
import { ACTIVATIONS } from "./activations.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { CONV } from "./conv.ts";
import { DEPTHWISE_CONV } from "./depthwise-conv.ts";
import { DEQUANTIZE } from "./dequantize.ts";
import { FULLY_CONNECTED } from "./fully-connected.ts";
import { JOINING } from "./joining.ts";
import { PADDING } from "./padding.ts";
import { POOL } from "./pool.ts";
import { QUANTIZE } from "./quantize.ts";
import { REDUCTIONS } from "./reductions.ts";
import { RESHAPING } from "./reshaping.ts";
import { SOFTMAX } from "./softmax.ts";

export const COMMON_KERNELS: KernelTable = {
  ...ACTIVATIONS,
  ...ARITHMETIC,
  ...CONV,
  ...DEPTHWISE_CONV,
  ...FULLY_CONNECTED,
  ...POOL,
  ...SOFTMAX,
  ...DEQUANTIZE,
  ...QUANTIZE,
  ...JOINING,
  ...PADDING,
  ...REDUCTIONS,
  ...RESHAPING,
};
