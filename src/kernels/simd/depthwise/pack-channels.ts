/**
 * Puts numbers of channels into the order in which the emitted code reads them: eight channels at a time, so that all
 * that belongs to them lies at fixed distances, whatever the number of channels is.
 */

/** Channels of a block. */
export const CHANNEL_BLOCK = 8;

/** Numbers of `rows` rows of channels, packed. */
export function packedChannels(rows: number, channels: number): number {
  return Math.ceil(channels / CHANNEL_BLOCK) * CHANNEL_BLOCK * rows;
}

/** One row of what is packed. */
export interface ChannelRow {
  readonly row: number;
  /** Rows of the whole. */
  readonly rows: number;
  readonly channels: number;
}

/** Puts a row of channels, which starts at `from`, to its place in [ceil(channels / 8), rows, 8], on memory that is zero. */
export function packRow(
  values: ArrayLike<number>,
  from: number,
  { row, rows, channels }: ChannelRow,
  packed: Float32Array | Int32Array | Float64Array,
): void {
  let at = row * CHANNEL_BLOCK;
  for (let block = 0; block < channels; block += CHANNEL_BLOCK) {
    const here = Math.min(CHANNEL_BLOCK, channels - block);
    for (let lane = 0; lane < here; lane++) packed[at + lane] = values[from + block + lane];
    at += rows * CHANNEL_BLOCK;
  }
}
