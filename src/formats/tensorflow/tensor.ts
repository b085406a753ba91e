/**
 * TensorProto (core/framework/tensor.proto) to element type, shape and data, by the rules of core/framework/tensor.cc:
 * raw little-endian bytes where `tensor_content` is there, else the typed list, whose last value repeats to the end.
 */
import {
  allocate,
  byteLengthOf,
  bytesOf,
  type DType,
  type StringData,
  type TypedArray,
  viewAs,
} from "../../base/dtype.ts";
import { FormatError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { toDType } from "./data-type.ts";
import { readTensor, type TensorProto, type TensorShapeProto } from "./graph-messages.ts";
import type { TensorRecord } from "./tensor-record.ts";
import { parseMessage } from "./wire.ts";

export type { TensorRecord };

/** TensorFlow's own limit. */
const MAX_RANK = 254;
/** Most bytes that a repeated value may unfold to: a handful of bytes must not claim the memory of the machine. */
const MAX_REPEATED_BYTES = 256 * 1024 * 1024;

/** Dimensions, unknown ones -1; undefined when not even the rank is known. */
export function toShape(shape: TensorShapeProto | undefined, where: string): Shape | undefined {
  if (shape === undefined || shape.unknown_rank) return undefined;
  if (shape.dim.length > MAX_RANK) {
    throw new LimitError({
      where,
      found: `a shape of ${shape.dim.length} dimensions`,
      expected: `at most ${MAX_RANK}`,
      limit: "rank",
      value: shape.dim.length,
      max: MAX_RANK,
    });
  }
  for (const size of shape.dim) {
    if (size >= -1 && Number.isSafeInteger(size)) continue;
    throw malformed(where, `dimension ${size}`, "-1 or a size");
  }
  return shape.dim;
}

/**
 * Decodes a TensorProto.
 *
 * @throws {FormatError} when shape and data do not fit together.
 * @throws {LimitError} when a repeated value would fill more than 256 MiB.
 * @throws {UnsupportedError} for types without a fixed layout (resource, variant, sub-byte integers).
 */
export function decodeTensor(bytes: Uint8Array, where: string): TensorRecord {
  const tensor = parseMessage(readTensor, bytes, where);
  const dtype = toDType(tensor.dtype, where);
  const shape = toShape(tensor.tensor_shape, where) ?? [];
  if (shape.some((size) => size < 0)) throw malformed(where, formatShape(shape), "a known shape");
  const count = elementCount(shape);
  if (!Number.isSafeInteger(count)) throw malformed(where, formatShape(shape), "a possible shape");
  if (dtype === "string") return { dtype, shape, data: decodeStrings(tensor, count, where) };
  if (tensor.tensor_content.length > 0) {
    return { dtype, shape, data: dataFromBytes(dtype, shape, tensor.tensor_content, where) };
  }
  refuseOversize(byteLengthOf(dtype, count) ?? 0, where);
  return { dtype, shape, data: decodeList(tensor, dtype, count, where) };
}

/** Views raw little-endian bytes as elements, after checking that there are exactly as many as the shape wants. */
export function dataFromBytes(
  dtype: DType,
  shape: Shape,
  bytes: Uint8Array,
  where: string,
): TypedArray {
  const wanted = byteLengthOf(dtype, elementCount(shape));
  if (wanted === undefined || isSubByte(dtype)) throw unsupported(dtype, where);
  if (bytes.length !== wanted) {
    const expected = `${wanted} for ${dtype} ${formatShape(shape)}`;
    throw malformed(where, `${bytes.length} bytes`, expected);
  }
  return viewAs(dtype, bytes);
}

function isSubByte(dtype: DType): boolean {
  return dtype === "int4" || dtype === "uint4" || dtype === "int2";
}

function decodeStrings(tensor: TensorProto, count: number, where: string): StringData {
  if (tensor.tensor_content.length > 0) return stringsFromContent(tensor, count, where);
  refuseOversize(count * 16, where);
  const values = tensor.string_val;
  const last = values.at(-1) ?? new Uint8Array(0);
  return Array.from({ length: count }, (_, i) => values[i] ?? last);
}

/** The rare packed form: all lengths as varints, then all bytes. */
function stringsFromContent(tensor: TensorProto, count: number, where: string): StringData {
  const cursor = new ByteCursor(tensor.tensor_content, where, "protobuf");
  if (count > cursor.left) throw cursor.malformed(`${count} strings in ${cursor.left} bytes`);
  const lengths = Array.from({ length: count }, () => cursor.varint());
  return lengths.map((length) => cursor.take(length));
}

function decodeList(tensor: TensorProto, dtype: DType, count: number, where: string): TypedArray {
  if (isSubByte(dtype)) throw unsupported(dtype, where);
  const values = listOf(tensor, dtype);
  if (values === undefined) throw unsupported(dtype, where);
  const isComplex = dtype === "complex64" || dtype === "complex128";
  const data = allocate(dtype, count);
  fill(data, values, isComplex ? 2 : 1);
  return data;
}

/** The `*_val` list that carries a type; half types carry their bits in `half_val`. */
function listOf(
  tensor: TensorProto,
  dtype: DType,
): readonly number[] | readonly bigint[] | readonly boolean[] | undefined {
  switch (dtype) {
    case "float32":
      return tensor.float_val;
    case "float64":
      return tensor.double_val;
    case "complex64":
      return tensor.scomplex_val;
    case "complex128":
      return tensor.dcomplex_val;
    case "int64":
      return tensor.int64_val;
    case "uint64":
      return tensor.uint64_val;
    case "uint32":
      return tensor.uint32_val;
    case "bool":
      return tensor.bool_val;
    case "float16":
    case "bfloat16":
      return tensor.half_val;
    case "int32":
    case "int16":
    case "uint16":
    case "int8":
    case "uint8":
      return tensor.int_val;
    default:
      return undefined;
  }
}

/** Copies the values and repeats the last group of `stride` numbers to the end; no values mean zeros. */
function fill(
  data: TypedArray,
  values: readonly number[] | readonly bigint[] | readonly boolean[],
  stride: number,
): void {
  const given = Math.min(values.length, data.length);
  for (let i = 0; i < given; i++) setElement(data, i, values[i]!);
  if (given === 0) return;
  if (stride === 1 && given < data.length) fillRest(data, given, values[given - 1]!);
  else {
    const group = given - stride;
    for (let i = given; i < data.length; i++) {
      setElement(data, i, values[group + ((i - given) % stride)] ?? 0);
    }
  }
}

function setElement(data: TypedArray, index: number, value: number | bigint | boolean): void {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = BigInt(value);
  else data[index] = Number(value);
}

function fillRest(data: TypedArray, from: number, value: number | bigint | boolean): void {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    data.fill(BigInt(value), from);
  } else data.fill(Number(value), from);
}

/** Reverses the bytes of each number, in place: for checkpoints written on big-endian machines. */
export function swapByteOrder(dtype: DType, data: TypedArray): void {
  const width = data.BYTES_PER_ELEMENT;
  if (width === 1 || dtype === "bool") return;
  const bytes = bytesOf(data);
  for (let start = 0; start < bytes.length; start += width) {
    bytes.subarray(start, start + width).reverse();
  }
}

function refuseOversize(byteLength: number, where: string): void {
  if (byteLength <= MAX_REPEATED_BYTES) return;
  throw new LimitError({
    where,
    found: `a repeated value that fills ${byteLength} bytes`,
    expected: `at most ${MAX_REPEATED_BYTES}`,
    limit: "bytes of a repeated value",
    value: byteLength,
    max: MAX_REPEATED_BYTES,
  });
}

function malformed(where: string, found: string, expected: string): FormatError {
  return new FormatError({ format: "tensorflow", where, found, expected });
}

function unsupported(dtype: DType, where: string): UnsupportedError {
  return new UnsupportedError({
    where,
    found: `a constant of type ${dtype}`,
    expected: "a type of whole bytes",
    features: [`constants of type ${dtype}`],
  });
}
