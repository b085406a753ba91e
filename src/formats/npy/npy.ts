/**
 * NumPy's array files. Reads versions 1 to 3, both byte orders, C and Fortran order; writes version 1, little endian, C
 * order. Arrays in memory are always in C order (last dimension fastest); float16 stays as its 16 bits, complex numbers
 * as pairs, strings as bytes without the padding (`U` types as UTF-8). Format: numpy/lib/format.py.
 */
import { bytesOf, type DType, type TensorData, viewAs } from "../../base/dtype.ts";
import { assert, FormatError, UnsupportedError } from "../../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { type NpyElement, npyDescription, parseNpyDescription } from "./npy-dtype.ts";
import {
  encodeNpyHeader,
  NPY_PREFIX_BYTES,
  type NpyHeader,
  npyDataOffset,
  parseNpyHeader,
} from "./npy-header.ts";
import { decodeNpyStrings, encodeNpyStrings } from "./npy-strings.ts";

/** An array in memory, in C order. */
export interface NpyArray {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** An .npy file that is read a few rows at a time. */
export interface NpyFile {
  readonly dtype: DType;
  /** At least one dimension. */
  readonly shape: Shape;
  /** Reads rows `start` to `end` (exclusive) of the first dimension. */
  readRows(start: number, end: number): Promise<NpyArray>;
}

/**
 * Parses a whole file. The data aliases `bytes` where byte order, element order and alignment allow.
 * @throws {FormatError} when the header is malformed or the file is not exactly as long as the shape says
 * @throws {UnsupportedError} for object, date, record and long double arrays
 */
export function parseNpy(bytes: Uint8Array, name = "npy"): NpyArray {
  const header = parseNpyHeader(bytes, name);
  const element = parseNpyDescription(header.description, name);
  checkLength(header, element, bytes.length, name);
  const { shape } = header;
  const ordered = header.fortranOrder
    ? fromFortranOrder(bytes.subarray(header.byteOffset), shape, element.itemBytes)
    : bytes.subarray(header.byteOffset);
  return { dtype: element.dtype, shape, data: decodeElements(ordered, element) };
}

/**
 * Opens a file for reading by rows, so that a large data set never has to be in memory as a whole.
 * @throws {FormatError | UnsupportedError} like `parseNpy`, and for Fortran order and scalars, which have no rows
 */
export async function openNpy(source: ByteSource): Promise<NpyFile> {
  const { name, byteLength } = source;
  const prefix = await source.read(0, Math.min(NPY_PREFIX_BYTES, byteLength));
  const dataOffset = npyDataOffset(prefix, name);
  const header = parseNpyHeader(await source.read(0, Math.min(dataOffset, byteLength)), name);
  const element = parseNpyDescription(header.description, name);
  checkLength(header, element, byteLength, name);
  const [rowCount, ...rowShape] = header.shape;
  if (rowCount === undefined || (header.fortranOrder && rowShape.length > 0)) {
    throw new UnsupportedError({
      where: name,
      found: rowCount === undefined ? "a scalar" : "an array in Fortran order",
      expected: "an array whose rows lie one after the other",
      remedy: "Store it with numpy.save(path, numpy.ascontiguousarray(array))",
      features: ["npy rows"],
    });
  }
  const rowBytes = rowCount === 0 ? 0 : elementCount(rowShape) * element.itemBytes;
  return {
    dtype: element.dtype,
    shape: header.shape,
    async readRows(start, end) {
      assert(
        start >= 0 && start <= end && end <= rowCount,
        `rows ${start} to ${end} of ${rowCount}`,
      );
      const bytes = await source.read(dataOffset + start * rowBytes, dataOffset + end * rowBytes);
      const shape = [end - start, ...rowShape];
      return { dtype: element.dtype, shape, data: decodeElements(bytes, element) };
    },
  };
}

/**
 * Encodes an array as a version 1 file, little endian, C order. Strings become an `S` type as wide as the longest.
 * @throws {UnsupportedError} for types that .npy does not have (bfloat16, packed integers), and for strings that end in
 * a zero byte, which the padding would swallow
 */
export function encodeNpy({ dtype, shape, data }: NpyArray): Uint8Array {
  if (Array.isArray(data)) {
    assert(data.length === elementCount(shape), `${data.length} strings for ${formatShape(shape)}`);
    const { itemBytes, bytes } = encodeNpyStrings(data);
    return join(encodeNpyHeader(`|S${itemBytes}`, shape), bytes);
  }
  const description = npyDescription(dtype);
  if (description === undefined) {
    throw new UnsupportedError({
      where: "npy",
      found: `an array of ${dtype}`,
      expected: "a type that .npy files have",
      features: [`npy type ${dtype}`],
    });
  }
  const { itemBytes } = parseNpyDescription(description, "npy");
  const bytes = bytesOf(data);
  assert(
    bytes.length === elementCount(shape) * itemBytes,
    `${bytes.length} bytes for ${dtype}${formatShape(shape)}`,
  );
  return join(encodeNpyHeader(description, shape), bytes);
}

/** Compares the length of the file with what the shape needs, in numbers that cannot overflow. */
function checkLength(
  header: NpyHeader,
  element: NpyElement,
  fileBytes: number,
  name: string,
): void {
  const wanted = header.shape.reduce(
    (count, size) => count * BigInt(size),
    BigInt(element.itemBytes),
  );
  const found = fileBytes - header.byteOffset;
  if (wanted !== BigInt(found)) {
    throw new FormatError({
      where: name,
      found: `${found} bytes of elements`,
      expected: `${wanted} for ${header.description} ${formatShape(header.shape)}`,
      remedy:
        wanted > found ? "The file is cut off; write it again" : "Store one array in each file",
      format: "npy",
      byteOffset: header.byteOffset,
    });
  }
}

function decodeElements(bytes: Uint8Array, element: NpyElement): TensorData {
  const ordered = element.bigEndian ? swapUnits(bytes, element.unitBytes) : bytes;
  if (element.storage === "number") return viewAs(element.dtype, ordered);
  return decodeNpyStrings(ordered, element.itemBytes, element.storage);
}

function swapUnits(bytes: Uint8Array, unitBytes: number): Uint8Array {
  const swapped = bytes.slice();
  for (let start = 0; start < swapped.length; start += unitBytes) {
    swapped.subarray(start, start + unitBytes).reverse();
  }
  return swapped;
}

/** Copies elements stored first dimension fastest into last dimension fastest. */
function fromFortranOrder(bytes: Uint8Array, shape: Shape, itemBytes: number): Uint8Array {
  const ordered = new Uint8Array(bytes.length);
  const index = new Array<number>(shape.length).fill(0);
  const strides: number[] = [];
  shape.reduce((stride, size) => {
    strides.push(stride);
    return stride * size;
  }, itemBytes);
  let from = 0;
  for (let to = 0; to < ordered.length; to += itemBytes) {
    for (let byte = 0; byte < itemBytes; byte++) ordered[to + byte] = bytes[from + byte] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] ?? 1;
      const stride = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      if (next < size) {
        index[axis] = next;
        from += stride;
        break;
      }
      index[axis] = 0;
      from -= (size - 1) * stride;
    }
  }
  return ordered;
}

function join(header: Uint8Array, body: Uint8Array): Uint8Array {
  const file = new Uint8Array(header.length + body.length);
  file.set(header);
  file.set(body, header.length);
  return file;
}
