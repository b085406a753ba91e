/**
 * Outputs that pick their elements from the input by a stride per axis. What an operator picks is plain data, so that
 * emitted code can be planned from it.
 */
import type { Shape } from "../../base/shape.ts";
import type { KernelNode, KernelRun, OutputView, TensorView, ValueOf } from "../kernel.ts";
import { present } from "../views.ts";
import {
  copyUnits,
  elementsOf,
  storeElements,
  unitsPerElement,
  writableElementsOf,
} from "./elements.ts";

/** Which elements of an input fill an output. */
export interface StridedWalk {
  /** Elements that each coordinate advances by; 0 and negative numbers are fine. */
  readonly strides: readonly number[];
  /** Element at the origin; 0 by default. */
  readonly start?: number;
  /** The output's elements, seen with this shape; its own by default. */
  readonly shape?: Shape;
}

/**
 * Fills the output row-major from the input: the element at coordinates (i, j, …) comes from
 * start + i·strides[0] + j·strides[1] + …
 */
export function walkStrided(
  input: TensorView | undefined,
  output: OutputView | undefined,
  walk: StridedWalk,
): void {
  const out = present(output);
  const from = elementsOf(input);
  const to = writableElementsOf(out);
  const units = unitsPerElement(out.dtype);
  const { strides, shape } = mergedAxes(walk.strides, walk.shape ?? out.shape);
  const [step = 1, size = 1] = [strides.at(-1), shape.at(-1)];
  const last = shape.length - 1;
  const counter = new Array<number>(shape.length).fill(0);
  let position = walk.start ?? 0;
  for (let i = 0; i < to.length; i += size * units) {
    if (step === 1) copyUnits(from, position * units, to, i, size * units);
    else {
      for (let k = 0; k < size; k++) {
        for (let u = 0; u < units; u++)
          to[i + k * units + u] = from[(position + k * step) * units + u];
      }
    }
    for (let axis = last - 1; axis >= 0; axis--) {
      position += strides[axis];
      if (++counter[axis] < shape[axis]) break;
      position -= strides[axis] * shape[axis];
      counter[axis] = 0;
    }
  }
  storeElements(out, to);
}

/** The same walk with axes that follow each other in the input as one, and none of size 1. */
export function mergedAxes(
  strides: readonly number[],
  shape: Shape,
): { readonly strides: number[]; readonly shape: number[] } {
  const merged = { strides: [] as number[], shape: [] as number[] };
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const [stride, size] = [merged.strides[0], merged.shape[0]];
    if (shape[axis] === 1) continue;
    if (stride !== undefined && size !== undefined && strides[axis] === stride * size) {
      merged.shape[0] = size * shape[axis];
    } else {
      merged.strides.unshift(strides[axis]);
      merged.shape.unshift(shape[axis]);
    }
  }
  return merged;
}

/** The walk of an operator over its first operand; undefined while operands that decide it are not known. */
export type WalkOf = (node: KernelNode, known: ValueOf) => StridedWalk | undefined;

/** A kernel's `create` for an operator that is a walk. */
export function walking(walkOf: WalkOf): (node: KernelNode) => KernelRun {
  return (node) => (inputs, outputs) => {
    const walk = walkOf(node, (index) => inputs[index]);
    if (walk !== undefined) walkStrided(inputs[0], outputs[0], walk);
  };
}
