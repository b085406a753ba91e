/** Speeds of matrix product tiles, measured once in a process. */
import { measureTiles, type TileMeasurement, type TileRows } from "../kernels/simd/gemm/measure.ts";
import type { GemmFormat } from "../kernels/simd/gemm/variants.ts";
import { findClearVectors } from "./clear-vectors.ts";
import { type Compile, compilePlain, findEagerCompile } from "./compile.ts";

/** For one format where code is final from the start, which is where the clock is fine, too. */
const EAGER = { calls: 2, budgetMs: 1 };
/** Where the engine makes code better as it runs; the clock may be coarse. */
const TIERED = { calls: 20, budgetMs: 30 };

/** What was measured: a property of the engine and the machine, which another interpreter need not measure again. */
const MEASURED = new Map<string, ReadonlyMap<string, number> | undefined>();

/**
 * Speeds of the tiles of a format, of one row or of several, by tile, as compiled by `compileWide` or plainly; undefined
 * where there is no memory to measure them on.
 */
export function tileSpeeds(
  format: GemmFormat,
  rows: TileRows,
  compileWide: Compile | undefined,
): ReadonlyMap<string, number> | undefined {
  const key = `${format.data} ${format.isa} ${rows} ${compileWide === undefined ? "plain" : "wide"}`;
  if (MEASURED.has(key)) return MEASURED.get(key);
  const wide = compileWide !== undefined;
  const eager = compileWide ?? findEagerCompile();
  const speeds = measured(
    format,
    rows,
    eager === undefined
      ? { wide, compile: compilePlain, ...TIERED }
      : { wide, compile: eager, ...EAGER },
  );
  if (compileWide !== undefined) findClearVectors()?.();
  MEASURED.set(key, speeds);
  return speeds;
}

/** An engine that has no memory left may still have the little that a small model takes. */
function measured(
  ...request: readonly [format: GemmFormat, rows: TileRows, how: TileMeasurement]
): ReadonlyMap<string, number> | undefined {
  try {
    return measureTiles(...request);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
