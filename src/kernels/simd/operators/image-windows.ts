/**
 * The windows of a convolution as rows of a matrix that is nowhere written out: a table has the address of each window, and
 * another one how far behind it each step of the product begins. Where windows reach beyond the image, it is copied once
 * with a margin.
 */
import { assert } from "../../../base/errors.ts";
import type { ConvGeometry } from "../../reference/conv.ts";
import type { WindowAxis } from "../../reference/window.ts";
import { evenParts } from "../even-parts.ts";
import type { FastPlace } from "../fast-kernel.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction } from "../moves/emit-moves.ts";

/** Bytes that are copied in the time of a multiplication: by these the size of shared work is told. */
const BYTES_PER_MULTIPLICATION = 0.5;

/** An image as its windows need it. Sizes in elements. */
export interface ImageWindows {
  readonly geometry: ConvGeometry;
  /** Lines, and elements from one line to the next. */
  readonly height: number;
  readonly lineElements: number;
  /** Whether it is a copy with a margin. */
  readonly isPadded: boolean;
  /** Elements of the image that a window adds to those of the one before. */
  readonly rowElements: number;
  /**
   * Where the steps of a window begin, in elements from its first, if `group` elements are a step; undefined where those of
   * a step do not lie side by side.
   */
  steps(group: number): Int32Array | undefined;
}

export function imageWindows(geometry: ConvGeometry): ImageWindows {
  const { rows, columns, channels } = geometry;
  const isPadded = [rows, columns].some(
    (axis) => axis.padBefore > 0 || reachOf(axis) > axis.inputSize,
  );
  const width = isPadded ? reachOf(columns) : columns.inputSize;
  const lineElements = width * channels;
  return {
    geometry,
    height: isPadded ? reachOf(rows) : rows.inputSize,
    lineElements,
    isPadded,
    rowElements: rows.filterSize * columns.stride * channels,
    steps(group) {
      const run = columns.dilation === 1 ? columns.filterSize * channels : channels;
      if (run % group !== 0 || geometry.groups !== 1) return undefined;
      const span = columns.filterSize * channels;
      return Int32Array.from({ length: (rows.filterSize * span) / group }, (_, step) => {
        const element = step * group;
        const line = Math.floor(element / span) * rows.dilation * lineElements;
        const column = Math.floor((element % span) / channels) * columns.dilation;
        return line + column * channels + (element % channels);
      });
    },
  };
}

/** Elements of an axis, margins among them, that windows reach over. */
function reachOf({ outputSize, stride, dilation, filterSize }: WindowAxis): number {
  return (outputSize - 1) * stride + (filterSize - 1) * dilation + 1;
}

/** Bytes of a copy with a margin; 0 where the image serves as it is. */
export function paddedBytes(
  { isPadded, height, lineElements }: ImageWindows,
  elementBytes: number,
): number {
  return isPadded ? height * lineElements * elementBytes : 0;
}

/** Bytes of the table of addresses. */
export function windowTableBytes({ geometry: { rows, columns } }: ImageWindows): number {
  return rows.outputSize * columns.outputSize * 4;
}

/** Addresses of what windows need: the table, and room for the copy. */
export interface WindowPlaces {
  readonly table: number;
  readonly padded: number;
}

/** Makes the function that readies the windows of an image at an address; its margin are bytes of `padding`. */
export function bindWindows(
  place: FastPlace,
  windows: ImageWindows,
  elementBytes: number,
  at: WindowPlaces,
): (image: number, padding: number) => void {
  const writeTable = tableWriter(place, windows, elementBytes, at.table);
  if (!windows.isPadded) return (image) => writeTable(image);
  const copy = bindPaddedCopy(place, windows, elementBytes, at.padded);
  return (image, padding) => {
    writeTable(at.padded);
    copy(image, padding);
  };
}

/** Writes the addresses of all windows of an image, unless they are those of the last. */
function tableWriter(
  { memory }: FastPlace,
  { geometry, lineElements }: ImageWindows,
  elementBytes: number,
  table: number,
): (image: number) => void {
  const { rows, columns, channels } = geometry;
  const addresses = new Int32Array(memory.buffer, table, rows.outputSize * columns.outputSize);
  let last = -1;
  return (image) => {
    if (image === last) return;
    last = image;
    let at = 0;
    for (let y = 0; y < rows.outputSize; y++) {
      for (let x = 0; x < columns.outputSize; x++) {
        const element = y * rows.stride * lineElements + x * columns.stride * channels;
        addresses[at++] = image + element * elementBytes;
      }
    }
  };
}

function bindPaddedCopy(
  place: FastPlace,
  { geometry, height, lineElements }: ImageWindows,
  elementBytes: number,
  padded: number,
): (image: number, padding: number) => void {
  const { rows, columns, channels } = geometry;
  const bytes = new Uint8Array(place.memory.buffer);
  const pixelBytes = channels * elementBytes;
  const lineBytes = lineElements * elementBytes;
  const from = columns.inputSize * pixelBytes;
  const left = columns.padBefore * pixelBytes;
  const copied = Math.min(from, lineBytes - left);
  const lines = Math.min(rows.inputSize, height - rows.padBefore);
  assert(copied > 0 && lines > 0, "an image that windows see");
  const first = padded + rows.padBefore * lineBytes + left;
  const parts = evenParts(lines, place.threads);
  return (image, padding) => {
    bytes.fill(padding, padded, first);
    for (let line = 1; line < lines; line++) {
      const end = first + line * lineBytes;
      bytes.fill(padding, end - lineBytes + copied, end);
    }
    const end = first + (lines - 1) * lineBytes + copied;
    bytes.fill(padding, end, padded + height * lineBytes);
    const calls = parts.map(({ at, count }): Parameters<CopyRowsFunction> => {
      return [image + at * from, from, first + at * lineBytes, lineBytes, count, copied];
    });
    place.callAll(COPY_ROWS_NAME, calls, (lines * copied) / BYTES_PER_MULTIPLICATION);
  };
}
