/**
 * A list of calls of one emitted function, in shared memory, that several threads work off together. A ticket holds the
 * first call that is left, the end of those that are left, and the number of the list: a thread takes a call by moving one
 * of them, and a thread that comes late takes nothing. All calls of a list are done before the next is published, and the
 * ticket is written last: whoever looks meanwhile sees a list with nothing left.
 *
 * The calling thread takes from the front and workers from the back. So from list to list each works on the same part of
 * the activations, which then are in its own cache.
 */
import { assert } from "../base/errors.ts";

/** The two shared blocks; they can be posted to a worker. */
export interface SharedQueue {
  readonly control: SharedArrayBuffer;
  readonly args: SharedArrayBuffer;
}

/** Calls in one list; longer lists are worked off in parts. */
export const MAX_CALLS = 4096;
/** Arguments of one call. */
const MAX_ARGS = 24;

/**
 * How long a thread looks at the shared memory before it goes to sleep: longer than it takes to wake one, and than most
 * gaps between two lists of a run. Time, not a count: engines differ by ten times in how long a look takes.
 */
const WATCH_MS = 0.2;
/** Looks between two looks at the clock. */
const LOOKS = 50;

/** Slots of the control block. */
const TICKET = 0;
const TOTAL = 1;
const DONE = 2;
const FUNCTION = 3;
const ARGS_PER_CALL = 4;
const FAILED = 5;
const SLOTS = 6;

/** Bits of the ticket: from the lowest on the end, the first call, and what is left of them for the number of the list. */
const INDEX_BITS = 13;
const INDEX_MASK = (1 << INDEX_BITS) - 1;

const endOf = (ticket: number): number => ticket & INDEX_MASK;
const firstOf = (ticket: number): number => (ticket >>> INDEX_BITS) & INDEX_MASK;
const isEmpty = (ticket: number): boolean => firstOf(ticket) >= endOf(ticket);

/** Runs call `args` of function number `fn`. */
export type RunCall = (fn: number, args: readonly number[]) => void;

export class CallQueue {
  readonly shared: SharedQueue;
  readonly #control: Int32Array;
  readonly #args: Float64Array;

  constructor(shared: SharedQueue = allocateQueue()) {
    this.shared = shared;
    this.#control = new Int32Array(shared.control);
    this.#args = new Float64Array(shared.args);
  }

  /** Publishes a list of calls of function number `fn`; the list before must be done. */
  publish(fn: number, calls: readonly (readonly number[])[]): void {
    const argCount = calls[0]?.length ?? 0;
    assert(
      calls.length <= MAX_CALLS && argCount <= MAX_ARGS,
      "a list of calls that fits the queue",
    );
    for (const [index, args] of calls.entries()) this.#args.set(args, index * MAX_ARGS);
    const control = this.#control;
    Atomics.store(control, TOTAL, calls.length);
    Atomics.store(control, DONE, 0);
    Atomics.store(control, FUNCTION, fn);
    Atomics.store(control, ARGS_PER_CALL, argCount);
    const list = (Atomics.load(control, TICKET) >>> (2 * INDEX_BITS)) + 1;
    Atomics.store(control, TICKET, (list << (2 * INDEX_BITS)) | calls.length);
    Atomics.notify(control, TICKET);
  }

  /**
   * Takes and runs calls until none is left, from the front or the back of the list. A call that throws counts as done,
   * and marks the list as failed.
   */
  work(run: RunCall, from: "front" | "back" = "front"): void {
    const control = this.#control;
    for (;;) {
      const ticket = Atomics.load(control, TICKET);
      if (isEmpty(ticket)) return;
      const taken = from === "front" ? ticket + (1 << INDEX_BITS) : ticket - 1;
      if (Atomics.compareExchange(control, TICKET, ticket, taken) !== ticket) continue;
      const start = (from === "front" ? firstOf(ticket) : endOf(ticket) - 1) * MAX_ARGS;
      const count = Atomics.load(control, ARGS_PER_CALL);
      const args = Array.from(this.#args.subarray(start, start + count));
      try {
        run(Atomics.load(control, FUNCTION), args);
      } catch (error) {
        Atomics.store(control, FAILED, 1);
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      } finally {
        const done = Atomics.add(control, DONE, 1) + 1;
        if (done >= Atomics.load(control, TOTAL)) Atomics.notify(control, DONE);
      }
    }
  }

  /** Calls that are done. */
  get done(): number {
    return Atomics.load(this.#control, DONE);
  }

  get isFinished(): boolean {
    return this.done >= Atomics.load(this.#control, TOTAL);
  }

  get hasFailed(): boolean {
    return Atomics.load(this.#control, FAILED) !== 0;
  }

  /** Looks again and again until all calls are done, for a short while; tells whether they are. */
  watchForEnd(): boolean {
    return watch(() => this.isFinished);
  }

  /** Waits until all calls are done, if more than `done` are not done now, or for `milliseconds`. Not for a page's main thread. */
  waitForProgress(done: number, milliseconds: number): void {
    Atomics.wait(this.#control, DONE, done, milliseconds);
  }

  /** Waits until there is a list with calls to take: looks for a short while, then sleeps. */
  waitForCalls(): void {
    const control = this.#control;
    if (watch(() => !isEmpty(Atomics.load(control, TICKET)))) return;
    const ticket = Atomics.load(control, TICKET);
    if (isEmpty(ticket)) Atomics.wait(control, TICKET, ticket);
  }
}

/** Looks again and again for a short while; tells whether what it looks for came. */
function watch(hasCome: () => boolean): boolean {
  const end = performance.now() + WATCH_MS;
  do {
    for (let look = 0; look < LOOKS; look++) if (hasCome()) return true;
  } while (performance.now() < end);
  return hasCome();
}

function allocateQueue(): SharedQueue {
  return {
    control: new SharedArrayBuffer(SLOTS * 4),
    args: new SharedArrayBuffer(MAX_CALLS * MAX_ARGS * 8),
  };
}
