/** Folding the elements of a tensor into one accumulator per output element, in the order of the input. */
import type { Shape } from "../../base/shape.ts";
import type { OutputView } from "../kernel.ts";
import { rowMajorStrides } from "./axes.ts";
import type { Elements } from "./elements.ts";

/** What is folded where: the output index of each input element, walked in order. */
export interface Reduction {
  readonly axes: readonly number[];
  readonly input: Shape;
  /** Elements that go into one output element. */
  readonly count: number;
}

/** Folds x into acc: acc[j] = fold(acc[j], x[i]) for the output index j of each input index i. */
export function foldInto<A, X>(
  { axes, input }: Reduction,
  x: Elements<X>,
  acc: Elements<A>,
  fold: (acc: A, x: X) => A,
): void {
  const kept = input.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const strides = rowMajorStrides(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const counter = new Array<number>(input.length).fill(0);
  let target = 0;
  for (let i = 0; i < x.length; i++) {
    acc[target] = fold(acc[target], x[i]);
    for (let axis = input.length - 1; axis >= 0; axis--) {
      target += strides[axis];
      if (++counter[axis] < input[axis]) break;
      target -= strides[axis] * input[axis];
      counter[axis] = 0;
    }
  }
}

/** One run of a reduction, with its operands' elements. */
export type ReductionRun = (reduction: Reduction, x: Elements, out: OutputView) => void;
