/** Drives the emitted depthwise functions over an image: chooses row pointers, border pixels and inner pixels. */
import type { DepthwiseEdgeFunction, DepthwiseFunction } from "./emit-depthwise.ts";
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
  readonly weights: number;
  /** Columns of the stage. */
  readonly columns: number;
  readonly output: number;
  /** Bytes of an element of the output. */
  readonly outputBytes: number;
  /** `rowTableBytes(shape)` bytes for row pointers. */
  readonly rowTable: number;
  /** A row of zeros: inputWidth · channels floats. */
  readonly zeroRow: number;
  /** Clamp bounds. */
  readonly low: number;
  readonly high: number;
}

export function rowTableBytes({ kernelHeight }: Pick<DepthwiseShape, "kernelHeight">): number {
  return kernelHeight * 4;
}

/** Computes [outputHeight, outputWidth, channels] of one image. `parameter` is that of the stage. */
export function runDepthwise(
  shape: DepthwiseShape,
  at: DepthwiseOperands,
  parameter: number,
  heap: Int32Array,
  inner: DepthwiseFunction,
  edge: DepthwiseEdgeFunction,
): void {
  const columns = planColumns(shape);
  const pixelBytes = shape.channels * 4;
  const rowBytes = shape.inputWidth * pixelBytes;
  const table = at.rowTable >> 2;
  const rows = new Int32Array(shape.kernelHeight);
  const outputRow = shape.outputWidth * shape.channels * at.outputBytes;
  for (let y = 0; y < shape.outputHeight; y++) {
    for (let k = 0; k < shape.kernelHeight; k++) {
      const row = y * shape.strideHeight - shape.padTop + k * shape.dilationHeight;
      rows[k] = row >= 0 && row < shape.inputHeight ? at.input + row * rowBytes : at.zeroRow;
    }
    const call = (fn: DepthwiseFunction, x: number, first: number, count: number) => {
      const column = x * shape.strideWidth - shape.padLeft + first * shape.dilationWidth;
      for (let k = 0; k < rows.length; k++) heap[table + k] = rows[k] + column * pixelBytes;
      const weights = at.weights + first * pixelBytes;
      const out = at.output + y * outputRow + x * shape.channels * at.outputBytes;
      fn(at.rowTable, weights, at.columns, out, count, parameter, at.low, at.high);
    };
    for (const { x, first, count } of columns.edges) call(edge, x, first, count);
    if (columns.innerCount > 0) call(inner, columns.innerStart, 0, columns.innerCount);
  }
}
