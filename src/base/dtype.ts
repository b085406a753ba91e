/**
 * Element types, spelled as TensorFlow Lite spells them in lower case, and how each is stored in memory.
 * bool is one byte (0 or 1); float16 and bfloat16 are kept as their 16 bits; int4, uint4 and int2 are packed,
 * element 0 in the low bits; complex numbers are pairs (real, imaginary); strings are byte strings.
 */
import { assert } from "./errors.ts";

/** The largest float32, (2 - 2⁻²³) · 2¹²⁷. */
export const FLOAT32_MAX = 3.4028234663852886e38;

/** Name of an element type. */
export type DType =
  | "float32"
  | "float16"
  | "int32"
  | "uint8"
  | "int64"
  | "string"
  | "bool"
  | "int16"
  | "complex64"
  | "int8"
  | "float64"
  | "complex128"
  | "uint64"
  | "resource"
  | "variant"
  | "uint32"
  | "uint16"
  | "int4"
  | "bfloat16"
  | "int2"
  | "uint4";

/** Any numeric array that holds tensor elements. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Strings are bytes: TensorFlow Lite does not say in which encoding. */
export type StringData = Uint8Array[];
/** Elements of a tensor in memory: numbers, or strings as bytes. */
export type TensorData = TypedArray | StringData;

interface Storage {
  /** Bits per element. */
  readonly bits: number;
  readonly array:
    | Float32ArrayConstructor
    | Float64ArrayConstructor
    | Int8ArrayConstructor
    | Uint8ArrayConstructor
    | Int16ArrayConstructor
    | Uint16ArrayConstructor
    | Int32ArrayConstructor
    | Uint32ArrayConstructor
    | BigInt64ArrayConstructor
    | BigUint64ArrayConstructor;
}

const STORAGE: Readonly<Partial<Record<DType, Storage>>> = {
  float32: { bits: 32, array: Float32Array },
  float16: { bits: 16, array: Uint16Array },
  bfloat16: { bits: 16, array: Uint16Array },
  float64: { bits: 64, array: Float64Array },
  complex64: { bits: 64, array: Float32Array },
  complex128: { bits: 128, array: Float64Array },
  int8: { bits: 8, array: Int8Array },
  uint8: { bits: 8, array: Uint8Array },
  bool: { bits: 8, array: Uint8Array },
  int16: { bits: 16, array: Int16Array },
  uint16: { bits: 16, array: Uint16Array },
  int32: { bits: 32, array: Int32Array },
  uint32: { bits: 32, array: Uint32Array },
  int64: { bits: 64, array: BigInt64Array },
  uint64: { bits: 64, array: BigUint64Array },
  int4: { bits: 4, array: Uint8Array },
  uint4: { bits: 4, array: Uint8Array },
  int2: { bits: 2, array: Uint8Array },
};

/** Bits per element, or undefined for string, resource and variant, which have no fixed size. */
export function bitsOf(dtype: DType): number | undefined {
  return STORAGE[dtype]?.bits;
}

/** Bytes that `elementCount` elements take, packed types rounded up; undefined for string, resource, variant. */
export function byteLengthOf(dtype: DType, elementCount: number): number | undefined {
  const bits = bitsOf(dtype);
  return bits === undefined ? undefined : Math.ceil((elementCount * bits) / 8);
}

/** Allocates zeroed storage for `elementCount` elements of a fixed-size type. */
export function allocate(dtype: DType, elementCount: number): TypedArray {
  const storage = STORAGE[dtype];
  assert(storage !== undefined, `no fixed storage for ${dtype}`);
  return new storage.array(arrayLength(storage, elementCount));
}

/**
 * Views bytes as elements. Aliases `bytes` where alignment allows, copies where it does not.
 * Little endian, like the hosts that JavaScript engines run on.
 */
export function viewAs(dtype: DType, bytes: Uint8Array): TypedArray {
  const storage = STORAGE[dtype];
  assert(storage !== undefined, `no fixed storage for ${dtype}`);
  const { BYTES_PER_ELEMENT } = storage.array;
  // Not bytes.slice(): on Node's Buffer that is a view.
  const aligned = bytes.byteOffset % BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  const length = Math.floor(aligned.byteLength / BYTES_PER_ELEMENT);
  return new storage.array(aligned.buffer as ArrayBuffer, aligned.byteOffset, length);
}

/** The bytes behind a typed array, without copying. */
export function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function arrayLength(storage: Storage, elementCount: number): number {
  return Math.ceil((elementCount * storage.bits) / (8 * storage.array.BYTES_PER_ELEMENT));
}
