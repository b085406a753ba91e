/**
 * Weights of int8 for dot products of bytes whose sums of two products are int16. With activations up to 255 such a sum
 * fits if the weights of the pair add up to at most 128 in magnitude: 255 · 128 = 32640. Of trained weights most pairs do;
 * for the others a step of four k takes the slower product of int16.
 *
 * Sums of integers do not depend on the order of k, so every panel of columns has two lists of steps: those in which all
 * pairs of all its columns fit, and those with large weights. A panel is
 *
 *   int32[4]      fitting steps, large steps, bytes from the panel to its first weights and to the next panel
 *   int32[steps]  for each step, where its activations begin in a row, in bytes; fitting steps first
 *   int8[fitting, LIST_COLUMNS, 4]
 *   int16[large, 2, LIST_COLUMNS, 2]    of each column w[0], w[2], then of each w[1], w[3]
 *
 * with each part filled up to 16 bytes, and all panels to the size of the largest.
 */
import type { FastFeatures } from "../fast-kernel.ts";
import type { GemmShape } from "./choose.ts";
import { LIST_COLUMNS } from "./variants.ts";

/** The largest sum of the weights of a pair that fits, in magnitude. */
const LARGEST_SUM = 128;
/** k of a step. */
const STEP = 4;
const HEADER_BYTES = 16;
const FITTING_BYTES = LIST_COLUMNS * STEP;
const LARGE_BYTES = 2 * FITTING_BYTES;

export interface PairLists {
  /** Steps with large weights of all panels, as a part of all steps. */
  readonly largeShare: number;
  readonly panelBytes: number;
  readonly byteLength: number;
  /** Which steps have large weights: [panels, steps]. */
  readonly isLarge: Uint8Array;
}

/**
 * The part of steps with large weights above which products of int16 are as fast: a step takes three instructions where it
 * fits, five where it does not, and four there.
 */
const MOST_LARGE = 0.4;

/** Rows below which a product waits for its weights: in lists they take more memory. */
const MIN_ROWS = 8;

/** Weights below which what lists cost beside products, for each tile, is more than they save. */
const MIN_WEIGHTS = 1024;

/** The lists for a product with weights int8[n, k]; undefined where the engine has no use for them, or other products are as fast. */
export function listsFor(
  weights: Int8Array,
  { rows, n, k }: GemmShape,
  { pairs }: Pick<FastFeatures, "pairs">,
): PairLists | undefined {
  if (pairs !== "uint8" || rows < MIN_ROWS || n * k < MIN_WEIGHTS) return undefined;
  const lists = planPairLists(weights, n, k);
  return lists.largeShare <= MOST_LARGE ? lists : undefined;
}

/** Finds the steps with large weights of int8[n, k]. */
export function planPairLists(weights: Int8Array, n: number, k: number): PairLists {
  const steps = Math.ceil(k / STEP);
  const panels = Math.ceil(n / LIST_COLUMNS);
  const isLarge = new Uint8Array(panels * steps);
  for (let column = 0; column < n; column++) {
    markLarge(weights, column * k, k, isLarge, Math.floor(column / LIST_COLUMNS) * steps);
  }
  let [all, most] = [0, 0];
  for (let panel = 0; panel < panels; panel++) {
    const large = countLarge(isLarge, panel, steps);
    all += large;
    most = Math.max(most, large);
  }
  const panelBytes = weightsOffset(steps) + (steps - most) * FITTING_BYTES + most * LARGE_BYTES;
  return {
    largeShare: all / Math.max(isLarge.length, 1),
    panelBytes,
    byteLength: panels * panelBytes,
    isLarge,
  };
}

function markLarge(
  weights: Int8Array,
  start: number,
  k: number,
  isLarge: Uint8Array,
  first: number,
): void {
  for (let index = 0; index + 1 < k; index += 2) {
    const sum = weights[start + index] + weights[start + index + 1];
    if (sum > LARGEST_SUM || sum < -LARGEST_SUM) isLarge[first + (index >> 2)] = 1;
  }
}

function countLarge(isLarge: Uint8Array, panel: number, steps: number): number {
  let count = 0;
  for (let at = panel * steps; at < (panel + 1) * steps; at++) count += isLarge[at];
  return count;
}

/** Bytes from a panel to its weights. */
function weightsOffset(steps: number): number {
  return HEADER_BYTES + Math.ceil(steps / 4) * 16;
}

/** Where lists go, and where in a row each step begins, in bytes; steps follow each other by default. */
interface ListsPlace {
  readonly buffer: ArrayBufferLike;
  readonly address: number;
  readonly offsets?: Int32Array | undefined;
}

/** Writes int8[n, k] as the lists say. */
export function packPairLists(
  weights: Int8Array,
  n: number,
  k: number,
  { isLarge, panelBytes }: PairLists,
  { buffer, address, offsets }: ListsPlace,
): void {
  const steps = Math.ceil(k / STEP);
  for (let panel = 0; panel * LIST_COLUMNS < n; panel++) {
    const at = address + panel * panelBytes;
    const large = countLarge(isLarge, panel, steps);
    const words = new Int32Array(buffer, at, weightsOffset(steps) / 4);
    words.set([steps - large, large, weightsOffset(steps), panelBytes]);
    const columns = { first: panel * LIST_COLUMNS, end: Math.min(n, (panel + 1) * LIST_COLUMNS) };
    let [fittingIndex, largeIndex] = [0, 0];
    const bytes = new Int8Array(buffer, at + weightsOffset(steps), (steps - large) * FITTING_BYTES);
    const largeAt = at + weightsOffset(steps) + bytes.byteLength;
    const pairs = new Int16Array(buffer, largeAt, (large * LARGE_BYTES) / 2);
    for (let step = 0; step < steps; step++) {
      const isLargeStep = isLarge[panel * steps + step] === 1;
      const place = isLargeStep ? steps - large + largeIndex : fittingIndex;
      words[HEADER_BYTES / 4 + place] = offsets?.[step] ?? step * STEP;
      if (isLargeStep) packLarge(weights, k, step, columns, pairs, largeIndex++);
      else packFitting(weights, k, step, columns, bytes, fittingIndex++);
    }
  }
}

interface Columns {
  readonly first: number;
  readonly end: number;
}

function packFitting(
  weights: Int8Array,
  k: number,
  step: number,
  { first, end }: Columns,
  packed: Int8Array,
  index: number,
): void {
  const count = Math.min(STEP, k - step * STEP);
  for (let column = first; column < end; column++) {
    const from = column * k + step * STEP;
    const to = index * FITTING_BYTES + (column - first) * STEP;
    for (let at = 0; at < count; at++) packed[to + at] = weights[from + at];
  }
}

function packLarge(
  weights: Int8Array,
  k: number,
  step: number,
  { first, end }: Columns,
  packed: Int16Array,
  index: number,
): void {
  const count = Math.min(STEP, k - step * STEP);
  for (let column = first; column < end; column++) {
    const from = column * k + step * STEP;
    for (let at = 0; at < count; at++) {
      const half = index * 2 + (at & 1);
      packed[(half * LIST_COLUMNS + (column - first)) * 2 + (at >> 1)] = weights[from + at];
    }
  }
}
