/** How a multiplication is cut into calls. */

/**
 * Bytes of A that all panels of weights go over. Measured on MobileNetV2: larger than a first-level cache, because fewer
 * and longer sweeps over the weights are worth more than rows that stay in it (16 KB was 5 % slower). Where the weights
 * are large, every block reads them from a slow cache, and blocks grow with them (12 % faster for 49 rows).
 */
const LEAST_BLOCK_BYTES = 64 * 1024;
const MOST_BLOCK_BYTES = 512 * 1024;

/** Bytes of a row of A and of all packed weights. */
export interface BlockedBytes {
  readonly row: number;
  readonly weights: number;
}

/** Rows per block: a multiple of mr, at least one tile, at most what is there. */
export function blockRows(rows: number, bytes: BlockedBytes, mr: number): number {
  const blockBytes = Math.min(Math.max(bytes.weights / 2, LEAST_BLOCK_BYTES), MOST_BLOCK_BYTES);
  const fitting = Math.max(Math.floor(blockBytes / Math.max(bytes.row, 1) / mr) * mr, mr);
  // As many blocks as that takes, of like size: a last one of few rows would read all weights for them.
  const blocks = Math.ceil(rows / fitting);
  return Math.ceil(rows / Math.max(blocks, 1) / mr) * mr;
}

/**
 * Columns per call: all of them, unless there are fewer blocks of rows than twice the threads; then panels are shared
 * out too. A multiple of nr.
 */
export function blockColumns(n: number, nr: number, rowBlocks: number, threads: number): number {
  const panels = Math.ceil(n / nr);
  if (threads === 1 || rowBlocks >= 2 * threads) return panels * nr;
  const groups = Math.min(panels, Math.ceil((2 * threads) / rowBlocks));
  return Math.ceil(panels / groups) * nr;
}
