/**
 * Where lists of calls lie in the memory that threads share. What several threads write has a cache line (64 bytes) of
 * its own, so that nobody's looking slows another's writing.
 *
 *   [0 | job | sleepers … | list 0, list 1 … | records of calls]
 *
 * A job is a row of lists that are worked off one after the other: its generation counts jobs, and everything that
 * changes while a list is worked off carries the generation in its upper half. What carries an older one has its initial
 * value, so nothing is reset between jobs; whoever finds a newer one has come too late and leaves.
 */

const LINE_BYTES = 64;

/** i64: generation, end and first list of the job. */
export const JOB: number = LINE_BYTES;
/** Its upper half. */
export const JOB_GENERATION: number = JOB + 4;
/** i32: 1 when a thread may sleep until the next job. */
export const IDLE_SLEEPERS: number = 2 * LINE_BYTES;
/** i32: threads that may sleep until a list is done. */
export const BARRIER_SLEEPERS: number = 3 * LINE_BYTES;
/** i32: not 0 when a call trapped. */
export const FAILED: number = 4 * LINE_BYTES;
const LISTS = 5 * LINE_BYTES;

/** Fields of a list. The first ones are i32 and stay as they are while a job is on. */
export const FUNCTION = 0;
export const COUNT = 4;
export const RECORDS = 8;
export const RECORD_BYTES = 12;
/** i64: generation, calls that are done. */
export const DONE: number = LINE_BYTES;
/** i64 for each thread: generation, end and first call of those of its share that are left. */
export const SHARES: number = 2 * LINE_BYTES;
/** From one share to the next. */
export const SHARE_BYTES: number = LINE_BYTES;

/** Bits of an end, and of a beginning. */
export const INDEX_BITS = 16;
/** Calls in one list. */
export const MAX_CALLS = 4096;
/** Lists in one job. */
export const MAX_LISTS = 4;

/** What a thread that works off lists returns when it does not return the list that it waits for. */
export const FINISHED: number = -1;
export const IDLE: number = -2;

/** Bytes of a list. */
export function listBytes(threads: number): number {
  return SHARES + threads * SHARE_BYTES;
}

/** Address of list `index`. */
export function listAddress(index: number, threads: number): number {
  return LISTS + index * listBytes(threads);
}
