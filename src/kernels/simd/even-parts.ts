/** How work is cut for several threads: parts of like size, whose first half is half of the work. */

/** `count` things from `at` on. */
export interface Part {
  readonly at: number;
  readonly count: number;
}

/** Cuts `count` things into so many parts, none of them empty, that differ by one at most. */
export function evenParts(count: number, parts: number): Part[] {
  const wanted = Math.min(Math.max(parts, 1), count);
  return Array.from({ length: wanted }, (_, index) => {
    const at = Math.floor((count * index) / wanted);
    return { at, count: Math.floor((count * (index + 1)) / wanted) - at };
  });
}
