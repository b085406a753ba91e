/**
 * Which tile serves a product. The time of a tile is the work it does, rows and columns beyond the product included,
 * over its speed; speeds are relative, and measured in the running engine where that was asked for (`measure.ts`).
 */
import { assert } from "../../../base/errors.ts";
import type { FastFeatures } from "../fast-kernel.ts";
import {
  canBeFastest,
  type GemmData,
  type GemmFinish,
  type GemmFormat,
  type GemmIsa,
  type GemmVariant,
  gemmVariants,
  hasLists,
  keepsBytes,
  SEVERAL_PANELS,
  serves,
  severalPanels,
  severalRows,
} from "./variants.ts";

/** Sizes of a product. */
export interface GemmShape {
  readonly rows: number;
  readonly n: number;
  readonly k: number;
}

/** Speeds of tiles by isa: GMAC/s in the first-level cache, one x86 core. */
type Speeds = Readonly<Record<GemmIsa, Readonly<Record<string, number>>>>;
const USUAL_SPEEDS: Speeds = {
  simd: {
    "1x8": 16,
    "1x16": 22,
    "1x32": 24,
    "4x8": 23,
    "6x8": 22,
    "3x16": 20,
    "4x16": 17,
    "3x12": 23,
  },
  relaxed: {
    "1x8": 9,
    "1x16": 17,
    "1x32": 20,
    "4x8": 26,
    "6x8": 31,
    "3x16": 21,
    "4x16": 17,
    "3x12": 28,
  },
  dot: { "1x8": 25, "1x16": 45, "1x32": 55, "4x8": 80, "6x8": 95, "3x16": 70, "4x16": 75 },
  pairs: { "1x8": 15, "1x16": 25, "1x32": 25, "4x8": 40, "6x8": 44, "3x16": 36, "4x16": 38 },
};
const USUAL_WIDE_SPEEDS: Speeds = {
  simd: {
    "1x8": 18,
    "1x16": 29,
    "1x32": 32,
    "4x8": 33,
    "6x8": 30,
    "3x16": 39,
    "4x16": 39,
    "6x16": 28,
    "3x12": 25,
  },
  relaxed: {
    "1x8": 9,
    "1x16": 17,
    "1x32": 20,
    "4x8": 33,
    "6x8": 42,
    "3x16": 44,
    "4x16": 52,
    "6x16": 55,
    "3x12": 30,
  },
  dot: {
    "1x8": 30,
    "1x16": 60,
    "1x32": 75,
    "4x8": 105,
    "6x8": 149,
    "3x16": 145,
    "4x16": 172,
    "6x16": 200,
  },
  pairs: { "1x8": 15, "1x16": 25, "1x32": 25, "4x8": 40, "6x8": 44, "3x16": 36, "4x16": 38 },
};

/**
 * Results of a product below which measuring would not pay: some 10 ms per process, which a small model, made of single
 * rows and short sequences, takes a thousand calls to win back.
 */
const MIN_MEASURED = 4096;

/**
 * Rows from which on tiles of several rows are never slower than those of one. With fewer, what a product waits for are its
 * weights, and speeds in the first-level cache say little.
 */
const MIN_ROWS = 4;

/** What a product asks of its tile. */
export interface GemmWishes {
  readonly isa?: GemmIsa;
  readonly finish?: GemmFinish;
}

/**
 * Weights of integers from which on one row waits for memory: what caches near the processor do not hold. Whether several
 * panels are then read at a time is measured: some processors bring four streams much faster than one, others one somewhat
 * faster than four. With fewer weights they are not: what counts is instructions, and there are more where loads are narrow.
 */
const MIN_STREAMED = 2 ** 22;

/** The instruction set that serves a data kind best where `features` are there. */
export function gemmIsa(data: GemmData, features: FastFeatures): GemmIsa {
  if (serves("dot", data) && features.dot !== undefined) return "dot";
  if (data === "qd4" && features.pairs !== undefined) return "pairs";
  return features.relaxed && serves("relaxed", data) ? "relaxed" : "simd";
}

/** What the activations of a product are where they stay bytes; undefined where they do not. */
export function byteActivations(data: GemmData, features: FastFeatures): FastFeatures["dot"] {
  const isa = gemmIsa(data, features);
  return keepsBytes(isa) ? features[isa] : undefined;
}

/** What is measured for a product: tiles of several rows in a cache, or of one row on weights that none holds. */
function measuredSpeeds(
  format: GemmFormat,
  { rows, n, k }: GemmShape,
  { speeds }: FastFeatures,
): ReadonlyMap<string, number> | undefined {
  // What lists cost depends on the weights, and hardly on the tile.
  if (hasLists(format)) return undefined;
  if (rows >= MIN_ROWS) return rows * n >= MIN_MEASURED ? speeds?.(format, "several") : undefined;
  if (rows > 1 || n * k < MIN_STREAMED) return undefined;
  // No way of reading floats was faster than four panels at a time.
  const hasChoice = format.data !== "f32" && SEVERAL_PANELS.includes(format.data);
  return hasChoice ? speeds?.(format, "one") : undefined;
}

/** The fastest tile for a product; of the instruction set that serves the data best, where none is given. */
export function chooseGemm(
  data: GemmData,
  { rows, n, k }: GemmShape,
  features: FastFeatures,
  { isa = gemmIsa(data, features), finish }: GemmWishes = {},
): GemmVariant {
  const usual = (features.wide ? USUAL_WIDE_SPEEDS : USUAL_SPEEDS)[isa];
  const measured = measuredSpeeds({ data, isa }, { rows, n, k }, features);
  const time = ({ mr, nr }: GemmVariant): number => {
    const work = Math.ceil(rows / mr) * mr * Math.ceil(n / nr) * nr;
    const tile = `${mr}x${nr}`;
    return work / (measured?.get(tile) ?? usual[tile] ?? 1);
  };
  const [best] = gemmVariants(data, isa, finish)
    // Measured speeds and usual ones do not compare.
    .filter(({ mr, nr }) => measured?.has(`${mr}x${nr}`) ?? true)
    .map((variant) => ({ variant, time: time(variant) }))
    .filter(({ variant }) => canBeFastest(variant, features.wide ?? false))
    .filter(({ variant }) => rows < MIN_ROWS || severalRows(variant))
    .filter(({ variant }) => data === "f32" || n * k >= MIN_STREAMED || !severalPanels(variant))
    .sort((a, b) => a.time - b.time);
  assert(best !== undefined, `tiles for ${data}`);
  return best.variant;
}
