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

/**
 * The lists for a product with weights int8[n, k]; undefined where the engine has no use for them, or other products are
 * as fast.
 */
export function listsFor(
  weights: Int8Array,
  { rows, n, k }: GemmShape,
  { pairs }: Pick<FastFeatures, "pairs">,
): PairLists | undefined {
  if (pairs !== "uint8" || rows < MIN_ROWS || n * k < MIN_WEIGHTS) return undefined;
  return planPairLists(weights, n, k, MOST_LARGE);
}

/** Finds the steps with large weights of int8[n, k]; undefined where they are more than that part of all. */
export function planPairLists(
  weights: Int8Array,
  n: number,
  k: number,
  mostLarge = 1,
): PairLists | undefined {
  const steps = Math.ceil(k / STEP);
  const panels = Math.ceil(n / LIST_COLUMNS);
  const isLarge = new Uint8Array(panels * steps);
  const quads = quadsOf(weights, n, k);
  let [all, most] = [0, 0];
  for (let panel = 0; panel < panels; panel++) {
    const end = Math.min(n, (panel + 1) * LIST_COLUMNS);
    for (let column = panel * LIST_COLUMNS; column < end; column++) {
      markLarge(quads, column * steps, steps, isLarge, panel * steps);
    }
    const large = countLarge(isLarge, panel, steps);
    all += large;
    most = Math.max(most, large);
    if (all > mostLarge * isLarge.length) return undefined;
  }
  const panelBytes = weightsOffset(steps) + (steps - most) * FITTING_BYTES + most * LARGE_BYTES;
  return {
    largeShare: all / Math.max(isLarge.length, 1),
    panelBytes,
    byteLength: panels * panelBytes,
    isLarge,
  };
}

/**
 * The weights of each step as the bytes of one int32: [n, steps]. Where they lie like that this is a view of them: what is
 * read here is read when a model is opened, by code that no engine has made fast yet.
 */
function quadsOf(weights: Int8Array, n: number, k: number): Int32Array {
  const steps = Math.ceil(k / STEP);
  if (k % STEP === 0 && weights.byteOffset % 4 === 0) {
    return new Int32Array(weights.buffer, weights.byteOffset, n * steps);
  }
  const bytes = new Int8Array(n * steps * STEP);
  for (let column = 0; column < n; column++) {
    bytes.set(weights.subarray(column * k, (column + 1) * k), column * steps * STEP);
  }
  return new Int32Array(bytes.buffer);
}

/** Marks the steps of a column, `start` among the quads, that have a large pair, from element `first` on. */
function markLarge(
  quads: Int32Array,
  start: number,
  steps: number,
  isLarge: Uint8Array,
  first: number,
): void {
  for (let step = 0; step < steps; step++) {
    const quad = quads[start + step];
    const low = ((quad << 24) >> 24) + ((quad << 16) >> 24);
    const high = ((quad << 8) >> 24) + (quad >> 24);
    if (Math.max(low, high) > LARGEST_SUM || Math.min(low, high) < -LARGEST_SUM) {
      isLarge[first + step] = 1;
    }
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

/** Writes int8[n, k] as the lists say, into memory that is zero. */
export function packPairLists(
  weights: Int8Array,
  n: number,
  k: number,
  { isLarge, panelBytes }: PairLists,
  { buffer, address, offsets }: ListsPlace,
): void {
  const steps = Math.ceil(k / STEP);
  const quads = quadsOf(weights, n, k);
  for (let panel = 0; panel * LIST_COLUMNS < n; panel++) {
    const large = countLarge(isLarge, panel, steps);
    const words = new Int32Array(buffer, address + panel * panelBytes, panelBytes / 4);
    words.set([steps - large, large, weightsOffset(steps), panelBytes]);
    const lists = {
      isLarge: isLarge.subarray(panel * steps, (panel + 1) * steps),
      fittingAt: weightsOffset(steps) / 4,
      largeAt: (weightsOffset(steps) + (steps - large) * FITTING_BYTES) / 4,
    };
    packOffsets(words.subarray(HEADER_BYTES / 4), lists.isLarge, steps - large, offsets);
    const end = Math.min(n, (panel + 1) * LIST_COLUMNS);
    for (let column = panel * LIST_COLUMNS; column < end; column++) {
      packColumn(quads, column * steps, words, column % LIST_COLUMNS, lists);
    }
  }
}

/** Writes where steps begin: fitting ones first. */
function packOffsets(
  table: Int32Array,
  isLarge: Uint8Array,
  fitting: number,
  offsets: Int32Array | undefined,
): void {
  let [nextFitting, nextLarge] = [0, fitting];
  for (let step = 0; step < isLarge.length; step++) {
    const place = isLarge[step] === 1 ? nextLarge++ : nextFitting++;
    table[place] = offsets?.[step] ?? step * STEP;
  }
}

/** The lists of a panel: which steps are large, and where among its words the lists begin. */
interface PanelLists {
  readonly isLarge: Uint8Array;
  readonly fittingAt: number;
  readonly largeAt: number;
}

/** Packs a column, `start` among the quads, as the panel's column `column`. */
function packColumn(
  quads: Int32Array,
  start: number,
  words: Int32Array,
  column: number,
  { isLarge, fittingAt, largeAt }: PanelLists,
): void {
  let [fitting, large] = [fittingAt + column, largeAt + column];
  for (let step = 0; step < isLarge.length; step++) {
    const quad = quads[start + step];
    if (isLarge[step] === 1) {
      words[large] = (((quad << 24) >> 24) & 0xffff) | (((quad << 8) >> 24) << 16);
      words[large + LIST_COLUMNS] = (((quad << 16) >> 24) & 0xffff) | ((quad >> 24) << 16);
      large += 2 * LIST_COLUMNS;
    } else {
      words[fitting] = quad;
      fitting += LIST_COLUMNS;
    }
  }
}
