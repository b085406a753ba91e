/** How a product is cut into calls of one emitted function: blocks of rows, and panels of columns for several threads. */
import { MIN_SHARED_WORK } from "../fast-kernel.ts";
import { blockColumns, blockRows } from "./blocks.ts";
import type { GemmCommon } from "./emit-gemm.ts";
import { gemmSteps, packedByteLength } from "./pack.ts";
import type { GemmVariant } from "./variants.ts";

/** A product A[rows, k] · W[k, n]. Addresses and strides in bytes. */
export interface TiledProduct {
  readonly variant: GemmVariant;
  readonly a: number;
  readonly aStride: number;
  readonly rows: number;
  readonly k: number;
  readonly n: number;
  readonly weights: number;
  readonly out: number;
  /** Bytes of an element of the result. */
  readonly elementBytes: number;
  /** From one row of the result to the next; they follow each other by default. */
  readonly outStride?: number;
  readonly threads: number;
}

/** Rows per call. */
export function rowBlock({ variant, aStride, rows, k, n }: TiledProduct): number {
  const bytes = { row: aStride, weights: packedByteLength(variant, n, k) };
  return blockRows(rows, bytes, variant.mr);
}

/** The calls; `stage` gives the arguments behind the common ones for rows from `row` and columns from `column` on. */
export function tileCalls(
  product: TiledProduct,
  stage: (row: number, column: number) => readonly number[],
): number[][] {
  const { variant, a, aStride, rows, k, n, weights, out, elementBytes, threads } = product;
  const { outStride = n * elementBytes } = product;
  const steps = gemmSteps(variant, k);
  const panelBytes = packedByteLength(variant, variant.nr, k);
  const block = rowBlock(product);
  const sharers = rows * n * k < MIN_SHARED_WORK ? 1 : threads;
  const columns = blockColumns(n, variant.nr, Math.ceil(rows / block), sharers);
  const calls: number[][] = [];
  for (let column = 0; column < n; column += columns) {
    for (let row = 0; row < rows; row += block) {
      const common: GemmCommon = [
        a + row * aStride,
        aStride,
        weights + (column / variant.nr) * panelBytes,
        out + row * outStride + column * elementBytes,
        outStride,
        Math.min(block, rows - row),
        Math.min(columns, n - column),
        steps,
      ];
      calls.push([...common, ...stage(row, column)]);
    }
  }
  return calls;
}
