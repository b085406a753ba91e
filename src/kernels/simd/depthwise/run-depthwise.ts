/** Drives the emitted depthwise functions over an image: chooses row pointers, border pixels and inner pixels. */
import type { DepthwiseEdgeFunction, DepthwiseFunction } from "./emit-depthwise.ts";
import { type ColumnGeometry, planColumns } from "./plan-columns.ts";

export interface DepthwiseShape extends ColumnGeometry {
  readonly batch: number;
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
  readonly scales: number;
  readonly bias: number;
  readonly output: number;
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

/**
 * Computes float32[batch, outputHeight, outputWidth, channels]. `inputScales` has one scale per image for qd8 (any one
 * number for f32).
 */
export function runDepthwise(
  shape: DepthwiseShape,
  at: DepthwiseOperands,
  inputScales: ArrayLike<number>,
  heap: Int32Array,
  inner: DepthwiseFunction,
  edge: DepthwiseEdgeFunction,
): void {
  const columns = planColumns(shape);
  const pixelBytes = shape.channels * 4;
  const rowBytes = shape.inputWidth * pixelBytes;
  const table = at.rowTable >> 2;
  const rows = new Int32Array(shape.kernelHeight);
  for (let image = 0; image < shape.batch; image++) {
    const input = at.input + image * shape.inputHeight * rowBytes;
    const scale = inputScales[image] ?? 1;
    for (let y = 0; y < shape.outputHeight; y++) {
      for (let k = 0; k < shape.kernelHeight; k++) {
        const row = y * shape.strideHeight - shape.padTop + k * shape.dilationHeight;
        rows[k] = row >= 0 && row < shape.inputHeight ? input + row * rowBytes : at.zeroRow;
      }
      const out = at.output + (image * shape.outputHeight + y) * shape.outputWidth * pixelBytes;
      const call = (fn: DepthwiseFunction, x: number, first: number, count: number) => {
        const column = x * shape.strideWidth - shape.padLeft + first * shape.dilationWidth;
        for (let k = 0; k < rows.length; k++) heap[table + k] = rows[k] + column * pixelBytes;
        const weights = at.weights + first * pixelBytes;
        fn(
          at.rowTable,
          weights,
          at.scales,
          at.bias,
          out + x * pixelBytes,
          count,
          scale,
          at.low,
          at.high,
        );
      };
      for (const { x, first, count } of columns.edges) call(edge, x, first, count);
      if (columns.innerCount > 0) call(inner, columns.innerStart, 0, columns.innerCount);
    }
  }
}
