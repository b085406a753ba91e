/** Shapes: lists of dimension sizes, outermost first. -1 stands for a size that is not known yet. */

export type Shape = readonly number[];

/** Product of the dimensions; 1 for a scalar. Expects a fully known shape. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Tells whether every dimension is known. */
export function isStatic(shape: Shape): boolean {
  return shape.every((size) => size >= 0);
}

/** Tells whether two shapes are the same, dimension by dimension. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Prints a shape the way the messages do: `[1, 224, 224, 3]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}
