/**
 * Workers that have been asked for and have not started yet. A page starts them between two tasks of its main thread: an
 * application that calls `invoke` again and again without a pause would never let them, so calls wait for them once.
 */
import type { FastChoice } from "./linear-memory.ts";

/** How long to wait. Without the workers the calling thread does their part, so that nothing but time is lost. */
const PATIENCE_MS = 10_000;

export class StartingWorkers {
  #starts: Promise<void>[] = [];

  /** The choice with a host that tells of each worker it starts. */
  watch(choice: FastChoice): FastChoice {
    if (choice.workers === undefined) return choice;
    const { host } = choice.workers;
    return {
      ...choice,
      workers: {
        ...choice.workers,
        host: (start, onDeath) => {
          const worker = host(start, onDeath);
          if (worker.started !== undefined) this.#starts.push(worker.started);
          return worker;
        },
      },
    };
  }

  /** When all have started, have died, or have had time enough; undefined where none is awaited. */
  settled(): Promise<unknown> | undefined {
    if (this.#starts.length === 0) return undefined;
    const all = Promise.all(this.#starts);
    this.#starts = [];
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MS);
      void all.then(() => {
        clearTimeout(timer);
        resolve(undefined);
      });
    });
  }
}
