/**
 * Where a sliding window (convolution, pooling) reads and how large its result is. Sizes and padding as TensorFlow
 * defines them: SAME pads as evenly as possible with the odd element at the end, VALID does not pad.
 */
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
 * Lays a window along one axis.
 * SAME: out = ceil(in / stride). VALID: out = ceil((in − (dilation·(filter − 1) + 1) + 1) / stride), at least 0.
 *
 * @throws {ShapeError} for strides, dilations or filters below 1.
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
      : Math.max(0, Math.ceil((inputSize - reach + 1) / stride));
  const missing = Math.max(0, (outputSize - 1) * stride + reach - inputSize);
  const padBefore = padding === "SAME" ? Math.floor(missing / 2) : 0;
  return { ...request, outputSize, padBefore };
}

/** First and past-the-last filter element that falls inside the input when the window stands at `origin`. */
export function insideRange(axis: WindowAxis, origin: number): [first: number, end: number] {
  const { dilation, filterSize, inputSize } = axis;
  const first = origin < 0 ? Math.ceil(-origin / dilation) : 0;
  const end = Math.min(filterSize, Math.ceil((inputSize - origin) / dilation));
  return [first, Math.max(first, end)];
}
