/**
 * A limit on the time of a run. A loop that never ends looks like a long one, so only a clock can stop it: the limit is
 * looked at before every operator, each of which takes a time bounded by the sizes of its tensors.
 */
import { LimitError } from "../base/errors.ts";

export class Deadline {
  #start = 0;
  #milliseconds = Infinity;

  /** Runs `work` with a limit on its time; Infinity stands for none. */
  during(milliseconds: number, work: () => void): void {
    this.#start = performance.now();
    this.#milliseconds = milliseconds;
    try {
      work();
    } finally {
      this.#milliseconds = Infinity;
    }
  }

  /** @throws {LimitError} once the time is over. */
  check(where: string): void {
    const max = this.#milliseconds;
    if (max === Infinity) return;
    const value = performance.now() - this.#start;
    if (value <= max) return;
    throw new LimitError({
      where,
      found: `a run of ${Math.round(value)} ms`,
      expected: `at most ${max} ms`,
      remedy: "Give it more time, or look for a loop in the model that these inputs never end",
      limit: "timeLimitMs",
      value,
      max,
    });
  }
}
