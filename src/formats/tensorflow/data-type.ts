/** TensorFlow's DataType numbers (core/framework/types.proto) and the element types they stand for. */
import type { DType } from "../../base/dtype.ts";
import { UnsupportedError } from "../../base/errors.ts";

/** Quantized types are listed under the integers that carry them. */
const DTYPES: readonly (DType | undefined)[] = [
  undefined,
  "float32",
  "float64",
  "int32",
  "uint8",
  "int16",
  "int8",
  "string",
  "complex64",
  "int64",
  "bool",
  "int8",
  "uint8",
  "int32",
  "bfloat16",
  "int16",
  "uint16",
  "uint16",
  "complex128",
  "float16",
  "resource",
  "variant",
  "uint32",
  "uint64",
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  "int4",
  "uint4",
  "int2",
];

/** Added to a type's number when it is a reference to a variable, as TensorFlow 1 has them. */
const REFERENCE = 100;

/**
 * Translates a DataType number; reference types give the type referred to.
 *
 * @throws {UnsupportedError} for types that no TensorFlow Lite model can hold (8-bit floats, unknown numbers).
 */
export function toDType(dataType: number, where: string): DType {
  const dtype = DTYPES[dataType > REFERENCE ? dataType - REFERENCE : dataType];
  if (dtype !== undefined) return dtype;
  throw new UnsupportedError({
    where,
    found: `element type number ${dataType}`,
    expected: "a type that TensorFlow Lite has",
    features: [`DataType ${dataType}`],
  });
}

/** Numbers of quantized types, which only carry an integer type. */
const QUANTIZED: ReadonlySet<number> = new Set([11, 12, 13, 15, 16]);

/** The DataType number of an element type; undefined for those that TensorFlow does not have. */
export function dataTypeOf(dtype: DType): number | undefined {
  const found = DTYPES.findIndex((each, number) => each === dtype && !QUANTIZED.has(number));
  return found < 0 ? undefined : found;
}

/** True where the number names a type at all; 0 means that the file does not say. */
export function isDataType(dataType: number): boolean {
  return DTYPES[dataType > REFERENCE ? dataType - REFERENCE : dataType] !== undefined;
}
