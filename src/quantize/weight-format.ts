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
 * How the bound of a symmetric range is found. "min_max": the largest magnitude, in double precision, as TensorFlow
 * 2.21 does it. "r1.13": the same in single precision, as TensorFlow 1.13 did it.
 */
export const RANGE_METHODS = ["min_max", "r1.13"] as const;
export type RangeMethod = (typeof RANGE_METHODS)[number];

export interface SymmetricFormat {
  readonly dtype: "int8" | "int4";
  readonly granularity: Granularity;
  readonly method: RangeMethod;
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
