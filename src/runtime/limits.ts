/**
 * How much memory a model may ask for. A file of a few hundred bytes can name a tensor of any size, so every size is
 * checked before anything is allocated.
 */
import { byteLengthOf, type DType } from "../base/dtype.ts";
import { LimitError, ShapeError } from "../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../base/shape.ts";

/** TensorFlow Lite counts elements and bytes of a tensor in 32 bits; engines allow arrays of about this size. */
export const MAX_TENSOR_BYTES: number = 2 ** 31 - 1;

/** All activations of one subgraph together. */
export const MAX_ARENA_BYTES: number = 2 ** 32;

/** Subgraphs that call subgraphs: deeper nests than any converter writes would exhaust the stack. */
export const MAX_CALL_DEPTH = 64;

/** Bytes of a resource's handle, an int32. */
const HANDLE_BYTES = 4;

/** About what a string takes in the engine's heap, which ends the process where it is full. */
const STRING_BYTES = 128;

/**
 * Bytes that a tensor of that type and shape takes.
 *
 * @throws {ShapeError} for a negative or fractional dimension.
 * @throws {LimitError} beyond MAX_TENSOR_BYTES.
 */
export function checkedByteLength(where: string, dtype: DType, shape: Shape): number {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new ShapeError({
      where,
      found: `shape ${formatShape(shape)}`,
      expected: "dimensions of zero or more",
    });
  }
  const count = elementCount(shape);
  const byteLength =
    byteLengthOf(dtype, count) ?? count * (dtype === "string" ? STRING_BYTES : HANDLE_BYTES);
  if (byteLength <= MAX_TENSOR_BYTES) return byteLength;
  throw new LimitError({
    where,
    found: `shape ${formatShape(shape)} of ${byteLength} bytes`,
    expected: `at most ${MAX_TENSOR_BYTES} bytes in a tensor`,
    limit: "MAX_TENSOR_BYTES",
    value: byteLength,
    max: MAX_TENSOR_BYTES,
  });
}

/**
 * Allocates zeroed bytes; what the machine cannot give is a LimitError.
 *
 * @throws {LimitError} beyond MAX_ARENA_BYTES or when the engine refuses.
 */
export function allocateBytes(where: string, byteLength: number): ArrayBuffer {
  if (byteLength <= MAX_ARENA_BYTES) {
    try {
      return new ArrayBuffer(byteLength);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
  }
  throw new LimitError({
    where,
    found: `${byteLength} bytes of activations`,
    expected: `at most ${MAX_ARENA_BYTES} bytes, and what this machine can give`,
    remedy: "Run with smaller input shapes",
    limit: "MAX_ARENA_BYTES",
    value: byteLength,
    max: MAX_ARENA_BYTES,
  });
}
