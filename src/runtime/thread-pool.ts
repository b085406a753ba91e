/**
 * Worker threads that share the work of one session's emitted kernels. The calling thread takes its part of every list
 * of calls; if no worker comes in time it simply does all of it, so a pool never makes a result wait for a thread to
 * start.
 */
import { ExecutionError } from "../base/errors.ts";
import { CallQueue, MAX_CALLS, type RunCall } from "./call-queue.ts";
import type { WorkerHandle, WorkerHost } from "./worker-host.ts";

/** A call that a worker has taken and does not finish within this time will not be finished. */
const PATIENCE_MS = 30_000;
/** Waiting is cut into pieces of this length. */
const WAIT_MS = 100;

export interface PoolStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Functions that may be called, in the order of their numbers. */
  readonly functions: readonly string[];
  /** Whether the module is 256-bit code. */
  readonly wide: boolean;
}

export class ThreadPool {
  readonly #queue = new CallQueue();
  readonly #canWait = probeWait();
  readonly #workers: readonly WorkerHandle[];
  readonly #run: RunCall;
  readonly #numbers: ReadonlyMap<string, number>;
  #death: { readonly reason: unknown } | undefined;

  /** Starts `workerCount` workers. `exports` are the functions on the calling thread. */
  constructor(
    host: WorkerHost,
    workerCount: number,
    start: PoolStart,
    exports: WebAssembly.Exports,
  ) {
    const calls = start.functions.map((name) => exports[name] as (...args: number[]) => void);
    this.#numbers = new Map(start.functions.map((name, index) => [name, index]));
    this.#run = (fn, args) => calls[fn]?.(...args);
    const message = { ...start, queue: this.#queue.shared };
    this.#workers = Array.from({ length: workerCount }, () =>
      host(message, (reason) => {
        this.#death ??= { reason };
      }),
    );
  }

  /** Threads that work, the calling one included. */
  get threads(): number {
    return this.#workers.length + 1;
  }

  /**
   * Makes all `calls` of the function, in any order, on any thread; returns when all are done.
   *
   * @throws {ExecutionError} when a worker has died or a call trapped.
   */
  run(name: string, calls: readonly (readonly number[])[]): void {
    const fn = this.#numbers.get(name) ?? -1;
    for (let start = 0; start < calls.length; start += MAX_CALLS) {
      this.#requireAlive();
      this.#queue.publish(fn, calls.slice(start, start + MAX_CALLS));
      this.#queue.work(this.#run);
      this.#waitForOthers();
      if (this.#queue.hasFailed) throw this.#failure("a trap in an emitted kernel");
    }
  }

  dispose(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #waitForOthers(): void {
    if (this.#queue.watchForEnd()) return;
    let [done, since] = [this.#queue.done, performance.now()];
    while (!this.#queue.isFinished) {
      if (this.#canWait) this.#queue.waitForProgress(done, WAIT_MS);
      const now = this.#queue.done;
      if (now !== done) [done, since] = [now, performance.now()];
      else if (performance.now() - since > PATIENCE_MS) {
        this.#death ??= { reason: `no answer within ${PATIENCE_MS / 1000} s` };
        this.#requireAlive();
      }
    }
  }

  #requireAlive(): void {
    if (this.#death !== undefined)
      throw this.#failure("a worker thread that died", this.#death.reason);
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

/** A page's main thread must not block, and says so; it watches the counter instead. */
function probeWait(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
