import { describe, expect, it, vi } from "vitest";
import type { FastChoice } from "./linear-memory.ts";
import { StartingWorkers } from "./starting-workers.ts";
import type { WorkerHost, WorkerStart } from "./worker-host.ts";

const choiceWith = (host: WorkerHost): FastChoice => ({
  features: { relaxed: false },
  workers: { host, count: 1 },
  find: () => undefined,
});
const start = {} as WorkerStart;
const ignore = () => undefined;

describe("StartingWorkers", () => {
  it("awaits the workers that say when they have started, once", async () => {
    let begin = ignore as () => void;
    const started = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const starting = new StartingWorkers();
    const watched = starting.watch(choiceWith(() => ({ started, terminate: ignore })));
    expect(starting.settled()).toBeUndefined();
    watched.workers?.host(start, ignore);
    let isSettled = false;
    const settled = starting.settled()?.then(() => {
      isSettled = true;
    });
    await Promise.resolve();
    expect(isSettled).toBe(false);
    begin();
    await settled;
    expect(starting.settled()).toBeUndefined();
  });

  it("awaits nothing where workers start whatever the calling thread does", () => {
    const starting = new StartingWorkers();
    starting.watch(choiceWith(() => ({ terminate: ignore }))).workers?.host(start, ignore);
    expect(starting.settled()).toBeUndefined();
  });

  it("gives up on workers that never start, and leaves no timer behind others", async () => {
    vi.useFakeTimers();
    try {
      const starting = new StartingWorkers();
      const never = new Promise<void>(ignore);
      starting
        .watch(choiceWith(() => ({ started: never, terminate: ignore })))
        .workers?.host(start, ignore);
      const settled = starting.settled();
      await vi.advanceTimersByTimeAsync(10_000);
      await settled;
      starting
        .watch(choiceWith(() => ({ started: Promise.resolve(), terminate: ignore })))
        .workers?.host(start, ignore);
      await starting.settled();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
