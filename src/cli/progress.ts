/**
 * A progress bar on standard error for work that takes longer than a second. Nothing is drawn, and the drawing library
 * is not even loaded, for shorter work or where standard error is not a terminal.
 */
import type { SingleBar } from "cli-progress";

const DELAY_MS = 1000;

export interface Progress {
  /** Tells how far the work is; the first call after a second draws the bar. */
  update(done: number, total: number): void;
  /** Removes the bar. */
  stop(): void;
}

const SILENT: Progress = { update: () => undefined, stop: () => undefined };

/** Starts to track one piece of work. `label` says what is done, in a few words. */
export function trackProgress(label: string, stderr: NodeJS.WriteStream): Progress {
  if (!stderr.isTTY) return SILENT;
  const startedAt = performance.now();
  let bar: SingleBar | undefined;
  let state: "waiting" | "loading" | "drawing" | "stopped" = "waiting";
  let last = { done: 0, total: 1 };

  async function draw(): Promise<void> {
    const { default: library } = await import("cli-progress");
    if (state === "stopped") return;
    const format = `${label} {bar} {percentage} %`;
    bar = new library.SingleBar(
      { format, stream: stderr, clearOnComplete: true, hideCursor: null },
      library.Presets.shades_classic,
    );
    bar.start(last.total, last.done);
    state = "drawing";
  }

  return {
    update(done, total) {
      last = { done, total };
      if (state === "waiting" && performance.now() - startedAt > DELAY_MS) {
        state = "loading";
        void draw();
      }
      bar?.setTotal(total);
      bar?.update(done);
    },
    stop() {
      state = "stopped";
      bar?.stop();
    },
  };
}
