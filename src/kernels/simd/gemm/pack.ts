/**
 * Puts a weight matrix into the order in which a tile reads it: panels of nr columns, inside a panel one step of the
 * inner loop after the other. Columns beyond n and steps beyond k are zero, so tiles need no column or k remainder.
 */
import type { GemmVariant } from "./variants.ts";

/** Steps of the inner loop: integer products take two k at a time. */
export function gemmSteps(data: GemmVariant["data"], k: number): number {
  return data === "f32" ? k : Math.ceil(k / 2);
}

/** Bytes of packed weights for `n` columns of length `k`. */
export function packedByteLength(variant: GemmVariant, n: number, k: number): number {
  const columns = Math.ceil(n / variant.nr) * variant.nr;
  return columns * gemmSteps(variant.data, k) * stepBytes(variant);
}

/** Bytes of one column in one step. */
export function stepBytes({ data }: GemmVariant): number {
  if (data === "qd4") return 1;
  return data === "qd8" || data === "qs8" ? 2 : 4;
}

/**
 * Packs float32[n, k] (one row per output column, as FULLY_CONNECTED and CONV_2D store them) into
 * float32[n / nr, k, nr].
 */
export function packFloat(
  weights: Float32Array,
  n: number,
  k: number,
  nr: number,
  packed: Float32Array,
): void {
  packed.fill(0);
  for (let column = 0; column < n; column++) {
    const panel = Math.floor(column / nr) * nr * k + (column % nr);
    const row = column * k;
    for (let step = 0; step < k; step++) packed[panel + step * nr] = weights[row + step];
  }
}

/** Packs integers [n, k] into [n / nr, ceil(k / 2), nr, 2] of the packed array's type. */
export function packPairs(
  weights: Int8Array | Int16Array,
  n: number,
  k: number,
  nr: number,
  packed: Int8Array | Int16Array,
): void {
  packed.fill(0);
  const steps = Math.ceil(k / 2);
  for (let column = 0; column < n; column++) {
    const panel = Math.floor(column / nr) * nr * steps * 2 + (column % nr) * 2;
    const row = column * k;
    for (let index = 0; index < k; index++) {
      packed[panel + (index >> 1) * nr * 2 + (index & 1)] = weights[row + index];
    }
  }
}

/**
 * Packs integers from −8 to 7, [n, k], into [n / nr, ceil(k / 2), nr / 8, 8] bytes: in every 8 columns the low nibbles
 * are the pairs of k of the first four columns, the high nibbles those of the other four.
 */
export function packNibbles(
  weights: Int8Array,
  n: number,
  k: number,
  nr: number,
  packed: Uint8Array,
): void {
  packed.fill(0);
  const steps = Math.ceil(k / 2);
  for (let column = 0; column < n; column++) {
    const inPanel = column % nr;
    const panel = Math.floor(column / nr) * nr * steps;
    const start = panel + Math.floor(inPanel / 8) * 8 + (inPanel % 4) * 2;
    const shift = inPanel % 8 < 4 ? 0 : 4;
    for (let index = 0; index < k; index++) {
      const nibble = (weights[column * k + index] & 15) << shift;
      packed[start + (index >> 1) * nr + (index & 1)] |= nibble;
    }
  }
}
