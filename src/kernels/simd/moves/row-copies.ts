/** Cuts a movement of elements into copies of rows. All numbers are elements. */

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
