/** Slices of tensors: rectangles with a start and a length in each dimension. */
import { bytesOf, type TypedArray } from "../../base/dtype.ts";
import { FormatError } from "../../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { SliceExtent } from "./ordered-code.ts";
import { dataFromBytes, type TensorRecord } from "./tensor.ts";

/** Start and size of each dimension of a slice of a tensor of shape `whole`. */
interface Rectangle {
  readonly starts: readonly number[];
  readonly sizes: Shape;
}

/** Copies `part` to its place in the bytes of a tensor of shape `whole`. */
export function copySlice(
  target: Uint8Array,
  whole: Shape,
  part: TensorRecord,
  extents: readonly SliceExtent[],
  where: string,
): void {
  const rectangle = resolve(whole, extents, where);
  const source = bytesOf(part.data as TypedArray);
  const size = rectangle.sizes;
  if (elementCount(size) !== elementCount(part.shape)) {
    throw misfit(where, formatShape(part.shape), formatShape(size));
  }
  const elementBytes = target.length / Math.max(1, elementCount(whole));
  forEachRow(whole, rectangle, elementBytes, (wholeOffset, partOffset, length) => {
    target.set(source.subarray(partOffset, partOffset + length), wholeOffset);
  });
}

/** Cuts the slice with these extents out of a tensor. */
export function takeSlice(
  tensor: TensorRecord,
  extents: readonly SliceExtent[],
  where: string,
): TensorRecord {
  const rectangle = resolve(tensor.shape, extents, where);
  const source = bytesOf(tensor.data as TypedArray);
  const elementBytes = source.length / Math.max(1, elementCount(tensor.shape));
  const target = new Uint8Array(elementCount(rectangle.sizes) * elementBytes);
  forEachRow(tensor.shape, rectangle, elementBytes, (wholeOffset, partOffset, length) => {
    target.set(source.subarray(wholeOffset, wholeOffset + length), partOffset);
  });
  const { dtype } = tensor;
  return {
    dtype,
    shape: rectangle.sizes,
    data: dataFromBytes(dtype, rectangle.sizes, target, where),
  };
}

function resolve(whole: Shape, extents: readonly SliceExtent[], where: string): Rectangle {
  if (extents.length !== whole.length) {
    throw misfit(where, `${extents.length} extents`, `${whole.length}`);
  }
  const starts = extents.map(({ start }) => start);
  const sizes = extents.map(({ length }, axis) => (length < 0 ? whole[axis]! : length));
  if (starts.some((start, axis) => start < 0 || start + sizes[axis]! > whole[axis]!)) {
    throw misfit(where, `start ${formatShape(starts)}, size ${formatShape(sizes)}`, "a part of it");
  }
  return { starts, sizes };
}

/** Calls back with byte offsets in the whole and in the part for each run along the last axis. */
function forEachRow(
  whole: Shape,
  { starts, sizes }: Rectangle,
  elementBytes: number,
  visit: (wholeOffset: number, partOffset: number, length: number) => void,
): void {
  const rank = whole.length;
  const rowLength = (sizes[rank - 1] ?? 1) * elementBytes;
  const rowCount = rowLength === 0 ? 0 : elementCount(sizes.slice(0, -1));
  for (let row = 0; row < rowCount; row++) {
    let rest = row;
    let offset = starts[rank - 1] ?? 0;
    let stride = whole[rank - 1] ?? 1;
    for (let axis = rank - 2; axis >= 0; axis--) {
      offset += (starts[axis]! + (rest % sizes[axis]!)) * stride;
      rest = Math.floor(rest / sizes[axis]!);
      stride *= whole[axis]!;
    }
    visit(offset * elementBytes, row * rowLength, rowLength);
  }
}

function misfit(where: string, found: string, expected: string): FormatError {
  return new FormatError({ format: "checkpoint", where, found: `a slice: ${found}`, expected });
}
