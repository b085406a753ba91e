/**
 * The worker: instantiates the module on the shared memory and works off lists of calls until it is terminated. It is
 * an entry file, started by `worker-host.ts`; nothing imports it.
 */
import { placeKeptSums } from "../kernels/simd/kept-sums.ts";
import { findClearVectors } from "./clear-vectors.ts";
import { ListWalker } from "./list-walker.ts";
import { type WorkerStart, workerThreads } from "./worker-host.ts";

/** Ends when a call traps, which the calling thread sees. */
function serve({ module, memory, thread, wide, ...work }: WorkerStart): void {
  const env = { memory: memory as WebAssembly.Memory };
  const { exports } = new WebAssembly.Instance(module as WebAssembly.Module, { env });
  placeKeptSums(exports, thread);
  const walker = new ListWalker(work, exports, thread);
  const clearVectors = wide ? findClearVectors() : undefined;
  while (!walker.hasFailed) {
    try {
      const state = walker.work();
      clearVectors?.();
      walker.sleep(state);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    }
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
