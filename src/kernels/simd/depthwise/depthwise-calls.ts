/**
 * Cuts a depthwise convolution of one image into calls of the emitted functions: for every output row its inner pixels
 * and its border pixels. Pure arithmetic on addresses; row pointers go to a table in linear memory.
 */
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

/** Calls of the two functions; all may run at the same time. */
export interface DepthwiseCalls {
  readonly inner: readonly number[][];
  readonly edge: readonly number[][];
}

/** Where the stage's parameter stands among the arguments. */
const PARAMETER = 5;

/** Sets the stage's parameter in all calls: all that changes from run to run. */
export function setParameter({ inner, edge }: DepthwiseCalls, parameter: number): void {
  for (const args of inner) args[PARAMETER] = parameter;
  for (const args of edge) args[PARAMETER] = parameter;
}

/** Bytes of the row pointers of all calls. */
export function rowTableBytes(shape: DepthwiseShape): number {
  const { edges } = planColumns(shape);
  return shape.outputHeight * (edges.length + 1) * shape.kernelHeight * 4;
}

/**
 * Lists the calls for [outputHeight, outputWidth, channels] of one image and writes their row pointers to the table. The
 * stage's parameter is 0 until `setParameter`.
 */
export function depthwiseCalls(
  shape: DepthwiseShape,
  at: DepthwiseOperands,
  heap: Int32Array,
): DepthwiseCalls {
  const columns = planColumns(shape);
  const pixelBytes = shape.channels * 4;
  const rowBytes = shape.inputWidth * pixelBytes;
  const outputPixel = shape.channels * at.outputBytes;
  const calls = { inner: [] as number[][], edge: [] as number[][] };
  let table = at.rowTable;
  for (let y = 0; y < shape.outputHeight; y++) {
    const add = (list: number[][], x: number, first: number, count: number) => {
      const column = x * shape.strideWidth - shape.padLeft + first * shape.dilationWidth;
      for (let k = 0; k < shape.kernelHeight; k++) {
        const row = y * shape.strideHeight - shape.padTop + k * shape.dilationHeight;
        const isInside = row >= 0 && row < shape.inputHeight;
        const start = isInside ? at.input + row * rowBytes : at.zeroRow;
        heap[(table >> 2) + k] = start + column * pixelBytes;
      }
      const weights = at.weights + first * pixelBytes;
      const out = at.output + (y * shape.outputWidth + x) * outputPixel;
      list.push([table, weights, at.columns, out, count, 0, at.low, at.high]);
      table += shape.kernelHeight * 4;
    };
    for (const { x, first, count } of columns.edges) add(calls.edge, x, first, count);
    if (columns.innerCount > 0) add(calls.inner, columns.innerStart, 0, columns.innerCount);
  }
  return calls;
}
