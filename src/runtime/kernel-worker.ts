/**
 * The worker: instantiates the module on the shared memory and works off lists of calls until it is terminated. It is
 * an entry file, started by `worker-host.ts`; nothing imports it.
 */
import { CallQueue, type RunCall } from "./call-queue.ts";
import { findClearVectors } from "./clear-vectors.ts";
import { type WorkerStart, workerThreads } from "./worker-host.ts";

function serve({ module, memory, queue, functions, wide }: WorkerStart): void {
  const env = { memory: memory as WebAssembly.Memory };
  const { exports } = new WebAssembly.Instance(module as WebAssembly.Module, { env });
  const calls = functions.map((name) => exports[name] as (...args: number[]) => void);
  const clearVectors = wide ? findClearVectors() : undefined;
  const run: RunCall = (fn, args) => {
    calls[fn]?.(...args);
    clearVectors?.();
  };
  const shared = new CallQueue(queue);
  for (;;) {
    shared.work(run, "back");
    shared.waitForCalls();
  }
}

/** The web's workers tell that they have started. */
function serveOnMessage({ data }: MessageEvent<WorkerStart>): void {
  postMessage("started");
  serve(data);
}

const threads = workerThreads();
if (threads?.workerData) serve(threads.workerData as WorkerStart);
else globalThis.addEventListener("message", serveOnMessage, { once: true });
