/**
 * Transposing constants. Weights are large and nearly all of them change their layout, so the permutations that they go
 * through have a loop of their own: once axes that stay together count as one, each exchanges two axes.
 */
import { allocate } from "../../base/dtype.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import type { TensorValue } from "../../graph/ir.ts";
import { normalizeAxis, stridedOffsets, stridesOf } from "../broadcast.ts";
import { isWhole, takeElements } from "./values.ts";

/**
 * Rows and columns that are exchanged together. Few: where rows are a power of two long, the lines of a column fall into
 * the same eight places of a core's first cache.
 */
const BLOCK = 8;

/** Permutes the axes of a constant; undefined for types whose elements cannot be moved one by one. */
export function transposeValue(
  x: TensorValue,
  perm: readonly number[],
  place: string,
): TensorValue | undefined {
  const axes = perm.map((axis) => normalizeAxis(axis, x.shape.length, place));
  const shape = axes.map((axis) => x.shape[axis] ?? 1);
  const exchange = planExchange(x.shape, axes);
  if (exchange !== undefined && !Array.isArray(x.data) && isWhole(x.dtype)) {
    const data = allocate(x.dtype, elementCount(shape)) as Float64Array;
    exchangeAxes(x.data as Float64Array, data, exchange);
    return { dtype: x.dtype, shape, data };
  }
  const strides = stridesOf(x.shape);
  const steps = axes.map((axis) => strides[axis] ?? 0);
  return takeElements(x, shape, stridedOffsets(shape, steps));
}

/** [batches, rows, columns] becomes [batches, columns, rows]. */
export interface Exchange {
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
}

/**
 * A permutation as the exchange of two neighbouring axes, where it is one: axes that stay together count as one, and so
 * do those in front that stay where they are. HWIO → OHWI, [3, 0, 1, 2], exchanges HWI with O.
 */
export function planExchange(shape: Shape, axes: readonly number[]): Exchange | undefined {
  const sizeOf = (run: readonly number[]): number =>
    run.reduce((product, axis) => product * (shape[axis] ?? 1), 1);
  const moved = axes.findIndex((axis, i) => axis !== i);
  if (moved < 0) return undefined;
  const split = axes.indexOf(moved);
  const columns = axes.slice(moved, split);
  const rows = axes.slice(split);
  const isRun = (run: readonly number[]): boolean => run.every((axis, i) => axis === run[0]! + i);
  if (!isRun(columns) || !isRun(rows) || rows[0]! + rows.length !== columns[0]) return undefined;
  return { batches: sizeOf(axes.slice(0, moved)), rows: sizeOf(rows), columns: sizeOf(columns) };
}

function exchangeAxes(
  source: Float64Array,
  target: Float64Array,
  { batches, rows, columns }: Exchange,
): void {
  for (let batch = 0; batch < batches; batch++) {
    const base = batch * rows * columns;
    for (let top = 0; top < rows; top += BLOCK) {
      const bottom = Math.min(top + BLOCK, rows);
      for (let left = 0; left < columns; left += BLOCK) {
        const right = Math.min(left + BLOCK, columns);
        for (let row = top; row < bottom; row++) {
          const from = base + row * columns;
          const to = base + row;
          for (let column = left; column < right; column++) {
            target[to + column * rows] = source[from + column]!;
          }
        }
      }
    }
  }
}
