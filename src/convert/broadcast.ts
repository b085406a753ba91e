/** NumPy broadcasting of shapes, with -1 for sizes that are not known yet. */
import { ShapeError } from "../base/errors.ts";
import { formatShape, type Shape } from "../base/shape.ts";

/**
 * The shape that `a` and `b` broadcast to. An unknown size against a known one above 1 takes the known one, as
 * TensorFlow's shape functions do. Throws ShapeError when the shapes do not fit.
 */
export function broadcastShapes(a: Shape, b: Shape, where: string): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    if (x < 0) return y;
    if (y < 0) return x;
    throw new ShapeError({
      where,
      found: `shapes ${formatShape(a)} and ${formatShape(b)}`,
      expected: "shapes that broadcast",
    });
  });
}

/** Row-major strides in elements; 0 along axes of size 1, which makes them broadcast. */
export function broadcastStrides(shape: Shape, rank: number): number[] {
  const strides = new Array<number>(rank).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1) strides[rank - shape.length + axis] = stride;
    stride *= size;
  }
  return strides;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  }
  return strides;
}

/**
 * Offsets into a strided source, in the row-major order of `shape`: the one loop behind transposing, slicing, tiling
 * and broadcasting of constants.
 */
export function stridedOffsets(shape: Shape, strides: readonly number[], start = 0): Uint32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const offsets = new Uint32Array(count);
  if (count === 0) return offsets;
  const index = new Array<number>(shape.length).fill(0);
  let offset = start;
  for (let i = 0; i < count; i++) {
    offsets[i] = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] ?? 1;
      const stride = strides[axis] ?? 0;
      index[axis] = (index[axis] ?? 0) + 1;
      offset += stride;
      if ((index[axis] ?? 0) < size) break;
      offset -= stride * size;
      index[axis] = 0;
    }
  }
  return offsets;
}

/** Brings a possibly negative axis into [0, rank). Throws ShapeError when it is outside [-rank, rank). */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank) {
    throw new ShapeError({
      where,
      found: `axis ${axis}`,
      expected: `an axis of a tensor of rank ${rank}`,
    });
  }
  return normal;
}
