/** Which types of activations and weights emitted convolutions and dense layers multiply, and as what. */
import type { DType } from "../../../base/dtype.ts";

/**
 * `hybrid`: float activations that are quantized on the fly, with weights of 8 or 4 bits. The others are named after their
 * activations; weights of int8 and int16 activations have 8 or 4 bits.
 */
export type ProductTypes = "float" | "hybrid" | "int8" | "uint8" | "int16";

/** Undefined for what is left to the reference. */
export function productTypes(activations: DType, weights: DType): ProductTypes | undefined {
  const isSmall = weights === "int8" || weights === "int4";
  switch (activations) {
    case "float32":
      return weights === "float32" ? "float" : isSmall ? "hybrid" : undefined;
    case "int8":
    case "int16":
      return isSmall ? activations : undefined;
    case "uint8":
      return weights === "uint8" ? "uint8" : undefined;
    default:
      return undefined;
  }
}
