/** Runs the emitted loop of `emit-symmetric.ts` on pieces of ordinary arrays, copied through a memory of its own. */

import { emitSymmetric, GROUP, type SymmetricFunction } from "./emit-symmetric.ts";
import { addTally, type ErrorTally } from "./error-tally.ts";

/** Quantizes values[start, end) with one scale; returns the index up to which it did, a few short of `end`. */
export type FastRun = (
  values: Float32Array,
  start: number,
  end: number,
  scale: number,
  qmax: number,
  out: Int8Array,
  tally: ErrorTally,
) => number;

/** Values per call: small enough for the second-level cache. */
const PIECE = 32 * 1024;
const SUMS = 0;
const VALUES = 64;
const OUT = VALUES + 4 * PIECE;
const PAGE_BYTES = 65536;

/** Compiles the loop; undefined where the engine has no SIMD. */
export function openFastRun(): FastRun | undefined {
  const code = emitSymmetric();
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(code)) return undefined;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((OUT + PIECE) / PAGE_BYTES) });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  const quantize = exports["quantize"] as unknown as SymmetricFunction;
  const sums = new Float64Array(memory.buffer, SUMS, 4);
  const place = new Float32Array(memory.buffer, VALUES, PIECE);
  const result = new Int8Array(memory.buffer, OUT, PIECE);
  return (values, start, end, scale, qmax, out, tally) => {
    const stop = end - ((end - start) % GROUP);
    for (let at = start; at < stop; at += PIECE) {
      const count = Math.min(PIECE, stop - at);
      place.set(values.subarray(at, at + count));
      quantize(VALUES, count, OUT, SUMS, scale, Math.fround(scale), qmax);
      out.set(count === PIECE ? result : result.subarray(0, count), at);
      const [signal = 0, noise = 0, largestError = 0, clipped = 0] = sums;
      addTally(tally, { signal, noise, largestError, clipped });
    }
    return stop;
  };
}
