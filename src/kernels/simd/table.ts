/** Emitted kernels by operator name. What is not here, or declines, runs as the reference defines it. */
import { commonFastKernel } from "./common-table.ts";
import type { FastKernel } from "./fast-kernel.ts";
import { RECURRENT_KERNELS } from "./operators/recurrent.ts";

/** The emitted kernel of a builtin operator; undefined for one that has none. */
export function fastKernel(op: string): FastKernel | undefined {
  return Object.hasOwn(RECURRENT_KERNELS, op) ? RECURRENT_KERNELS[op] : commonFastKernel(op);
}
