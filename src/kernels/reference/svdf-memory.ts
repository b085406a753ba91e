/** What float and integer SVDF share: the sizes of a layer and its memory, which moves by one at each run. */

/** Sizes of one layer; filters = units × rank. */
export interface SvdfSizes {
  readonly batch: number;
  readonly inputs: number;
  readonly filters: number;
  readonly memory: number;
  readonly units: number;
  readonly rank: number;
}

/**
 * Moves the memories of all filters on by one number; the oldest is dropped, and the place at the end of each is to be
 * written by the caller. In one move: what comes from the next filter lands in just those places.
 */
export function shiftMemory(state: Float32Array | Int16Array | Int8Array): void {
  state.copyWithin(0, 1);
}
