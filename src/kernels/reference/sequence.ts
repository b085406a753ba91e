/** Walking along a sequence: [time, batch, width] or [batch, time, width], forward or backward. */
import { formatShape, type Shape } from "../../base/shape.ts";
import type { KernelNode } from "../kernel.ts";
import { misshapen } from "../require.ts";

export interface SequenceShape {
  readonly steps: number;
  readonly batch: number;
  readonly width: number;
  readonly timeMajor: boolean;
}

/** Reads the shape of a sequence of rank 3. */
export function sequenceShape(node: KernelNode, shape: Shape, timeMajor: boolean): SequenceShape {
  const [first, second, width] = shape;
  if (shape.length !== 3 || first === undefined || second === undefined || width === undefined) {
    throw misshapen(node, `sequence ${formatShape(shape)}`, "[time, batch, width]");
  }
  return timeMajor
    ? { steps: first, batch: second, width, timeMajor }
    : { steps: second, batch: first, width, timeMajor };
}

/** Steps in the order of the walk. */
export function stepOrder(steps: number, backward: boolean): number[] {
  return Array.from({ length: steps }, (_, step) => (backward ? steps - 1 - step : step));
}

/** Index of the vector of a step and batch. */
export function sequenceRow(
  { steps, batch, timeMajor }: SequenceShape,
  step: number,
  b: number,
): number {
  return timeMajor ? step * batch + b : b * steps + step;
}

/** Copies the vectors of one step to rows [batch, width]. */
export function readStep<Data extends Float32Array | Int8Array>(
  sequence: Data,
  shape: SequenceShape,
  step: number,
  rows: Data,
): void {
  for (let b = 0; b < shape.batch; b++) {
    const from = sequenceRow(shape, step, b) * shape.width;
    rows.set(sequence.subarray(from, from + shape.width), b * shape.width);
  }
}

/** Copies rows [batch, rowWidth] to one step of a sequence, at `offset` in each of its vectors. */
export function writeStep<Data extends Float32Array | Int8Array>(
  rows: Data,
  rowWidth: number,
  sequence: Data,
  shape: SequenceShape,
  step: number,
  offset = 0,
): void {
  for (let b = 0; b < shape.batch; b++) {
    const to = sequenceRow(shape, step, b) * shape.width + offset;
    sequence.set(rows.subarray(b * rowWidth, (b + 1) * rowWidth), to);
  }
}
