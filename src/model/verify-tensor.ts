/** The rules for one tensor: sizes, constant data, quantization parameters. */
import { byteLengthOf } from "../base/dtype.ts";
import { elementCount, formatShape } from "../base/shape.ts";
import type { Model, Quantization, Tensor } from "./ir.ts";

/** Throws a GraphError about a place inside of what it was made for. */
export type Fail = (place: string, found: string, expected: string) => never;

/** No tensor of a model that runs anywhere has more elements; products stay exact below 2^53. */
const MAX_ELEMENTS = 2 ** 40;
const MAX_SIZE = 2 ** 31 - 1;

/** Throws through `fail` at the first rule that the tensor breaks. */
export function verifyTensor(tensor: Tensor, model: Model, fail: Fail): void {
  verifyShape(tensor, fail);
  const buffer = model.buffers[tensor.buffer];
  if (buffer === undefined) {
    fail("", `buffer ${tensor.buffer}`, `0 to ${model.buffers.length - 1}`);
  }
  if (buffer.byteLength > 0) {
    if (tensor.isVariable) fail("", "a variable with constant data", "variables without");
    verifyData(tensor, buffer.byteLength, buffer.bytes, fail);
  }
  if (tensor.quantization !== undefined) verifyQuantization(tensor.quantization, tensor, fail);
}

function verifyShape({ shape, shapeSignature }: Tensor, fail: Fail): void {
  if (shape.some((size) => size < 0 || size > MAX_SIZE) || elementCount(shape) > MAX_ELEMENTS) {
    fail("shape", formatShape(shape), `int32 sizes from 0, at most ${MAX_ELEMENTS} elements`);
  }
  if (shapeSignature === undefined || shapeSignature.length === 0) return;
  if (shapeSignature.length !== shape.length || shapeSignature.some((size) => size < -1)) {
    fail("shape signature", formatShape(shapeSignature), `${shape.length} sizes from -1`);
  }
}

/** Dense data has exactly the shape's size; sparse data and data of types without a size is not measured. */
function verifyData(
  tensor: Tensor,
  byteLength: number,
  bytes: Uint8Array | undefined,
  fail: Fail,
): void {
  if (tensor.dtype === "string") {
    if (bytes !== undefined) verifyStrings(bytes, tensor, fail);
    return;
  }
  const expected = byteLengthOf(tensor.dtype, elementCount(tensor.shape));
  if (expected === undefined || tensor.sparsity !== undefined || expected === byteLength) return;
  fail(
    "data",
    `${byteLength} bytes`,
    `${expected} for ${tensor.dtype}${formatShape(tensor.shape)}`,
  );
}

/** Strings: int32 count, count + 1 int32 offsets from the start, then the characters (string_util.h). */
function verifyStrings(bytes: Uint8Array, { shape }: Tensor, fail: Fail): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.byteLength < 4 ? -1 : view.getInt32(0, true);
  if (count !== elementCount(shape) || 4 * (count + 2) > bytes.byteLength) {
    fail("data", `${count} strings in ${bytes.byteLength} bytes`, `${elementCount(shape)}`);
  }
  let previous = 4 * (count + 2);
  for (let index = 0; index <= count; index++) {
    const offset = view.getInt32(4 + 4 * index, true);
    if (offset < previous || offset > bytes.byteLength) {
      fail(`string ${index}`, `offset ${offset}`, `from ${previous} to ${bytes.byteLength}`);
    }
    previous = offset;
  }
}

function verifyQuantization(quantization: Quantization, { shape }: Tensor, fail: Fail): void {
  const { scale, zeroPoint, quantizedDimension, details } = quantization;
  if (details !== undefined || scale.length === 0) return;
  if (zeroPoint.length !== scale.length) {
    fail("quantization", `${scale.length} scales, ${zeroPoint.length} zero points`, "as many");
  }
  if (scale.length === 1) return;
  // Old converters gave biases the axis of their weights; nothing reads it there.
  const axis = shape.length === 1 ? 0 : quantizedDimension;
  const size = shape[axis];
  if (size === undefined || (size !== scale.length && size !== 0)) {
    fail(
      "quantization",
      `${scale.length} scales along axis ${quantizedDimension} of ${formatShape(shape)}`,
      "one for each entry of the axis",
    );
  }
}
