/**
 * Cuts a depthwise convolution of one image into records for the emitted function: for every output row its inner
 * pixels and its border pixels. Pure arithmetic on addresses; the records stay in linear memory.
 */
import { evenParts, type Part } from "../even-parts.ts";
import { CHANNEL_BLOCK } from "./pack-channels.ts";
import { type ColumnGeometry, planColumns } from "./plan-columns.ts";

export interface DepthwiseShape extends ColumnGeometry {
  readonly inputHeight: number;
  readonly outputHeight: number;
  readonly kernelHeight: number;
  readonly strideHeight: number;
  readonly dilationHeight: number;
  readonly padTop: number;
  readonly channels: number;
}

/** Addresses in bytes. */
export interface DepthwiseOperands {
  readonly input: number;
  /** Where input row `row` lies for output row `y`; by default rows lie one behind the other from `input` on. */
  readonly rowAt?: (row: number, y: number) => number;
  /** Packed (`pack-channels.ts`). */
  readonly weights: number;
  readonly output: number;
  /** Bytes of an element of the output. */
  readonly outputBytes: number;
  /** `recordsByteLength(shape)` bytes for records. */
  readonly records: number;
  /** A row of zeros: inputWidth · channels floats. */
  readonly zeroRow: number;
}

/** Records one behind the other. */
export interface RecordList {
  readonly address: number;
  readonly count: number;
}

/** Records of inner and of border pixels, row by row of the output; all may be worked off at the same time. */
export interface DepthwiseRecords {
  readonly inner: RecordList;
  readonly edge: RecordList;
}

/** Bytes of a record: address of the weights, of the output, a count, and a pointer for each kernel row. */
export function recordBytes(kernelHeight: number): number {
  return (3 + kernelHeight) * 4;
}

/** Bytes of all records of an image. */
export function recordsByteLength(shape: DepthwiseShape): number {
  const { edges } = planColumns(shape);
  return shape.outputHeight * (edges.length + 1) * recordBytes(shape.kernelHeight);
}

/** Writes the records for [outputHeight, outputWidth, channels] of one image: those of the border, then the inner ones. */
export function writeRecords(
  shape: DepthwiseShape,
  at: DepthwiseOperands,
  heap: Int32Array,
): DepthwiseRecords {
  const columns = planColumns(shape);
  const pixelBytes = shape.channels * 4;
  const tapBytes = CHANNEL_BLOCK * 4;
  const rowBytes = shape.inputWidth * pixelBytes;
  const outputPixel = shape.channels * at.outputBytes;
  const rowAt = at.rowAt ?? ((row) => at.input + row * rowBytes);
  let word = at.records >> 2;
  const add = (y: number, x: number, first: number, count: number): void => {
    heap[word++] = at.weights + first * tapBytes;
    heap[word++] = at.output + (y * shape.outputWidth + x) * outputPixel;
    heap[word++] = count;
    const column = x * shape.strideWidth - shape.padLeft + first * shape.dilationWidth;
    for (let k = 0; k < shape.kernelHeight; k++) {
      const row = y * shape.strideHeight - shape.padTop + k * shape.dilationHeight;
      const isInside = row >= 0 && row < shape.inputHeight;
      heap[word++] = (isInside ? rowAt(row, y) : at.zeroRow) + column * pixelBytes;
    }
  };
  for (let y = 0; y < shape.outputHeight; y++) {
    for (const { x, first, count } of columns.edges) add(y, x, first, count);
  }
  const innerAddress = word * 4;
  const { innerStart, innerCount } = columns;
  for (let y = 0; innerCount > 0 && y < shape.outputHeight; y++) add(y, innerStart, 0, innerCount);
  return {
    edge: { address: at.records, count: shape.outputHeight * columns.edges.length },
    inner: { address: innerAddress, count: innerCount > 0 ? shape.outputHeight : 0 },
  };
}

/** Parts of the output for each of several threads. */
const PARTS_PER_THREAD = 4;

/** Cuts the work into parts of whole output rows for several threads: arguments of `DepthwiseFunction`. */
export function shareRecords(
  { inner, edge }: DepthwiseRecords,
  { outputHeight, kernelHeight, channels }: DepthwiseShape,
  threads: number,
  stage: readonly number[],
): number[][] {
  const part = ({ address, count }: RecordList, rows: Part): number[] => {
    const perRow = count / outputHeight;
    return [address + rows.at * perRow * recordBytes(kernelHeight), rows.count * perRow];
  };
  const parts = evenParts(outputHeight, threads === 1 ? 1 : PARTS_PER_THREAD * threads);
  return parts.map((rows) => [...part(inner, rows), ...part(edge, rows), channels, ...stage]);
}
