/** How a product is cut into calls of one emitted function: blocks of rows, and panels of columns for several threads. */
import type { Part } from "../even-parts.ts";
import { MIN_SHARED_WORK } from "../fast-kernel.ts";
import { blockRows, type ProductCuts, shareProduct } from "./blocks.ts";
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
  /** Bytes of the weights of a tile; must be told where steps are in lists (`pair-lists.ts`). */
  readonly tileBytes?: number;
  readonly out: number;
  /** Bytes of an element of the result. */
  readonly elementBytes: number;
  /** From one row of the result to the next; they follow each other by default. */
  readonly outStride?: number;
  readonly threads: number;
  /** Where rows are windows: the address of the steps' offsets, and then `a` and `aStride` are those of the rows' table. */
  readonly offsets?: number | undefined;
  /** Bytes of A that a row adds, where that is not `aStride`. */
  readonly rowBytes?: number;
}

/** Rows per call. */
export function rowBlock(product: TiledProduct): number {
  const { variant, aStride, rowBytes = aStride, rows } = product;
  return blockRows(rows, { row: rowBytes, weights: weightBytes(product) }, variant.mr);
}

function tileBytesOf({ variant, k, tileBytes }: TiledProduct): number {
  return tileBytes ?? packedByteLength(variant, variant.nr, k);
}

function weightBytes(product: TiledProduct): number {
  return Math.ceil(product.n / product.variant.nr) * tileBytesOf(product);
}

/** The calls; `stage` gives the arguments behind the common ones for rows from `row` and columns from `column` on. */
export function tileCalls(
  product: TiledProduct,
  stage: (row: number, column: number) => readonly number[],
): number[][] {
  const { variant, a, aStride, k, n, weights, out, elementBytes, offsets } = product;
  const { outStride = n * elementBytes } = product;
  const steps = gemmSteps(variant, k);
  const tileBytes = tileBytesOf(product);
  const { rows, columns } = cutsOf(product);
  return columns.flatMap((column) =>
    rows.map((row) => {
      const common: GemmCommon = [
        a + row.at * aStride,
        aStride,
        weights + (column.at / variant.nr) * tileBytes,
        out + row.at * outStride + column.at * elementBytes,
        outStride,
        row.count,
        column.count,
        steps,
      ];
      const windows = offsets === undefined ? [] : [offsets];
      return [...common, ...windows, ...stage(row.at, column.at)];
    }),
  );
}

function cutsOf(product: TiledProduct): ProductCuts {
  const { variant, aStride, rowBytes = aStride, rows, k, n, elementBytes, threads } = product;
  const block = rowBlock(product);
  if (threads === 1 || rows * n * k < MIN_SHARED_WORK) {
    return { rows: partsOfSize(rows, block), columns: [{ at: 0, count: n }] };
  }
  const bytes = { row: rowBytes + n * elementBytes, weights: weightBytes(product) };
  return shareProduct({ rows, n }, variant, bytes, Math.ceil(rows / block), threads);
}

function partsOfSize(count: number, size: number): Part[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => {
    return { at: index * size, count: Math.min(size, count - index * size) };
  });
}
