/**
 * Every operator in plain TypeScript, by name. This is the definition: fast kernels are proved equal to it. The runtime
 * loads the three tables it is made of apart.
 */
import type { Kernel, KernelTable } from "../kernel.ts";
import { COMMON_KERNELS } from "./common-table.ts";
import { OCCASIONAL_KERNELS } from "./occasional-table.ts";
import { RARE_KERNELS, REFERENCE_CUSTOM_KERNELS } from "./rare-table.ts";

export { REFERENCE_CUSTOM_KERNELS };

export const REFERENCE_KERNELS: KernelTable = {
  ...COMMON_KERNELS,
  ...OCCASIONAL_KERNELS,
  ...RARE_KERNELS,
};

/** The reference kernel of a builtin operator; undefined for one that is not there. */
export function referenceKernel(op: string): Kernel | undefined {
  return Object.hasOwn(REFERENCE_KERNELS, op) ? REFERENCE_KERNELS[op] : undefined;
}

/** The built-in kernel of a custom operator; undefined for one that is not there. */
export function referenceCustomKernel(op: string): Kernel | undefined {
  return Object.hasOwn(REFERENCE_CUSTOM_KERNELS, op) ? REFERENCE_CUSTOM_KERNELS[op] : undefined;
}
