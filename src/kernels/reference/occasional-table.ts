/** Operators in plain TypeScript that some models have, by name: loaded for those that have one. */
import type { KernelTable } from "../kernel.ts";
import { BATCH_MATMUL } from "./batch-matmul.ts";
import { BLOCK_LAYOUT } from "./block-layout.ts";
import { CASTING } from "./casting.ts";
import { COMPARISON } from "./comparison.ts";
import { COMPLEX } from "./complex.ts";
import { EMBEDDING_LOOKUP } from "./embedding-lookup.ts";
import { FILLING } from "./filling.ts";
import { GATHERING } from "./gathering.ts";
import { LOGICAL } from "./logical.ts";
import { MIRROR_PADDING } from "./mirror-padding.ts";
import { NORMALIZATION } from "./normalization.ts";
import { ORDERING } from "./ordering.ts";
import { PLACING } from "./placing.ts";
import { REARRANGING } from "./rearranging.ts";
import { RESIZING } from "./resizing.ts";
import { SELECTION } from "./selection.ts";
import { SLICING } from "./slicing.ts";
import { TRANSPOSE_CONV } from "./transpose-conv.ts";
import { UNARY } from "./unary.ts";

export const OCCASIONAL_KERNELS: KernelTable = {
  ...BATCH_MATMUL,
  ...BLOCK_LAYOUT,
  ...CASTING,
  ...COMPARISON,
  ...COMPLEX,
  ...EMBEDDING_LOOKUP,
  ...FILLING,
  ...GATHERING,
  ...LOGICAL,
  ...MIRROR_PADDING,
  ...NORMALIZATION,
  ...ORDERING,
  ...PLACING,
  ...REARRANGING,
  ...RESIZING,
  ...SELECTION,
  ...SLICING,
  ...TRANSPOSE_CONV,
  ...UNARY,
};
