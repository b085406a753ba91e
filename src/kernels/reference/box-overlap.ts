/** Overlap of axis-aligned boxes, each four numbers (y1, x1, y2, x2) in one array. */
import type { Elements } from "./elements.ts";

/**
 * Intersection over union of boxes i and j, in float32; 0 where either has no area. The corners may be any two opposite
 * ones.
 */
export function intersectionOverUnion(boxes: Elements<number>, i: number, j: number): number {
  const { fround } = Math;
  const [a, b] = [edgesOf(boxes, i), edgesOf(boxes, j)];
  const areaA = fround(fround(a.bottom - a.top) * fround(a.right - a.left));
  const areaB = fround(fround(b.bottom - b.top) * fround(b.right - b.left));
  if (areaA <= 0 || areaB <= 0) return 0;
  const height = fround(Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  const width = fround(Math.min(a.right, b.right) - Math.max(a.left, b.left));
  const common = fround(Math.max(height, 0) * Math.max(width, 0));
  return fround(common / fround(fround(areaA + areaB) - common));
}

function edgesOf(boxes: Elements<number>, box: number) {
  const [y1, x1, y2, x2] = [0, 1, 2, 3].map((k) => boxes[4 * box + k]);
  return {
    top: Math.min(y1, y2),
    left: Math.min(x1, x2),
    bottom: Math.max(y1, y2),
    right: Math.max(x1, x2),
  };
}
