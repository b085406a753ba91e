/** Emitted kernels by operator name. What is not here, or declines, runs as the reference defines it. */
import { COMMON_FAST_KERNELS } from "./common-table.ts";
import type { FastKernel, FastKernelTable } from "./fast-kernel.ts";
import { OCCASIONAL_FAST_KERNELS } from "./occasional-table.ts";
import { RECURRENT_KERNELS } from "./operators/recurrent.ts";

const FAST_KERNELS: FastKernelTable = {
  ...COMMON_FAST_KERNELS,
  ...OCCASIONAL_FAST_KERNELS,
  ...RECURRENT_KERNELS,
};

/** The emitted kernel of a builtin operator; undefined for one that has none. */
export function fastKernel(op: string): FastKernel | undefined {
  return Object.hasOwn(FAST_KERNELS, op) ? FAST_KERNELS[op] : undefined;
}
