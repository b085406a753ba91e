/** Where slices of a tensor are that rows of indices name. An index outside its axis is an error. */
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { KernelNode } from "../kernel.ts";
import { badValue, misshapen } from "../require.ts";
import { rowMajorStrides } from "./axes.ts";

/** @throws {ExecutionError} for an index outside of 0 to size − 1. */
export function requireIndex(node: KernelNode, index: number, size: number): void {
  if (index >= 0 && index < size) return;
  throw badValue(node, `index ${index}`, `one between 0 and ${size - 1}`);
}

/** Coordinates of slices in a tensor, from rows of `depth` indices. */
export interface SliceAddresses {
  /** Offset of each slice in storage units. */
  readonly offsets: readonly number[];
  /** Storage units of one slice. */
  readonly length: number;
}

/**
 * Addresses of slices in a tensor of `shape`, one for each `depth` indices.
 *
 * @throws {ExecutionError} for an index outside its axis.
 */
export function sliceAddresses(
  node: KernelNode,
  indices: readonly number[],
  depth: number,
  shape: Shape,
  units: number,
): SliceAddresses {
  const strides = rowMajorStrides(shape);
  const length = elementCount(shape.slice(depth)) * units;
  const rows = depth === 0 ? 1 : indices.length / depth;
  const offsets = Array.from({ length: rows }, (_, row) => {
    let offset = 0;
    for (let k = 0; k < depth; k++) {
      const index = indices[row * depth + k];
      requireIndex(node, index, shape[k]);
      offset += index * strides[k];
    }
    return offset * units;
  });
  return { offsets, length };
}

/** The length of the index rows: the last size of the indices' shape. */
export function indexDepth(node: KernelNode, indices: Shape, rank: number): number {
  const depth = indices.at(-1);
  if (depth !== undefined && depth <= rank) return depth;
  const found = `indices of shape ${formatShape(indices)}`;
  throw misshapen(node, found, `a last dimension of at most ${rank}`);
}
