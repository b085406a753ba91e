/**
 * Where activations live in one block of memory. Tensors that are never alive at the same time share addresses. Greedy
 * by size: the largest tensor is placed first, each at the lowest address that is free for the whole of its life
 * (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, section 5.2).
 */

/** Addresses are multiples of this, so that a vector load never crosses a cache line. */
const ALIGNMENT = 64;

/** A tensor that needs memory from step `first` to step `last`, both included. */
export interface Lifetime {
  readonly byteLength: number;
  readonly first: number;
  readonly last: number;
}

/** Byte offsets, one for each lifetime in order, and the size of the block that holds them. */
export interface ArenaPlan {
  readonly offsets: readonly number[];
  readonly byteLength: number;
}

interface Placed extends Lifetime {
  readonly offset: number;
}

/** Plans a block for the given lifetimes. */
export function planArena(lifetimes: readonly Lifetime[]): ArenaPlan {
  const offsets = lifetimes.map(() => 0);
  const order = lifetimes
    .map((_, index) => index)
    .sort((a, b) => byteLengthAt(lifetimes, b) - byteLengthAt(lifetimes, a) || a - b);
  /** Sorted by offset. */
  const placed: Placed[] = [];
  let end = 0;
  for (const index of order) {
    const lifetime = lifetimes[index];
    if (lifetime === undefined || lifetime.byteLength === 0) continue;
    const offset = lowestFreeOffset(lifetime, placed);
    offsets[index] = offset;
    insertByOffset(placed, { ...lifetime, offset });
    end = Math.max(end, offset + lifetime.byteLength);
  }
  return { offsets, byteLength: align(end) };
}

function byteLengthAt(lifetimes: readonly Lifetime[], index: number): number {
  return lifetimes[index]?.byteLength ?? 0;
}

function lowestFreeOffset(lifetime: Lifetime, placed: readonly Placed[]): number {
  let offset = 0;
  for (const other of placed) {
    if (other.last < lifetime.first || other.first > lifetime.last) continue;
    if (other.offset - offset >= lifetime.byteLength) break;
    offset = Math.max(offset, align(other.offset + other.byteLength));
  }
  return offset;
}

function insertByOffset(placed: Placed[], entry: Placed): void {
  let at = placed.length;
  while (at > 0 && (placed[at - 1]?.offset ?? 0) > entry.offset) at--;
  placed.splice(at, 0, entry);
}

function align(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}
