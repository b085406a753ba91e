import { describe, expect, it } from "vitest";
import type { CallList } from "../kernels/simd/fast-kernel.ts";
import { type CalledFunction, emitListWalker } from "./emit-list-walker.ts";
import { DONE, FINISHED, IDLE, listAddress } from "./list-layout.ts";
import { ListWalker } from "./list-walker.ts";
import { listPages, SharedLists } from "./shared-lists.ts";

const FUNCTIONS: readonly CalledFunction[] = [
  { name: "first", params: ["i32", "i32"] },
  { name: "second", params: ["i32", "f64", "f32", "i32", "f64"] },
];

type Kernel = (...args: number[]) => void;

/** Lists of calls of JavaScript functions, for so many threads. */
function openLists(threads: number) {
  const lists = new SharedLists(FUNCTIONS, threads);
  const bytes = emitListWalker(FUNCTIONS, threads, listPages(threads));
  const shared = { walker: new WebAssembly.Module(bytes), lists: lists.memory, threads };
  const walker = (thread: number, first: Kernel, second: Kernel = first): ListWalker => {
    return new ListWalker(shared, { first, second }, thread);
  };
  return { lists, walker };
}

const listOf = (count: number, name = "first"): CallList => ({
  name,
  calls: Array.from({ length: count }, (_, index) => [index, index * 10]),
});

const ignore = (): void => undefined;

describe("ListWalker", () => {
  it("makes every call of a list once, with its arguments in their types", () => {
    const { lists, walker } = openLists(2);
    const seen: number[][] = [];
    const own = walker(0, (...args) => seen.push(args));
    const calls = [
      [2 ** 32 - 16, 0.1, 0.1, -3, 1e300],
      [7, -0, 2 ** 30 + 1, 4, Number.NEGATIVE_INFINITY],
    ];
    own.begin(lists.pass([{ name: "second", calls }]));
    expect(own.work()).toBe(FINISHED);
    expect(seen).toEqual([
      [-16, 0.1, Math.fround(0.1), -3, 1e300],
      [7, -0, 2 ** 30, 4, Number.NEGATIVE_INFINITY],
    ]);
  });

  it("gives each thread a share, and what is left of another's from the back", () => {
    const { lists, walker } = openLists(2);
    const [mine, theirs]: [number[], number[]] = [[], []];
    const other = walker(1, (index = -1) => theirs.push(index));
    const own = walker(0, (index = -1) => {
      mine.push(index);
      if (mine.length === 2) other.work();
    });
    own.begin(lists.pass([listOf(8)]));
    expect(own.work()).toBe(FINISHED);
    expect(mine).toEqual([0, 1]);
    expect(theirs).toEqual([4, 5, 6, 7, 3, 2]);
  });

  it("shares lists among more threads than there are calls", () => {
    const { lists, walker } = openLists(5);
    const seen: number[] = [];
    const others = [1, 2, 3, 4].map((thread) => walker(thread, (index = -1) => seen.push(index)));
    const own = walker(0, (index = -1) => {
      seen.push(index);
      for (const other of others) other.work();
    });
    own.begin(lists.pass([listOf(3)]));
    expect(own.work()).toBe(FINISHED);
    expect(seen.toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  });

  it("makes the calls of one list after those of another", () => {
    const { lists, walker } = openLists(2);
    const [firsts, seconds]: [number[], number[]] = [[], []];
    const other = walker(
      1,
      (index = -1) => firsts.push(index),
      (index = -1) => seconds.push(index),
    );
    const own = walker(
      0,
      (index = -1) => {
        if (index !== 0) return void firsts.push(index);
        expect(other.work(), "the list that waits for call 0").toBe(0);
        expect(seconds).toEqual([]);
        firsts.push(index);
      },
      (index = -1) => seconds.push(index),
    );
    own.begin(lists.pass([listOf(4), listOf(4, "second")]));
    expect(own.work()).toBe(FINISHED);
    expect(firsts.toSorted()).toEqual([0, 1, 2, 3]);
    expect(seconds.toSorted()).toEqual([0, 1, 2, 3]);
    expect(other.work()).toBe(IDLE);
  });

  it("gives a thread that comes late nothing of a job that is over", () => {
    const { lists, walker } = openLists(3);
    const own = walker(0, ignore);
    const late = walker(1, () => expect.unreachable("no call is left"));
    own.begin(lists.pass([listOf(1)]));
    own.work();
    lists.pass([listOf(9)]); // written, not published
    expect(late.work()).toBe(IDLE);
  });

  it("does job after job, whoever takes part", () => {
    const { lists, walker } = openLists(2);
    let calls = 0;
    const count = (): void => void calls++;
    const [own, other] = [walker(0, count), walker(1, count)];
    for (let round = 0; round < 300; round++) {
      own.begin(lists.pass([listOf(1 + (round % 3))]));
      if (round % 3 === 0) other.work();
      expect(own.work()).toBe(FINISHED);
      if (round % 5 === 0) expect(other.work()).toBe(IDLE);
    }
    expect(calls).toBe(600);
  });

  it("tells of a trap on every thread", () => {
    const { lists, walker } = openLists(2);
    const own = walker(0, () => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    const other = walker(1, ignore);
    own.begin(lists.pass([listOf(3)]));
    expect(() => own.work()).toThrow("unreachable");
    expect([own.hasFailed, other.hasFailed]).toEqual([true, true]);
  });

  it("does not sleep through what has come already", () => {
    const { lists, walker } = openLists(2);
    const [own, other] = [walker(0, ignore), walker(1, ignore)];
    own.begin(lists.pass([listOf(2)]));
    other.sleep(IDLE);
    expect(own.work()).toBe(FINISHED);
    own.sleep(0);
    const done = new BigInt64Array(lists.memory.buffer, listAddress(0, 2) + DONE, 1);
    expect(done[0]).toBe((1n << 32n) | 2n);
  });
});

describe("SharedLists", () => {
  it("tells which lists fit into one job", () => {
    const lists = new SharedLists(FUNCTIONS, 2);
    expect(lists.fits([listOf(4096), listOf(1)])).toBe(true);
    expect(lists.fits([listOf(4097)])).toBe(false);
    expect(lists.fits(Array.from({ length: 5 }, () => listOf(1)))).toBe(false);
    const most = lists.mostCalls("second");
    expect(lists.fits([listOf(most, "second")])).toBe(true);
    expect(lists.fits(Array.from({ length: 3 }, () => listOf(4096, "second")))).toBe(false);
  });
});
