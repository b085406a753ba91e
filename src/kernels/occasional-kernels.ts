/** What `KernelCatalog` loads for models with operators that some have. */

export { OCCASIONAL_KERNELS as KERNELS } from "./reference/occasional-table.ts";
export { OCCASIONAL_FAST_KERNELS as FAST_KERNELS } from "./simd/occasional-table.ts";
/** Operators that are not TensorFlow Lite's own are rare. */
export const CUSTOM_KERNELS = {};
