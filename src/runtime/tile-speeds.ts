/** Speeds of matrix product tiles, measured once in a process. */
import { measureTiles, type TileRows } from "../kernels/simd/gemm/measure.ts";
import type { GemmFormat } from "../kernels/simd/gemm/variants.ts";
import { findClearVectors } from "./clear-vectors.ts";
import { type Compile, compilePlain, findEagerCompile } from "./compile.ts";

/** For one format where code is final from the start, which is where the clock is fine, too. */
const EAGER = { calls: 2, budgetMs: 1 };
/** Where the engine makes code better as it runs; the clock may be coarse. */
const TIERED = { calls: 20, budgetMs: 30 };

/** What was measured: a property of the engine and the machine, which another interpreter need not measure again. */
const MEASURED = new Map<string, ReadonlyMap<string, number>>();

/** Speeds of the tiles of a format, of one row or of several, by tile, as compiled by `compileWide` or plainly. */
export function tileSpeeds(
  format: GemmFormat,
  rows: TileRows,
  compileWide: Compile | undefined,
): ReadonlyMap<string, number> {
  const key = `${format.data} ${format.isa} ${rows} ${compileWide === undefined ? "plain" : "wide"}`;
  const known = MEASURED.get(key);
  if (known !== undefined) return known;
  const wide = compileWide !== undefined;
  const eager = compileWide ?? findEagerCompile();
  const speeds = measureTiles(
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
