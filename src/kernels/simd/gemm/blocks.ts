/** How many rows of A a multiplication takes at a time. */

/** Bytes of A that should stay in the first-level cache beside a panel of weights. */
const BLOCK_BYTES = 16 * 1024;

/** Rows per block: a multiple of mr, at least one tile, at most what is there. */
export function blockRows(rows: number, rowBytes: number, mr: number): number {
  const fitting = Math.floor(BLOCK_BYTES / Math.max(rowBytes, 1) / mr) * mr;
  return Math.min(Math.max(fitting, mr), Math.ceil(rows / mr) * mr);
}
