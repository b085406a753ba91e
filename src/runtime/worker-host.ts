/**
 * How to start a worker here, found by looking for what is needed: `Worker` where the web's exists, else Node's
 * worker_threads. The worker itself is `kernel-worker.ts`, a file of its own in either case.
 */

/**
 * What threads share; it can be posted to a worker. Types of WebAssembly are not named, for programs without the web's
 * types, as those for Node are, would not compile against them.
 */
export interface SharedWork {
  /** A `WebAssembly.Module`: the list walker. */
  readonly walker: object;
  /** A `WebAssembly.Memory`: the lists. */
  readonly lists: object;
  readonly threads: number;
}

/** What a worker needs to run emitted kernels. */
export interface WorkerStart extends SharedWork {
  /** A `WebAssembly.Module`. */
  readonly module: object;
  /** A shared `WebAssembly.Memory`. */
  readonly memory: object;
  /** Its number; the calling thread is number 0. */
  readonly thread: number;
  /** Whether the module is 256-bit code, after which vectors must be cleared. */
  readonly wide: boolean;
}

/** A worker that has been started. */
export interface WorkerHandle {
  /** Resolves when it takes calls, or has died. Absent where it starts whatever the calling thread does meanwhile. */
  readonly started?: Promise<void>;
  terminate(): void;
}

/** Starts a worker; `onDeath` is called when it ends in any other way than by `terminate`. */
export type WorkerHost = (start: WorkerStart, onDeath: (reason: unknown) => void) => WorkerHandle;

/** The little of the web's `Worker` that is needed here. */
export interface WebWorker {
  addEventListener(
    type: "message" | "error" | "messageerror",
    listener: (event: object) => void,
  ): void;
  postMessage(message: unknown): void;
  terminate(): void;
}

/** The little of Node that is needed here. */
interface NodeWorker {
  on(event: "error" | "exit", listener: (value: unknown) => void): void;
  unref(): void;
  terminate(): Promise<number>;
}

interface WorkerThreads {
  readonly Worker: new (
    file: URL,
    options: { readonly workerData: WorkerStart; readonly execArgv: readonly string[] },
  ) => NodeWorker;
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

/** Whether memory can be shared with workers: in pages, only under cross-origin isolation. */
export function canShareMemory(): boolean {
  const { crossOriginIsolated } = globalThis as { readonly crossOriginIsolated?: boolean };
  return typeof SharedArrayBuffer === "function" && crossOriginIsolated !== false;
}

/** The host's way to start workers on shared memory; undefined where there is none. */
export function findWorkerHost(): WorkerHost | undefined {
  if (!canShareMemory()) return undefined;
  if (typeof Worker === "function") return webWorkerHost(createKernelWorker);
  const threads = workerThreads();
  return threads === undefined
    ? undefined
    : (start, onDeath) => startNodeWorker(threads, start, onDeath);
}

/**
 * Starts web workers that the caller makes: for pages whose bundler wants to see the worker's address in the page's
 * own source. The worker's script is `octavo/kernel-worker`.
 *
 * @example
 * const create = () => new Worker(new URL("./octavo-worker.js", import.meta.url), { type: "module" });
 * await Interpreter.create("model.tflite", { threads: 2, workerHost: webWorkerHost(create) });
 */
export function webWorkerHost(create: () => WebWorker): WorkerHost {
  return (start, onDeath) => {
    const worker = create();
    const started = new Promise<void>((resolve) => {
      const die = (reason: string): void => {
        onDeath(new Error(reason));
        resolve();
      };
      worker.addEventListener("message", () => resolve()); // the worker's only message
      worker.addEventListener("error", (event) => {
        const { message } = event as { readonly message?: unknown };
        const isText = typeof message === "string" && message !== "";
        die(isText ? message : "the worker's script could not be loaded");
      });
      worker.addEventListener("messageerror", () => {
        die("the worker could not receive the shared memory");
      });
    });
    worker.postMessage(start);
    return { started, terminate: () => worker.terminate() };
  };
}

/** In one expression, which is how bundlers find the worker's file. */
function createKernelWorker(): WebWorker {
  return new Worker(new URL("./kernel-worker.js", import.meta.url), { type: "module" });
}

function startNodeWorker(
  { Worker: NodeWorkerClass }: WorkerThreads,
  start: WorkerStart,
  onDeath: (reason: unknown) => void,
): WorkerHandle {
  const file = new URL("./kernel-worker.js", import.meta.url);
  // The process's own flags may be ones that a worker refuses: --input-type, --eval.
  const worker = new NodeWorkerClass(file, { workerData: start, execArgv: [] });
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
