/** Storage for the elements of a tensor: fresh, on a piece of the arena, or read from a file's bytes. */
import { type DType, type StringData, type TensorData, viewAs } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../base/shape.ts";
import { allocateBytes, checkedByteLength } from "./limits.ts";

/** Types whose elements are bytes in the arena; strings are JavaScript objects instead. */
export function livesInArena(dtype: DType): boolean {
  return dtype !== "string";
}

/** Views `byteLength` bytes of `buffer` as elements of `dtype`; handles of resources are int32. */
export function dataOn(
  buffer: ArrayBufferLike,
  byteOffset: number,
  byteLength: number,
  dtype: DType,
): TensorData {
  if (dtype === "resource" || dtype === "variant") {
    return new Int32Array(buffer, byteOffset, byteLength / 4);
  }
  return viewAs(dtype, new Uint8Array(buffer, byteOffset, byteLength));
}

/**
 * Fresh zeroed storage (empty strings for string tensors).
 *
 * @throws {ShapeError | LimitError} for a shape that cannot be.
 */
export function allocateData(where: string, dtype: DType, shape: Shape): TensorData {
  const byteLength = checkedByteLength(where, dtype, shape);
  if (dtype === "string") {
    const empty = new Uint8Array(0);
    return Array.from({ length: elementCount(shape) }, () => empty);
  }
  return dataOn(allocateBytes(where, byteLength), 0, byteLength, dtype);
}

/**
 * Views the bytes of a constant as its elements; aliases `bytes` where alignment allows.
 *
 * @throws {GraphError} when the bytes are not as many as type and shape ask for.
 */
export function constantData(
  where: string,
  dtype: DType,
  shape: Shape,
  bytes: Uint8Array,
): TensorData {
  const wanted = checkedByteLength(where, dtype, shape);
  if (dtype === "string") return decodeStrings(where, bytes, elementCount(shape));
  if (dtype === "resource" || dtype === "variant") {
    throw new GraphError({ where, found: `a ${dtype} constant`, expected: "one that a run makes" });
  }
  if (bytes.byteLength !== wanted) {
    throw new GraphError({
      where,
      found: `${bytes.byteLength} bytes of constant data`,
      expected: `${wanted} bytes for ${dtype} ${formatShape(shape)}`,
    });
  }
  return viewAs(dtype, bytes);
}

/**
 * Decodes a string tensor as TensorFlow Lite stores it: int32 count, count + 1 int32 offsets from the start, then the
 * bytes. The strings alias `bytes`.
 *
 * @throws {GraphError} for a count that does not fit the shape, or offsets out of order or out of range.
 */
export function decodeStrings(where: string, bytes: Uint8Array, count: number): StringData {
  const table = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = (found: string, expected: string) => new GraphError({ where, found, expected });
  const stored = bytes.byteLength >= 4 ? table.getInt32(0, true) : 0;
  if (stored !== count) throw broken(`${stored} strings`, `${count} for the shape`);
  if (count === 0) return [];
  const headerBytes = 4 * (count + 2);
  if (headerBytes > bytes.byteLength) {
    throw broken(
      `${bytes.byteLength} bytes`,
      `a table of ${headerBytes} bytes for ${count} strings`,
    );
  }
  const strings: StringData = [];
  for (let i = 0; i < count; i++) {
    const start = table.getInt32(4 * (i + 1), true);
    const end = table.getInt32(4 * (i + 2), true);
    if (start < headerBytes || end < start || end > bytes.byteLength) {
      throw broken(
        `string ${i} at bytes ${start} to ${end}`,
        `a range after the table, within ${bytes.byteLength} bytes`,
      );
    }
    strings.push(bytes.subarray(start, end));
  }
  return strings;
}

/** Copies elements; strings are shared, as nobody changes their bytes. */
export function copyData(from: TensorData, to: TensorData): void {
  if (Array.isArray(from) || Array.isArray(to)) {
    if (Array.isArray(from) && Array.isArray(to)) {
      for (let i = 0; i < from.length; i++) to[i] = from[i] ?? new Uint8Array(0);
    }
    return;
  }
  new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(
    new Uint8Array(from.buffer, from.byteOffset, from.byteLength),
  );
}
