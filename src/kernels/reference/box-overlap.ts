/** Overlap of axis-aligned boxes, each four numbers (y1, x1, y2, x2) in one array. */
import type { Elements } from "./elements.ts";

/**
 * Intersection over union of boxes i and j, in float32; 0 where either has no area. The corners may be any two opposite
 * ones. Makes no objects: it is called for every pair of boxes.
 */
export function intersectionOverUnion(boxes: Elements<number>, i: number, j: number): number {
  const { fround, max } = Math;
  const areaA = areaOf(boxes, 4 * i);
  const areaB = areaOf(boxes, 4 * j);
  if (areaA <= 0 || areaB <= 0) return 0;
  const height = commonLength(boxes, 4 * i, 4 * j);
  const width = commonLength(boxes, 4 * i + 1, 4 * j + 1);
  const common = fround(max(height, 0) * max(width, 0));
  return fround(common / fround(fround(areaA + areaB) - common));
}

function areaOf(boxes: Elements<number>, at: number): number {
  const height = Math.fround(Math.abs(boxes[at + 2] - boxes[at]));
  return Math.fround(height * Math.fround(Math.abs(boxes[at + 3] - boxes[at + 1])));
}

/** Along one axis: the ends of a box's edge are at `a` and `a + 2`. Negative where there is a gap. */
function commonLength(boxes: Elements<number>, a: number, b: number): number {
  const { fround, max, min } = Math;
  const end = min(max(boxes[a], boxes[a + 2]), max(boxes[b], boxes[b + 2]));
  return fround(end - max(min(boxes[a], boxes[a + 2]), min(boxes[b], boxes[b + 2])));
}
