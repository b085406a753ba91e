/**
 * Where a sliding window (convolution, pooling) reads and how large its result is. Sizes and padding as TensorFlow
 * defines them: SAME pads as evenly as possible with the odd element at the end, VALID does not pad.
 */
import { formatShape } from "../../base/shape.ts";
import type { Padding } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode } from "../kernel.ts";
import { misshapen } from "../require.ts";

/** One spatial axis of a window. */
export interface WindowAxis {
  readonly inputSize: number;
  readonly outputSize: number;
  readonly filterSize: number;
  readonly stride: number;
  readonly dilation: number;
  /** Elements of padding before the first; may be negative nowhere. */
  readonly padBefore: number;
}

export interface WindowRequest {
  readonly inputSize: number;
  readonly filterSize: number;
  readonly stride: number;
  readonly dilation: number;
}

/**
 * Positions of a window that reaches over so many elements, along an axis where it must lie inside: (in − reach + stride) /
 * stride, truncated. None where it does not quite fit.
 *
 * @throws {ShapeError} where there would be fewer than none.
 */
export function positionsInside(
  node: KernelNode,
  inputSize: number,
  reach: number,
  stride: number,
): number {
  const positions = Math.trunc((inputSize - reach + stride) / stride);
  if (positions >= 0) return Math.abs(positions);
  throw misshapen(node, `a window over ${reach} elements of ${inputSize}`, "a window that fits");
}

/**
 * Lays a window along one axis.
 * SAME: out = ceil(in / stride). VALID: out = `positionsInside` with a reach of dilation·(filter − 1) + 1.
 *
 * @throws {ShapeError} for strides, dilations or filters below 1, and windows larger than the input.
 */
export function windowAxis(node: KernelNode, padding: Padding, request: WindowRequest): WindowAxis {
  const { inputSize, filterSize, stride, dilation } = request;
  if (stride < 1 || dilation < 1 || filterSize < 1) {
    throw misshapen(
      node,
      `stride ${stride}, dilation ${dilation} and filter size ${filterSize}`,
      "at least 1 each",
    );
  }
  const reach = dilation * (filterSize - 1) + 1;
  const outputSize =
    padding === "SAME"
      ? Math.ceil(inputSize / stride)
      : positionsInside(node, inputSize, reach, stride);
  const missing = Math.max(0, (outputSize - 1) * stride + reach - inputSize);
  const padBefore = padding === "SAME" ? Math.floor(missing / 2) : 0;
  return { ...request, outputSize, padBefore };
}

/** Options of an operator on images; dilations are 1 where it has none. */
export interface ImageWindowOptions {
  readonly padding: Padding;
  readonly stride_h: number;
  readonly stride_w: number;
  readonly dilation_h_factor?: number;
  readonly dilation_w_factor?: number;
}

/**
 * Lays a window over an image.
 *
 * @throws {ShapeError} for strides, dilations or filters below 1.
 */
export function imageWindow(
  node: KernelNode,
  options: ImageWindowOptions,
  [height, width]: readonly [height: number, width: number],
  [filterHeight, filterWidth]: readonly [height: number, width: number],
): { readonly rows: WindowAxis; readonly columns: WindowAxis } {
  const { padding, stride_h, stride_w, dilation_h_factor = 1, dilation_w_factor = 1 } = options;
  const along = (inputSize: number, filterSize: number, stride: number, dilation: number) => {
    return windowAxis(node, padding, { inputSize, filterSize, stride, dilation });
  };
  return {
    rows: along(height, filterHeight, stride_h, dilation_h_factor),
    columns: along(width, filterWidth, stride_w, dilation_w_factor),
  };
}

/**
 * Requires the bias at `index`, where there is one, to have an element for each channel.
 *
 * @throws {ShapeError}
 */
export function requireBias(node: KernelNode, index: number, channels: number): void {
  const bias = node.inputs[index];
  if (bias === undefined || (bias.shape.length === 1 && bias.shape[0] === channels)) return;
  throw misshapen(node, `bias ${formatShape(bias.shape)}`, `[${channels}]`);
}

/** First and past-the-last filter element that falls inside the input when the window stands at `origin`. */
export function insideRange(axis: WindowAxis, origin: number): [first: number, end: number] {
  const { dilation, filterSize, inputSize } = axis;
  const first = origin < 0 ? Math.ceil(-origin / dilation) : 0;
  const end = Math.min(filterSize, Math.ceil((inputSize - origin) / dilation));
  return [first, Math.max(first, end)];
}
