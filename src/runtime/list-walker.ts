/**
 * One thread's instance of the emitted list walker (`emit-list-walker.ts`), and how it waits: it looks for a short while,
 * then it sleeps.
 */
import {
  BARRIER_SLEEPERS,
  COUNT,
  DONE,
  FAILED,
  FINISHED,
  IDLE,
  IDLE_SLEEPERS,
  JOB_GENERATION,
  listAddress,
} from "./list-layout.ts";
import type { ListRange } from "./shared-lists.ts";
import type { SharedWork } from "./worker-host.ts";

/**
 * How long a thread looks before it goes to sleep: longer than it takes to wake one, and than most gaps between two jobs
 * of a run.
 */
const WATCH_MS = 0.2;
/** Looks between two looks at the clock: some microseconds. */
const LOOKS = 1000;

interface WalkerExports {
  readonly begin: (first: number, end: number, wakes: number) => void;
  readonly work: (thread: number, looks: number) => number;
  readonly generation: WebAssembly.Global;
}

export class ListWalker {
  readonly #thread: number;
  readonly #threads: number;
  readonly #exports: WalkerExports;
  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;

  /** `kernels` are the emitted functions on this thread, which is number `thread`. */
  constructor(shared: SharedWork, kernels: WebAssembly.Exports, thread: number) {
    const lists = shared.lists as WebAssembly.Memory;
    const module = shared.walker as WebAssembly.Module;
    const { exports } = new WebAssembly.Instance(module, { env: { lists }, kernels });
    this.#exports = exports as unknown as WalkerExports;
    this.#thread = thread;
    this.#threads = shared.threads;
    this.#words = new Int32Array(lists.buffer);
    this.#longs = new BigInt64Array(lists.buffer);
  }

  /**
   * Publishes a job: lists that are worked off one after the other. The job before must be done. `wakes`: whether there
   * is enough to do to wake threads that sleep; others take part in any case.
   */
  begin({ first, end }: ListRange, wakes = true): void {
    this.#exports.begin(first, end, wakes ? 1 : 0);
  }

  /**
   * Works until there has been nothing to do for a while, and tells what it waits for: a list by number, `IDLE`, or on the
   * calling thread `FINISHED`.
   *
   * @throws {WebAssembly.RuntimeError} when a call traps; no thread gets to the end of the job then.
   */
  work(): number {
    let state = this.#work(LOOKS);
    let generation = this.#generation;
    let end = performance.now() + WATCH_MS;
    while (state !== FINISHED && performance.now() < end) {
      const [before, jobBefore] = [state, generation];
      state = this.#work(LOOKS);
      generation = this.#generation;
      if (state !== before || generation !== jobBefore) end = performance.now() + WATCH_MS;
    }
    return state;
  }

  /** Whether a call has trapped, on any thread. */
  get hasFailed(): boolean {
    return Atomics.load(this.#words, FAILED / 4) !== 0;
  }

  /** Calls of a list that are done, and the job in which they were: changes while others work. */
  progress(list: number): bigint {
    return Atomics.load(this.#longs, this.#doneIndex(list));
  }

  /** Sleeps until what `work` waits for may have come, at most `milliseconds`. Not for a page's main thread. */
  sleep(state: number, milliseconds: number = Number.POSITIVE_INFINITY): void {
    const words = this.#words;
    if (state === IDLE) {
      Atomics.store(words, IDLE_SLEEPERS / 4, 1);
      Atomics.wait(words, JOB_GENERATION / 4, this.#generation, milliseconds);
      return;
    }
    Atomics.add(words, BARRIER_SLEEPERS / 4, 1);
    const word = this.progress(state);
    if (this.#isOpen(state, word)) {
      Atomics.wait(this.#longs, this.#doneIndex(state), word, milliseconds);
    }
    Atomics.sub(words, BARRIER_SLEEPERS / 4, 1);
  }

  get #generation(): number {
    return this.#exports.generation.value as number;
  }

  #work(looks: number): number {
    try {
      return this.#exports.work(this.#thread, looks);
    } catch (error) {
      Atomics.store(this.#words, FAILED / 4, 1);
      throw error;
    }
  }

  /** Whether calls of a list are left to be done in this thread's job, as the list's word says. */
  #isOpen(list: number, word: bigint): boolean {
    const age = (Number(word >> 32n) - this.#generation) | 0;
    const total = this.#words[(listAddress(list, this.#threads) + COUNT) / 4];
    return age < 0 || (age === 0 && Number(word & 0xffffffffn) !== total);
  }

  #doneIndex(list: number): number {
    return (listAddress(list, this.#threads) + DONE) / 8;
  }
}
