/** What `KernelCatalog` loads for models with operators that few have. */
export { RARE_KERNELS, REFERENCE_CUSTOM_KERNELS } from "./reference/rare-table.ts";
export { RECURRENT_KERNELS } from "./simd/operators/recurrent.ts";
