/**
 * How to start a worker here, found by looking for what is needed: `Worker` where the web's exists, else Node's
 * worker_threads. The worker itself is `kernel-worker.ts`, a file of its own in either case.
 */
import type { SharedQueue } from "./call-queue.ts";

/** What a worker needs to run emitted kernels. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly queue: SharedQueue;
  /** Exported functions by number, as the queue names them. */
  readonly functions: readonly string[];
}

export interface WorkerHandle {
  terminate(): void;
}

/** Starts a worker; `onDeath` is called when it ends in any other way than by `terminate`. */
export type WorkerHost = (start: WorkerStart, onDeath: (reason: unknown) => void) => WorkerHandle;

/** The little of Node that is needed here. */
interface NodeWorker {
  on(event: "error" | "exit", listener: (value: unknown) => void): void;
  unref(): void;
  terminate(): Promise<number>;
}

interface WorkerThreads {
  readonly Worker: new (file: URL, options: { readonly workerData: WorkerStart }) => NodeWorker;
  readonly workerData: unknown;
}

interface BuiltinModules {
  getBuiltinModule?(name: "node:worker_threads"): WorkerThreads | undefined;
}

/** Node's worker_threads, where they exist. */
export function workerThreads(): WorkerThreads | undefined {
  const { process } = globalThis as { readonly process?: BuiltinModules };
  return process?.getBuiltinModule?.("node:worker_threads");
}

/** The host's way to start workers on shared memory; undefined where there is none. */
export function findWorkerHost(): WorkerHost | undefined {
  if (typeof SharedArrayBuffer !== "function") return undefined;
  if (typeof Worker === "function") return startWebWorker;
  const threads = workerThreads();
  return threads === undefined
    ? undefined
    : (start, onDeath) => startNodeWorker(threads, start, onDeath);
}

function startWebWorker(start: WorkerStart, onDeath: (reason: unknown) => void): WorkerHandle {
  const worker = new Worker(new URL("./kernel-worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("error", onDeath);
  worker.postMessage(start);
  return worker;
}

function startNodeWorker(
  { Worker: NodeWorkerClass }: WorkerThreads,
  start: WorkerStart,
  onDeath: (reason: unknown) => void,
): WorkerHandle {
  const file = new URL("./kernel-worker.js", import.meta.url);
  const worker = new NodeWorkerClass(file, { workerData: start });
  let isEnding = false;
  worker.on("error", onDeath);
  worker.on("exit", (code) => {
    if (!isEnding) onDeath(new Error(`exit code ${String(code)}`));
  });
  worker.unref();
  return {
    terminate() {
      isEnding = true;
      void worker.terminate();
    },
  };
}
