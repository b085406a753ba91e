/** The windows of a convolution, side by side as rows of a matrix. */
import type { ConvGeometry } from "../../reference/conv.ts";
import { insideRange } from "../../reference/window.ts";
import type { FastPlace } from "../fast-kernel.ts";
import { GATHER_NAME, type GatherFunction } from "../gather/emit-gather.ts";

/** Bytes that are copied in the time of a multiplication: by these the size of shared work is told. */
const BYTES_PER_MULTIPLICATION = 0.5;

/** What is gathered: `rowBytes` for each window. */
export interface GatheredMatrix {
  readonly geometry: ConvGeometry;
  readonly elementBytes: number;
  readonly rowBytes: number;
}

/** Memory of a gather: `rowTableBytes` for pointers, and the strip that is filled. Addresses in bytes. */
export interface GatherPlaces {
  readonly rowTable: number;
  readonly strip: number;
}

/**
 * Bytes of i32 pointers, one per kernel row, for all copies of up to `pixels` windows: neighbours in a row of the output
 * are one copy, windows that lose columns at a border are copied alone.
 */
export function rowTableBytes(geometry: ConvGeometry, pixels: number): number {
  const { rows, columns } = geometry;
  const { start, end } = insideColumns(geometry);
  const copiesInRow = Math.min(start + 1 + columns.outputSize - end, columns.outputSize);
  const lines = Math.min(Math.ceil(pixels / columns.outputSize) + 1, rows.outputSize);
  return lines * copiesInRow * rows.filterSize * 4;
}

/**
 * Makes the function that fills the strip with the windows of `count` output pixels from `pixel` on, in row-major order
 * of the output, and what lies outside of the image with bytes of `padding`. Threads share the copies. In a convolution
 * of groups it is given the address of a group's first channel, and takes that group's channels.
 */
export function bindGather(
  place: FastPlace,
  { geometry, elementBytes, rowBytes }: GatheredMatrix,
  at: GatherPlaces,
): (image: number, pixel: number, count: number, padding: number) => void {
  const { rows, columns, channels } = geometry;
  const table = new Int32Array(place.memory.buffer);
  const bytes = new Uint8Array(place.memory.buffer);
  const pixelBytes = channels * elementBytes;
  const lineBytes = columns.inputSize * pixelBytes;
  const groupBytes = geometry.groupChannels * elementBytes;
  const kernelRowBytes = columns.filterSize * groupBytes;
  const isDense = columns.dilation === 1 && geometry.groups === 1;
  /** The copy of kernel columns [first, end) of `pixels` pixels of output row y from x on; pads what it leaves out. */
  const copyOf = (
    pointers: number,
    image: number,
    [y, x]: readonly [number, number],
    [first, end]: readonly [number, number],
    pixels: number,
    target: number,
    padding: number,
  ): Parameters<GatherFunction> => {
    const top = y * rows.stride - rows.padBefore;
    const left = x * columns.stride - columns.padBefore;
    const [firstRow, endRow] = insideRange(rows, top);
    const column = (left + first * columns.dilation) * pixelBytes;
    for (let k = firstRow; k < endRow; k++) {
      const word = pointers / 4 + k - firstRow;
      table[word] = image + (top + k * rows.dilation) * lineBytes + column;
    }
    if (endRow - firstRow < rows.filterSize || end - first < columns.filterSize) {
      bytes.fill(padding, target, target + pixels * rowBytes);
    }
    return [
      target + firstRow * kernelRowBytes + first * groupBytes,
      rowBytes,
      pointers,
      endRow - firstRow,
      end > first ? pixels : 0,
      columns.stride * pixelBytes,
      isDense ? 1 : end - first,
      columns.dilation * pixelBytes,
      isDense ? (end - first) * pixelBytes : groupBytes,
      kernelRowBytes,
    ];
  };
  const inside = insideColumns(geometry);
  return (image, pixel, count, padding) => {
    const copies: Parameters<GatherFunction>[] = [];
    let done = 0;
    while (done < count) {
      const y = Math.floor((pixel + done) / columns.outputSize);
      const x = (pixel + done) % columns.outputSize;
      const target = at.strip + done * rowBytes;
      const range = insideRange(columns, x * columns.stride - columns.padBefore);
      const whole = x >= inside.start && x < inside.end;
      const pixels = whole ? Math.min(count - done, inside.end - x) : 1;
      const pointers = at.rowTable + copies.length * rows.filterSize * 4;
      copies.push(copyOf(pointers, image, [y, x], range, pixels, target, padding));
      done += pixels;
    }
    place.callAll(GATHER_NAME, copies, (count * rowBytes) / BYTES_PER_MULTIPLICATION);
  };
}

/** Output columns [start, end) whose windows lose nothing at the left and right border. */
function insideColumns({ columns }: ConvGeometry): {
  readonly start: number;
  readonly end: number;
} {
  const { filterSize, dilation, inputSize, stride, padBefore, outputSize } = columns;
  const reach = (filterSize - 1) * dilation + 1;
  const start = Math.ceil(padBefore / stride);
  const end = Math.floor((inputSize - reach + padBefore) / stride) + 1;
  return { start, end: Math.max(start, Math.min(end, outputSize)) };
}
