/** Axes of a tensor: resolving the ones that count from the end, and the sizes in front of and behind one. */
import type { Shape } from "../../base/shape.ts";
import type { KernelNode } from "../kernel.ts";
import { misshapen } from "../require.ts";

/** The axis as a non-negative number below `rank`. */
export function resolveAxis(node: KernelNode, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(resolved) && resolved >= 0 && resolved < rank) return resolved;
  throw misshapen(node, `axis ${axis}`, `an axis between ${-rank} and ${rank - 1}`);
}

/** Axes without repetition, ascending. */
export function resolveAxes(node: KernelNode, axes: readonly number[], rank: number): number[] {
  const resolved = new Set(axes.map((axis) => resolveAxis(node, axis, rank)));
  return [...resolved].sort((a, b) => a - b);
}

/** How many elements lie in front of an axis, along it, and behind it. */
export interface AxisSplit {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

/** Splits a shape at `axis`, which is resolved. */
export function splitAt(shape: Shape, axis: number): AxisSplit {
  let outer = 1;
  let inner = 1;
  for (let k = 0; k < axis; k++) outer *= shape[k];
  for (let k = axis + 1; k < shape.length; k++) inner *= shape[k];
  return { outer, size: shape[axis], inner };
}

/** Elements between neighbours along each axis, row-major. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  }
  return strides;
}
