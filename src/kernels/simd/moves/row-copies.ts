/** Cuts a movement of elements into copies of rows. All numbers are elements. */
import { elementCount, type Shape } from "../../../base/shape.ts";
import { mergedAxes, type StridedWalk } from "../../reference/strided-walk.ts";

/** `rows` rows of `length` elements each, from one stride to another. */
export interface RowCopies {
  readonly source: number;
  readonly sourceStride: number;
  readonly target: number;
  readonly targetStride: number;
  readonly rows: number;
  readonly length: number;
}

/** Copies that move element `sources[i] − first` to place i, for all i. */
export function cutIntoCopies(sources: Int32Array, first = 0): RowCopies[] {
  const copies: RowCopies[] = [];
  for (let target = 0; target < sources.length; ) {
    const source = sources[target];
    const length = runLength(sources, target);
    let next = target + length;
    const sourceStride = next < sources.length ? sources[next] - source : 0;
    let rows = 1;
    while (
      next < sources.length &&
      sources[next] === source + rows * sourceStride &&
      hasRun(sources, next, length)
    ) {
      rows++;
      next += length;
    }
    const ends = { source: source - first, sourceStride, target, targetStride: length };
    copies.push({ ...ends, rows, length });
    target = next;
  }
  return copies;
}

/** The same copies where each element is a vector of `unit` elements. */
export function inUnits(copies: readonly RowCopies[], unit: number): RowCopies[] {
  return copies.map(({ source, sourceStride, target, targetStride, rows, length }) => ({
    ...{ source: source * unit, sourceStride: sourceStride * unit },
    ...{ target: target * unit, targetStride: targetStride * unit },
    ...{ rows, length: length * unit },
  }));
}

/** Copies that fill an output of shape `out` as a walk has it; undefined where they are more than `most`. */
export function walkCopies(walk: StridedWalk, out: Shape, most: number): RowCopies[] | undefined {
  const { strides, shape } = mergedAxes(walk.strides, walk.shape ?? out);
  const isDense = strides.at(-1) === 1;
  const length = isDense ? (shape.pop() ?? 1) : 1;
  if (isDense) strides.pop();
  const rows = shape.pop() ?? 1;
  const sourceStride = strides.pop() ?? 0;
  const count = elementCount(shape);
  if (count > most) return undefined;
  const counter = new Array<number>(shape.length).fill(0);
  let source = walk.start ?? 0;
  return Array.from({ length: count }, (_, index) => {
    const copy = { source, sourceStride, target: index * rows * length, targetStride: length };
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis];
      if (++counter[axis] < shape[axis]) break;
      source -= strides[axis] * shape[axis];
      counter[axis] = 0;
    }
    return { ...copy, rows, length };
  });
}

/** How many elements from `start` on follow each other in the source too. */
function runLength(sources: Int32Array, start: number): number {
  let length = 1;
  while (start + length < sources.length && sources[start + length] === sources[start] + length) {
    length++;
  }
  return length;
}

/** Whether `length` elements from `start` on follow each other in the source. */
function hasRun(sources: Int32Array, start: number, length: number): boolean {
  if (start + length > sources.length) return false;
  for (let index = 1; index < length; index++) {
    if (sources[start + index] !== sources[start] + index) return false;
  }
  return true;
}
