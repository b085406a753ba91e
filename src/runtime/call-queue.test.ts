import { describe, expect, it } from "vitest";
import { CallQueue } from "./call-queue.ts";

const list = (count: number) => Array.from({ length: count }, (_, index) => [index, index * 10]);

describe("CallQueue", () => {
  it("runs every call of a list once, with its arguments", () => {
    const queue = new CallQueue();
    const seen: (readonly [number, readonly number[]])[] = [];
    queue.publish(3, list(5));
    queue.work((fn, args) => seen.push([fn, args]));
    expect(seen).toEqual(list(5).map((args) => [3, args]));
    expect(queue.isFinished).toBe(true);
  });

  it("shares a list between threads that look at the same memory", () => {
    const queue = new CallQueue();
    const other = new CallQueue(queue.shared);
    const [mine, theirs]: number[][] = [[], []];
    queue.publish(0, list(5));
    queue.work((_, [index = -1]) => {
      mine?.push(index);
      if (mine?.length === 1) {
        other.work((__, [late = -1]) => {
          theirs?.push(late);
          if (theirs?.length === 2) queue.work((___, [again = -1]) => mine.push(again));
        }, "back");
      }
    });
    expect(mine).toEqual([0, 1, 2]);
    expect(theirs).toEqual([4, 3]);
    expect(queue.done).toBe(5);
  });

  it("gives a thread that comes late nothing of a list that is done", () => {
    const queue = new CallQueue();
    queue.publish(0, list(2));
    queue.work(() => undefined);
    queue.work(() => expect.unreachable("no call is left"));
    queue.publish(1, list(1));
    const functions: number[] = [];
    queue.work((fn) => functions.push(fn));
    expect(functions).toEqual([1]);
  });

  it("counts lists for ever", () => {
    const queue = new CallQueue();
    let calls = 0;
    for (let round = 0; round < 300; round++) {
      queue.publish(0, list(1 + (round % 3)));
      queue.work(() => calls++, round % 2 === 0 ? "front" : "back");
      expect(queue.isFinished).toBe(true);
    }
    expect(calls).toBe(600);
  });

  it("gives nothing of a list that is only half published", () => {
    const queue = new CallQueue();
    queue.publish(0, list(2));
    queue.work(() => undefined);
    const control = new Int32Array(queue.shared.control);
    for (let slot = 1; slot < control.length; slot++) control[slot] = 4; // all but the ticket
    new CallQueue(queue.shared).work(() => expect.unreachable("the ticket is not written yet"));
  });

  it("marks a list as failed when a call traps, and still finishes it", () => {
    const queue = new CallQueue();
    queue.publish(0, list(3));
    queue.work((_, [index]) => {
      if (index === 1) throw new WebAssembly.RuntimeError("unreachable");
    });
    expect([queue.isFinished, queue.hasFailed]).toEqual([true, true]);
  });

  it("hides no error that is not a trap", () => {
    const queue = new CallQueue();
    queue.publish(0, list(1));
    expect(() =>
      queue.work(() => {
        throw new TypeError("ours");
      }),
    ).toThrow("ours");
  });
});
