/**
 * How two broadcast operands are walked: rows along which each operand either advances by one element or stands still,
 * several rows to a call. Counts, offsets and strides are in elements.
 */
import type { Shape } from "../../../base/shape.ts";
import { forEachRow, planBroadcast } from "../../reference/broadcast.ts";

/** Which operand stands still along a row. */
export type Repeated = "none" | "a" | "b";

/** One call: `rows` rows of `count` results each, which follow each other. */
export interface PairCall {
  readonly a: number;
  readonly b: number;
  readonly out: number;
  readonly count: number;
  readonly rows: number;
}

export interface PairRows {
  readonly repeated: Repeated;
  /** What each operand moves on by from row to row. */
  readonly strides: readonly [a: number, b: number];
  readonly calls: readonly PairCall[];
}

/** Calls for one operator; more are left to the reference. */
const MAX_CALLS = 65536;
/** Results that are worth another call on another thread. */
const SHARE = 8192;

/** Plans the walk; undefined where it would take too many calls. */
export function planPairRows(out: Shape, a: Shape, b: Shape): PairRows | undefined {
  const plan = planBroadcast(out, [a, b]);
  const { rowLength: count, steps, outer } = plan;
  const rows = outer.at(-1)?.size ?? 1;
  const [aStride = 0, bStride = 0] = outer.at(-1)?.strides ?? [];
  const repeated = steps[0] === 0 && count > 1 ? "a" : steps[1] === 0 && count > 1 ? "b" : "none";
  if (plan.rows / rows > MAX_CALLS) return undefined;
  const calls: PairCall[] = [];
  const groups = { ...plan, rows: plan.rows / rows, rowLength: count * rows };
  forEachRow({ ...groups, outer: outer.slice(0, -1) }, (start, [startA, startB]) => {
    calls.push({ a: startA, b: startB, out: start, count, rows });
  });
  return { repeated, strides: [aStride, bStride], calls };
}

/** The same walk in pieces that several threads can share. */
export function sharedCalls({ repeated, strides, calls }: PairRows, threads: number): PairCall[] {
  const pieces = Math.ceil((2 * threads) / Math.max(calls.length, 1));
  return calls.flatMap((call) => {
    const { a, b, out, count, rows } = call;
    if (threads === 1 || pieces === 1 || count * rows < 2 * SHARE) return [call];
    const parts: PairCall[] = [];
    if (rows > 1) {
      const size = Math.max(Math.ceil(rows / pieces), Math.ceil(SHARE / count));
      for (let row = 0; row < rows; row += size) {
        const [fromA, fromB] = [a + row * strides[0], b + row * strides[1]];
        const own = { a: fromA, b: fromB, out: out + row * count, count };
        parts.push({ ...own, rows: Math.min(size, rows - row) });
      }
      return parts;
    }
    const size = Math.max(Math.ceil(count / pieces / 64) * 64, SHARE);
    for (let at = 0; at < count; at += size) {
      const [fromA, fromB] = [repeated === "a" ? a : a + at, repeated === "b" ? b : b + at];
      parts.push({ a: fromA, b: fromB, out: out + at, count: Math.min(size, count - at), rows });
    }
    return parts;
  });
}
