/** How the elements of one tensor, or rows of them, are shared among threads. */

/** A part of `count` elements from `at` on. */
export interface Span {
  readonly at: number;
  readonly count: number;
}

/** Elements that are worth another call on another thread. */
const SHARE = 8192;
/** Parts start at multiples of this, so that groups of elements stay whole. */
const ALIGNMENT = 64;

/** Parts of `count` elements: one where there is one thread, or little to do. */
export function elementSpans(count: number, threads: number): Span[] {
  const share = Math.max(SHARE, Math.ceil(count / (2 * threads)));
  return cut(count, threads === 1 ? count : Math.ceil(share / ALIGNMENT) * ALIGNMENT);
}

/** Parts of `rows` rows of `width` elements each. */
export function rowSpans(rows: number, width: number, threads: number): Span[] {
  const share = Math.max(SHARE / Math.max(width, 1), rows / (2 * threads));
  return cut(rows, threads === 1 ? rows : Math.ceil(share));
}

function cut(count: number, size: number): Span[] {
  if (count <= size) return [{ at: 0, count }];
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => {
    const at = index * size;
    return { at, count: Math.min(size, count - at) };
  });
}
