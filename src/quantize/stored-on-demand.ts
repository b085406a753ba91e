/**
 * Large int8 weights that are not kept: once their scales are known, the integers are made again, window by window, when
 * the file is written. Reading twice is cheaper than fresh memory for the whole result.
 */
import { bytesOf } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import type { Buffer } from "../model/ir.ts";
import type { FastRun } from "./fast-symmetric.ts";
import { quantizeSymmetric } from "./symmetric.ts";

/** Elements read at a time: 1 MB of floats. */
const PIECE = 1 << 18;
const QMAX = 127;

/**
 * The integers of the float32 data of `floats`, as a buffer. `divisors` are the exact scales: one for the whole, or one
 * for each of as many equal runs.
 */
export function storedOnDemand(
  floats: Buffer,
  divisors: Float64Array,
  fastRun: FastRun | undefined,
): Buffer {
  const { loadInto: loadFloats } = floats;
  assert(loadFloats !== undefined, "data that can be read in parts");
  const byteLength = floats.byteLength / 4;
  const inner = byteLength / divisors.length;
  const piece = new Float32Array(Math.min(PIECE, byteLength));
  const loadInto = async (start: number, target: Uint8Array) => {
    const out = new Int8Array(target.buffer, target.byteOffset, target.length);
    for (let at = 0; at < out.length; at += piece.length) {
      const values = piece.subarray(0, Math.min(piece.length, out.length - at));
      await loadFloats(4 * (start + at), bytesOf(values));
      quantizeFrom(start + at, values, out.subarray(at, at + values.length));
    }
  };
  /** Quantizes elements from number `first` on, each run with its own scale. */
  const quantizeFrom = (first: number, values: Float32Array, out: Int8Array) => {
    for (let at = 0; at < values.length; ) {
      const run = Math.floor((first + at) / inner);
      const end = Math.min(values.length, (run + 1) * inner - first);
      const slices = { outer: 1, slices: 1, inner: end - at };
      const scale = divisors.subarray(run, run + 1);
      quantizeSymmetric(
        values.subarray(at, end),
        slices,
        scale,
        QMAX,
        out.subarray(at, end),
        fastRun,
      );
      at = end;
    }
  };
  const load = async () => {
    const bytes = new Uint8Array(byteLength);
    await loadInto(0, bytes);
    return bytes;
  };
  return { byteLength, load, loadInto };
}
