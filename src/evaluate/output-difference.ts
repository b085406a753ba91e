/** How far the outputs of two models lie apart, as a mergeable count. */
import { bestOf } from "./top-k.ts";

export interface OutputDifference {
  readonly samples: number;
  /** Samples for which both models name the same class. */
  readonly agreements: number;
  /** Elements compared, over all samples. */
  readonly elements: number;
  readonly sum: number;
  readonly largest: number;
}

/** The difference over no samples. */
export const NO_DIFFERENCE: OutputDifference = {
  samples: 0,
  agreements: 0,
  elements: 0,
  sum: 0,
  largest: 0,
};

/** Adds |a − b| over the scores of one sample. A difference that is not a number makes all later sums none either. */
export function addDifference(
  total: OutputDifference,
  a: Float32Array,
  b: Float32Array,
): OutputDifference {
  let sum = 0;
  let largest = 0;
  for (let index = 0; index < a.length; index++) {
    const one = a[index]!;
    const other = b[index]!;
    const difference = one === other ? 0 : Math.abs(one - other);
    sum += difference;
    largest = Math.max(largest, difference);
  }
  return mergeDifference(total, {
    samples: 1,
    agreements: bestOf(a) === bestOf(b) ? 1 : 0,
    elements: a.length,
    sum,
    largest,
  });
}

/** The difference over both shards. */
export function mergeDifference(a: OutputDifference, b: OutputDifference): OutputDifference {
  return {
    samples: a.samples + b.samples,
    agreements: a.agreements + b.agreements,
    elements: a.elements + b.elements,
    sum: a.sum + b.sum,
    largest: Math.max(a.largest, b.largest),
  };
}
