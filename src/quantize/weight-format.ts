/** The stored forms of constants, as decisions: plain data that two tensors can be compared by. */

/** Which elements share a scale: all, those with the same index along an axis, or a run within a row. */
export type Granularity =
  | { readonly kind: "tensor" }
  | { readonly kind: "channel"; readonly axis: number }
  | { readonly kind: "block"; readonly size: BlockSize };

/** Elements of a row that share a scale in block-wise files. */
export const BLOCK_SIZES = [32, 64, 128, 256] as const;
export type BlockSize = (typeof BLOCK_SIZES)[number];

/**
 * How the bound of a symmetric range is found. "min_max": the largest magnitude. "mse": the bound with the smallest
 * squared error, found by search. "octav": the bound with the smallest expected squared error, found by iteration.
 */
export const RANGE_METHODS = ["min_max", "mse", "octav"] as const;
export type RangeMethod = (typeof RANGE_METHODS)[number];

export interface SymmetricFormat {
  readonly dtype: "int8" | "int4";
  readonly granularity: Granularity;
  /** "r1.13" is min_max in single precision, the way of TensorFlow 1.13; per tensor only. */
  readonly method: RangeMethod | "r1.13";
  /** The one scale of the tensor is written once for every index of this axis, for kernels that read one per channel. */
  readonly repeatAlong?: number;
}

export type WeightFormat =
  | SymmetricFormat
  /** uint8 with a zero point, per tensor: TensorFlow 1.13's form for operators without hybrid kernels. */
  | { readonly dtype: "uint8" }
  | { readonly dtype: "float16" };

/** Equal for equal formats. */
export function formatKey(format: WeightFormat): string {
  return JSON.stringify(format);
}
