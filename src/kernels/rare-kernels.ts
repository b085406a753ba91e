/** What `KernelCatalog` loads for models with operators that few have. */

export {
  RARE_KERNELS as KERNELS,
  REFERENCE_CUSTOM_KERNELS as CUSTOM_KERNELS,
} from "./reference/rare-table.ts";
export { RECURRENT_KERNELS as FAST_KERNELS } from "./simd/operators/recurrent.ts";
