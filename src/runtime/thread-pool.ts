/**
 * Worker threads that share the work of one session's emitted kernels. The calling thread takes its part of every list
 * of calls; if no worker comes in time it simply does all of it, so a pool never makes a result wait for a thread to
 * start.
 */
import { ExecutionError } from "../base/errors.ts";
import type { CallList } from "../kernels/simd/fast-kernel.ts";
import { type CalledFunction, emitListWalker } from "./emit-list-walker.ts";
import { FINISHED } from "./list-layout.ts";
import { ListWalker } from "./list-walker.ts";
import { listPages, SharedLists } from "./shared-lists.ts";
import type { WorkerHandle, WorkerHost } from "./worker-host.ts";

/** A call that a worker has taken and does not finish within this time will not be finished. */
const PATIENCE_MS = 30_000;
/** Waiting is cut into pieces of this length. */
const WAIT_MS = 100;

export interface PoolStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Functions that may be called. */
  readonly functions: readonly CalledFunction[];
  /** Whether the module is 256-bit code. */
  readonly wide: boolean;
}

export class ThreadPool {
  readonly #lists: SharedLists;
  readonly #walker: ListWalker;
  readonly #canWait = probeWait();
  readonly #workers: readonly WorkerHandle[];
  #death: { readonly reason: unknown } | undefined;

  /** Starts `workerCount` workers. `exports` are the functions on the calling thread. */
  constructor(
    host: WorkerHost,
    workerCount: number,
    { functions, ...start }: PoolStart,
    exports: WebAssembly.Exports,
  ) {
    const threads = workerCount + 1;
    this.#lists = new SharedLists(functions, threads);
    const walker = new WebAssembly.Module(emitListWalker(functions, threads, listPages(threads)));
    const work = { walker, lists: this.#lists.memory, threads };
    this.#walker = new ListWalker(work, exports, 0);
    this.#workers = Array.from({ length: workerCount }, (_, index) =>
      host({ ...start, ...work, thread: index + 1 }, (reason) => {
        this.#death ??= { reason };
      }),
    );
  }

  /** Threads that work, the calling one included. */
  get threads(): number {
    return this.#workers.length + 1;
  }

  /**
   * Makes all calls of a list, in any order, on any thread, and then those of the next; returns when all are done.
   * `wakes`: whether threads that sleep are woken for it.
   *
   * @throws {ExecutionError} when a worker has died or a call trapped.
   */
  run(lists: readonly CallList[], wakes: boolean): void {
    if (lists.some(({ calls }) => calls.length === 0)) {
      // Nobody would tell that such a list is done.
      this.run(
        lists.filter(({ calls }) => calls.length > 0),
        wakes,
      );
    } else if (this.#lists.fits(lists)) {
      this.#job(lists, wakes);
    } else {
      for (const list of lists) this.#jobs(list, wakes);
    }
  }

  dispose(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  /** A list of any length. */
  #jobs({ name, calls }: CallList, wakes: boolean): void {
    const most = this.#lists.mostCalls(name);
    for (let start = 0; start < calls.length; start += most) {
      this.#job([{ name, calls: calls.slice(start, start + most) }], wakes);
    }
  }

  #job(lists: readonly CallList[], wakes: boolean): void {
    this.#requireAlive();
    this.#walker.begin(this.#lists.pass(lists), wakes);
    let seen: bigint | undefined;
    let since = performance.now();
    for (;;) {
      const state = this.#advance();
      if (state === FINISHED) return;
      const progress = this.#walker.progress(state);
      if (progress !== seen) [seen, since] = [progress, performance.now()];
      else if (performance.now() - since > PATIENCE_MS) {
        this.#death ??= { reason: `no answer within ${PATIENCE_MS / 1000} s` };
      }
      this.#requireAlive();
      if (this.#canWait) this.#walker.sleep(state, WAIT_MS);
    }
  }

  #advance(): number {
    try {
      return this.#walker.work();
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) throw this.#trapped(error);
      throw error;
    }
  }

  #requireAlive(): void {
    if (this.#walker.hasFailed) throw this.#trapped();
    if (this.#death !== undefined)
      throw this.#failure("a worker thread that died", this.#death.reason);
  }

  #trapped(cause?: unknown): ExecutionError {
    return this.#failure("a trap in an emitted kernel", cause);
  }

  #failure(found: string, cause?: unknown): ExecutionError {
    return new ExecutionError({
      where: "threads",
      found,
      expected: `${this.threads} threads that answer`,
      remedy: "Dispose of the interpreter and create another, with threads 1 if it happens again",
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** A page's main thread must not block, and says so; it looks again and again instead. */
function probeWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
