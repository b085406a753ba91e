/** Speeds of matrix product tiles, measured once in a process. */
import { measureTiles } from "../kernels/simd/gemm/measure.ts";
import type { GemmFormat } from "../kernels/simd/gemm/variants.ts";
import { findClearVectors } from "./clear-vectors.ts";
import { type Compile, compilePlain, findEagerCompile } from "./compile.ts";

/** Time for one format where code is final from the start, and where the engine makes it better as it runs. */
const EAGER_BUDGET_MS = 4;
const TIERED_BUDGET_MS = 30;

/** What was measured: a property of the engine and the machine, which another interpreter need not measure again. */
const MEASURED = new Map<string, ReadonlyMap<string, number>>();

/** Speeds of all tiles of a format, by tile, as compiled by `compileWide` or plainly. */
export function tileSpeeds(
  format: GemmFormat,
  compileWide: Compile | undefined,
): ReadonlyMap<string, number> {
  const key = `${format.data} ${format.isa} ${compileWide === undefined ? "plain" : "wide"}`;
  const known = MEASURED.get(key);
  if (known !== undefined) return known;
  const eager = compileWide ?? findEagerCompile();
  const measurement =
    eager === undefined
      ? { compile: compilePlain, budgetMs: TIERED_BUDGET_MS }
      : { compile: eager, budgetMs: EAGER_BUDGET_MS };
  const speeds = measureTiles(format, measurement);
  if (compileWide !== undefined) findClearVectors()?.();
  MEASURED.set(key, speeds);
  return speeds;
}
