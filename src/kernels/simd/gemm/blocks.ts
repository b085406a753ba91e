/** How a multiplication is cut into calls. */
import { evenParts, type Part } from "../even-parts.ts";

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

/** How a product is cut: blocks of rows, each of them by groups of columns. */
export interface ProductCuts {
  readonly rows: readonly Part[];
  readonly columns: readonly Part[];
}

/** Calls for each of several threads. */
const CALLS_PER_THREAD = 2;
/** Tiles of rows in a call: fewer would read the weights for too little, and could not be shared evenly. */
const LEAST_TILES = 4;

/**
 * Cuts a product for several threads into calls of like size: by rows, so that each thread finds the rows that it wrote
 * itself in its cache; by panels of columns where the weights are larger than the rest, so that each thread reads a part
 * of them. `bytes` are those of a row of A and of the result together, and of all weights.
 */
export function shareProduct(
  { rows, n }: { readonly rows: number; readonly n: number },
  { mr, nr }: { readonly mr: number; readonly nr: number },
  bytes: BlockedBytes,
  blocks: number,
  threads: number,
): ProductCuts {
  const [tiles, panels] = [Math.ceil(rows / mr), Math.ceil(n / nr)];
  const calls = CALLS_PER_THREAD * threads;
  const isByRows = tiles >= LEAST_TILES * calls && bytes.weights <= rows * bytes.row;
  const wanted = isByRows ? Math.ceil(Math.max(blocks, calls) / threads) * threads : blocks;
  return {
    rows: scaled(evenParts(tiles, wanted), mr, rows),
    columns: scaled(evenParts(panels, wanted >= calls ? 1 : calls), nr, n),
  };
}

/** Parts of tiles as parts of what is in them, of which the last tile may be short. */
function scaled(parts: readonly Part[], size: number, end: number): Part[] {
  return parts.map(({ at, count }) => ({
    at: at * size,
    count: Math.min(count * size, end - at * size),
  }));
}
