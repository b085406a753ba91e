/** How fast the tiles of one format are in the running engine: short runs of each on operands in the first-level cache. */
import { assert } from "../../../base/errors.ts";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { keptSumsEnd, placeKeptSums } from "../kept-sums.ts";
import { emitGemm, type GemmCommon, gemmStage } from "./emit-gemm.ts";
import { gemmSteps, packedByteLength } from "./pack.ts";
import {
  canBeFastest,
  type GemmFormat,
  type GemmVariant,
  gemmVariants,
  keepsWideSums,
  PLAIN_FINISH,
  severalRows,
} from "./variants.ts";

/** Rows are a multiple of every tile's, columns too. */
const SHAPE = { m: 12, n: 48, k: 192 };
/** Each tile has its turn so often, whatever the time: the first turns are slow, and another process may take all of it. */
const MIN_ROUNDS = 10;

/** How tiles are compiled, and how long they are watched. */
export interface TileMeasurement {
  /** Whether that is with 256-bit vectors. */
  readonly wide: boolean;
  /** That of the kernels that the speeds are for. */
  readonly compile: (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module;
  /** Calls that are timed together: as few as the clock can tell apart, so that some of these moments are undisturbed. */
  readonly calls: number;
  /**
   * Milliseconds for all tiles together. Engines that compile functions a second time when they have run for a while need
   * some 30 for that to have happened to all.
   */
  readonly budgetMs: number;
}

/** Speeds by tile (`4x8`), in GMAC/s, of the tiles with several rows that can be the fastest. */
export function measureTiles(
  { data, isa }: GemmFormat,
  { wide, compile, calls, budgetMs }: TileMeasurement,
): ReadonlyMap<string, number> {
  const finish = { ...PLAIN_FINISH, keepsSums: wide && keepsWideSums(data) };
  const variants = gemmVariants(data, isa, finish)
    .filter(severalRows)
    .filter((variant) => canBeFastest(variant, wide));
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 2 });
  for (const variant of variants) emitGemm(module, variant, { wholeTiles: true });
  const memory = new WebAssembly.Memory({ initial: 2 });
  const { exports } = new WebAssembly.Instance(compile(module.finish()), { env: { memory } });
  placeKeptSums(exports, 0);
  const best = new Map<string, number>();
  const startedAt = performance.now();
  // In turns, so that a slow moment of the machine does not fall upon one tile alone.
  for (let round = 0; round < MIN_ROUNDS || performance.now() - startedAt < budgetMs; round++) {
    for (const variant of variants) {
      const elapsed = timed(exports[variant.name], argumentsFor(variant), calls);
      const tile = `${variant.mr}x${variant.nr}`;
      best.set(tile, Math.min(best.get(tile) ?? Infinity, elapsed));
    }
  }
  const work = (SHAPE.m * SHAPE.n * SHAPE.k * calls) / 1e6;
  return new Map([...best].map(([tile, elapsed]) => [tile, work / elapsed]));
}

function timed(exported: unknown, args: readonly number[], calls: number): number {
  assert(typeof exported === "function", "an exported tile");
  const startedAt = performance.now();
  for (let call = 0; call < calls; call++) exported(...args);
  return performance.now() - startedAt;
}

/** Operands are zeros, wherever they are: values do not matter for the time. */
function argumentsFor(variant: GemmVariant): readonly number[] {
  const { m, n, k } = SHAPE;
  const { params, outputBytes } = gemmStage(variant);
  const steps = gemmSteps(variant, k);
  const a = keptSumsEnd(1);
  const weights = a + m * steps * 4;
  const c = weights + packedByteLength(variant, n, k);
  const common: GemmCommon = [a, steps * 4, weights, c, n * outputBytes, m, n, steps];
  return [...common, ...params.map(() => a)];
}
