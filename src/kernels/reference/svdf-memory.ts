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

/** Makes room for one number at the end of each filter's memory; the oldest is dropped. */
export function shiftMemory(state: Float32Array | Int16Array | Int8Array, memory: number): void {
  for (let at = 0; at < state.length; at += memory) {
    state.copyWithin(at, at + 1, at + memory);
    state[at + memory - 1] = 0;
  }
}
