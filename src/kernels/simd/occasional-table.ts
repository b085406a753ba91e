/** Emitted kernels of operators that some models have, by name: loaded for those that have one. */
import type { FastKernelTable } from "./fast-kernel.ts";
import { fastBatchMatmul } from "./operators/batch-matmul.ts";
import { COMPARISON_KERNELS } from "./operators/comparison.ts";
import { fastEmbeddingLookup } from "./operators/embedding.ts";
import { fastIntegerMatmul } from "./operators/integer-matmul.ts";
import { fastIntegerTransposeConv } from "./operators/integer-transpose-conv.ts";
import { fastL2Normalization } from "./operators/l2-normalization.ts";
import { MOVEMENT_KERNELS } from "./operators/movement.ts";
import { PLACE_KERNELS } from "./operators/place.ts";
import { fastResizeBilinear } from "./operators/resize.ts";
import { SELECT_KERNELS } from "./operators/select.ts";
import { fastFloatTransposeConv } from "./operators/transpose-conv.ts";

export const OCCASIONAL_FAST_KERNELS: FastKernelTable = {
  TRANSPOSE_CONV: (request) => fastFloatTransposeConv(request) ?? fastIntegerTransposeConv(request),
  BATCH_MATMUL: (request) => fastBatchMatmul(request) ?? fastIntegerMatmul(request),
  EMBEDDING_LOOKUP: fastEmbeddingLookup,
  L2_NORMALIZATION: fastL2Normalization,
  RESIZE_BILINEAR: fastResizeBilinear,
  ...MOVEMENT_KERNELS,
  ...COMPARISON_KERNELS,
  ...SELECT_KERNELS,
  ...PLACE_KERNELS,
};
