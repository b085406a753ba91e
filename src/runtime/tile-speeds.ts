/** Speeds of matrix product tiles, measured once in a process. */
import { measureTiles } from "../kernels/simd/gemm/measure.ts";
import type { GemmFormat } from "../kernels/simd/gemm/variants.ts";
import { type Compile, findEagerCompile } from "./compile.ts";

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
  const speeds = measureTiles(format, compileWide ?? findEagerCompile());
  MEASURED.set(key, speeds);
  return speeds;
}
