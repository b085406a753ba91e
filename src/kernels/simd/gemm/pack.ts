/**
 * Puts a weight matrix into the order in which a tile reads it: panels of nr columns, inside a panel one step of the
 * inner loop after the other. Columns beyond n and steps beyond k are zero, so tiles need no column or k remainder. Nothing
 * else is written twice: the first touch of a page of memory costs as much as packing what is on it.
 */
import { type GemmFormat, type GemmVariant, keepsBytes } from "./variants.ts";

/** How many k one step of the inner loop takes: as many as fit into 32 bits of A. */
export function stepGroup({ data, isa }: GemmFormat): number {
  if (data === "f32") return 1;
  return keepsBytes(isa) ? 4 : 2;
}

/** Steps of the inner loop. */
export function gemmSteps(format: GemmFormat, k: number): number {
  return Math.ceil(k / stepGroup(format));
}

/** Bytes of packed weights for `n` columns of length `k`. */
export function packedByteLength(variant: GemmVariant, n: number, k: number): number {
  const columns = Math.ceil(n / variant.nr) * variant.nr;
  return columns * gemmSteps(variant, k) * stepBytes(variant);
}

/** Bytes of a panel. */
export function panelByteLength(variant: GemmVariant, k: number): number {
  return variant.panel * gemmSteps(variant, k) * stepBytes(variant);
}

/** Data whose weights take four bytes in a step. */
const WIDE: readonly GemmFormat["data"][] = ["f32", "qd16", "qs16", "qu16", "qi16"];

/** Bytes of one column in one step. */
export function stepBytes(format: GemmFormat): number {
  const { data } = format;
  if (data === "qd4") return stepGroup(format) / 2;
  return WIDE.includes(data) ? 4 : stepGroup(format);
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
  packed.fill(0, Math.floor(n / nr) * nr * k);
  for (let column = 0; column < n; column++) {
    const panel = Math.floor(column / nr) * nr * k + (column % nr);
    const row = column * k;
    for (let step = 0; step < k; step++) packed[panel + step * nr] = weights[row + step];
  }
}

/** Packs integers [n, k] into [n / nr, ceil(k / group), nr, group] of the packed array's type. */
export function packGroups(
  weights: Int8Array | Int16Array,
  n: number,
  k: number,
  { nr, group }: { readonly nr: number; readonly group: number },
  packed: Int8Array | Int16Array,
): void {
  const panelSize = nr * Math.ceil(k / group) * group;
  packed.fill(0, k % group === 0 ? Math.floor(n / nr) * panelSize : 0);
  for (let column = 0; column < n; column++) {
    const start = Math.floor(column / nr) * panelSize + (column % nr) * group;
    const row = column * k;
    for (let first = 0; first < k; first += group) {
      const end = Math.min(first + group, k);
      const shift = start + first * nr - first;
      for (let index = first; index < end; index++) packed[shift + index] = weights[row + index];
    }
  }
}

/** Packs int8 [n, k] into int16 [n / nr, ceil(k / 2), nr, 2], two at a time: the first is the lower half of an element. */
export function packPairs(
  weights: Int8Array,
  n: number,
  k: number,
  nr: number,
  packed: Int32Array,
): void {
  const steps = Math.ceil(k / 2);
  packed.fill(0, Math.floor(n / nr) * nr * steps);
  for (let column = 0; column < n; column++) {
    let at = Math.floor(column / nr) * nr * steps + (column % nr);
    const end = (column + 1) * k;
    let index = column * k;
    for (; index + 1 < end; index += 2) {
      packed[at] = (weights[index] & 0xffff) | (weights[index + 1] << 16);
      at += nr;
    }
    if (index < end) packed[at] = weights[index] & 0xffff;
  }
}

/** What is added to 4-bit weights for products of bytes, whose nibbles are then unsigned. */
export const NIBBLE_BIAS = 8;

/**
 * Packs integers from −8 to 7, [n, k], into [n / nr, ceil(k / group), nr / 8, 4 · group] bytes: in every 8 columns the
 * low nibbles are the groups of k of the first four columns, the high nibbles those of the other four. In groups of two
 * nibbles are signed, in groups of four `NIBBLE_BIAS` is added to them.
 */
export function packNibbles(
  weights: Int8Array,
  n: number,
  k: number,
  { nr, group }: { readonly nr: number; readonly group: number },
  packed: Uint8Array,
): void {
  const bias = group === 4 ? NIBBLE_BIAS : 0;
  packed.fill(bias * 17);
  const half = group / 2;
  const panelSize = nr * Math.ceil(k / group) * half;
  for (let column = 0; column < n; column++) {
    const inPanel = column % nr;
    const panel = Math.floor(column / nr) * panelSize;
    const start = panel + Math.floor(inPanel / 8) * 4 * group + (inPanel % 4) * group;
    const shift = inPanel % 8 < 4 ? 0 : 4;
    for (let index = 0; index < k; index++) {
      const inGroup = index % group;
      const at = start + ((index - inGroup) / group) * nr * half + inGroup;
      const nibble = (weights[column * k + index] + bias) & 15;
      packed[at] = (packed[at] & (240 >> shift)) | (nibble << shift);
    }
  }
}

/** Σ over k of each column of integers [n, k]. */
export function columnSums(weights: Int8Array | Int16Array, n: number, k: number): Int32Array {
  const sums = new Int32Array(n);
  for (let column = 0; column < n; column++) {
    let sum = 0;
    for (let index = column * k; index < (column + 1) * k; index++) sum += weights[index];
    sums[column] = sum;
  }
  return sums;
}
