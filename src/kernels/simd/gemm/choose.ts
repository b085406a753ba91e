/**
 * Which tile serves a product. The time of a tile is the work it does, rows and columns beyond the product included,
 * over its speed; speeds are relative, and measured in the running engine where that was asked for (`measure.ts`).
 */
import { assert } from "../../../base/errors.ts";
import type { FastFeatures } from "../fast-kernel.ts";
import {
  type GemmData,
  type GemmFinish,
  type GemmIsa,
  type GemmVariant,
  gemmVariants,
  severalRows,
} from "./variants.ts";

/** Rows and columns of a product. */
export interface GemmShape {
  readonly rows: number;
  readonly n: number;
}

/** Speeds of tiles by isa, in the order of the tiles in `variants.ts`: GMAC/s in the first-level cache, one x86 core. */
type Speeds = Readonly<Record<GemmIsa, readonly number[]>>;
const USUAL_SPEEDS: Speeds = {
  simd: [16, 22, 23, 22, 20, 17, 23],
  relaxed: [9, 17, 26, 31, 21, 17, 28],
  dot: [25, 45, 80, 95, 70, 75],
  dot4: [15, 25, 40, 44, 36, 38],
};
const USUAL_WIDE_SPEEDS: Speeds = {
  simd: [18, 29, 33, 30, 39, 39, 25],
  relaxed: [9, 17, 33, 42, 44, 52, 30],
  dot: [30, 60, 105, 149, 145, 172],
  dot4: [15, 25, 40, 44, 36, 38],
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

/** The instruction set that serves a data kind best where `features` are there. */
export function gemmIsa(data: GemmData, features: FastFeatures): GemmIsa {
  if (features.dot !== undefined && gemmVariants(data, "dot").length > 0) return "dot";
  if (features.dot4 !== undefined && gemmVariants(data, "dot4").length > 0) return "dot4";
  return features.relaxed && gemmVariants(data, "relaxed").length > 0 ? "relaxed" : "simd";
}

/** What the activations of a product are where they stay bytes; undefined where they do not. */
export function byteActivations(data: GemmData, features: FastFeatures): FastFeatures["dot"] {
  const isa = gemmIsa(data, features);
  return isa === "dot" || isa === "dot4" ? features[isa] : undefined;
}

/** The fastest tile for a product. */
export function chooseGemm(
  data: GemmData,
  { rows, n }: GemmShape,
  features: FastFeatures,
  finish?: GemmFinish,
): GemmVariant {
  const isa = gemmIsa(data, features);
  const usual = (features.wide ? USUAL_WIDE_SPEEDS : USUAL_SPEEDS)[isa];
  const isMeasured = rows >= MIN_ROWS && rows * n >= MIN_MEASURED;
  const measured = isMeasured ? features.speeds?.({ data, isa }) : undefined;
  const time = ({ mr, nr }: GemmVariant, index: number): number => {
    const work = Math.ceil(rows / mr) * mr * Math.ceil(n / nr) * nr;
    return work / (measured?.get(`${mr}x${nr}`) ?? usual[index] ?? 1);
  };
  const [best] = gemmVariants(data, isa, finish)
    .map((variant, index) => ({ variant, time: time(variant, index) }))
    .filter(({ variant }) => rows < MIN_ROWS || severalRows(variant))
    .sort((a, b) => a.time - b.time);
  assert(best !== undefined, `tiles for ${data}`);
  return best.variant;
}
