/** How fast the tiles of one format are in the running engine: short runs of each, in turns. */
import { assert } from "../../../base/errors.ts";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { keptSumsEnd, placeKeptSums } from "../kept-sums.ts";
import { emitGemm, type GemmCommon, gemmStage } from "./emit-gemm.ts";
import { gemmSteps, packedByteLength, stepBytes } from "./pack.ts";
import {
  canBeFastest,
  type GemmFormat,
  type GemmVariant,
  gemmVariants,
  keepsWideSums,
  PLAIN_FINISH,
  severalRows,
} from "./variants.ts";

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Sets of weights, of which each call reads the next. */
  readonly sets: number;
}

/** Several rows, on operands in the first-level cache. Rows are a multiple of every tile's, columns too. */
const SEVERAL_ROWS: Shape = { m: 12, n: 48, k: 192, sets: 1 };
/** One row: bytes of a set of weights. Until it is read again, the others have driven it out of the caches. */
const SET_BYTES = 2 ** 24;

function oneRow(format: GemmFormat): Shape {
  const k = 2048;
  return { m: 1, n: SET_BYTES / (gemmSteps(format, k) * stepBytes(format)), k, sets: 3 };
}

/**
 * Each tile has its turn so often, whatever the time: the first turns are slow, and another process may take all of it.
 * A call on much memory takes as long as many others.
 */
const MIN_ROUNDS = { several: 10, one: 4 };

const PAGE_BYTES = 65536;

/** How tiles are compiled, and how long they are watched. */
export interface TileMeasurement {
  /** Whether that is with 256-bit vectors. */
  readonly wide: boolean;
  /** That of the kernels that the speeds are for. */
  readonly compile: (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module;
  /**
   * Calls on little memory that are timed together: as few as the clock can tell apart, so that some of these moments are
   * undisturbed.
   */
  readonly calls: number;
  /**
   * Milliseconds for all tiles together. Engines that compile functions a second time when they have run for a while need
   * some 30 for that to have happened to all.
   */
  readonly budgetMs: number;
}

/** Whether tiles have one row or several. */
export type TileRows = "one" | "several";

/**
 * Speeds by tile (`4x8`), in GMAC/s: of those with several rows that can be the fastest, or of those with one row, which
 * read one panel of weights or several at a time.
 */
export function measureTiles(
  { data, isa }: GemmFormat,
  rows: TileRows,
  { wide, compile, calls, budgetMs }: TileMeasurement,
): ReadonlyMap<string, number> {
  const finish = { ...PLAIN_FINISH, keepsSums: wide && keepsWideSums(data) };
  const variants = gemmVariants(data, isa, finish)
    .filter((variant) => severalRows(variant) === (rows === "several"))
    .filter((variant) => canBeFastest(variant, wide));
  const shape = rows === "several" ? SEVERAL_ROWS : oneRow({ data, isa });
  const together = rows === "several" ? calls : 1;
  const { exports } = instantiate(variants, compile, shape);
  const best = new Map<string, number>();
  let turn = 0;
  const startedAt = performance.now();
  // In turns, so that a slow moment of the machine does not fall upon one tile alone.
  for (
    let round = 0;
    round < MIN_ROUNDS[rows] || performance.now() - startedAt < budgetMs;
    round++
  ) {
    for (const variant of variants) {
      const elapsed = timed(exports[variant.name], argumentsFor(variant, shape, turn++), together);
      const tile = `${variant.mr}x${variant.nr}`;
      best.set(tile, Math.min(best.get(tile) ?? Infinity, elapsed));
    }
  }
  const work = (shape.m * shape.n * shape.k * together) / 1e6;
  return new Map([...best].map(([tile, elapsed]) => [tile, work / elapsed]));
}

/** The tiles' functions on memory for operands. */
function instantiate(
  variants: readonly GemmVariant[],
  compile: TileMeasurement["compile"],
  shape: Shape,
): WebAssembly.Instance {
  const bytes = Math.max(...variants.map((variant) => layOperands(variant, shape).end));
  const initial = Math.ceil(bytes / PAGE_BYTES);
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial });
  for (const variant of variants) emitGemm(module, variant, { wholeTiles: true });
  const memory = new WebAssembly.Memory({ initial });
  // Pages that nobody has written are one and the same, which is in the first-level cache.
  if (shape.sets > 1) new Uint8Array(memory.buffer).fill(1);
  const instance = new WebAssembly.Instance(compile(module.finish()), { env: { memory } });
  placeKeptSums(instance.exports, 0);
  return instance;
}

function timed(exported: unknown, args: readonly number[], calls: number): number {
  assert(typeof exported === "function", "an exported tile");
  const startedAt = performance.now();
  for (let call = 0; call < calls; call++) exported(...args);
  return performance.now() - startedAt;
}

/** Where operands are. All columns of the stage are where the rows are: values do not matter for the time. */
function layOperands(variant: GemmVariant, { m, n, k, sets }: Shape) {
  const a = keptSumsEnd(1);
  const c = a + Math.max(m * gemmSteps(variant, k), n) * 4;
  const weights = c + m * n * 4;
  const setBytes = packedByteLength(variant, n, k);
  return { a, c, weights, setBytes, end: weights + sets * setBytes };
}

function argumentsFor(variant: GemmVariant, shape: Shape, turn: number): readonly number[] {
  const { params, outputBytes } = gemmStage(variant);
  const { a, c, weights, setBytes } = layOperands(variant, shape);
  const { m, n, k, sets } = shape;
  const steps = gemmSteps(variant, k);
  const set = weights + (turn % sets) * setBytes;
  const common: GemmCommon = [a, steps * 4, set, c, n * outputBytes, m, n, steps];
  return [...common, ...params.map(() => a)];
}
