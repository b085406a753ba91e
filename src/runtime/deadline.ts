/**
 * A limit on the time of a run. A loop that never ends looks like a long one, so only a clock can stop it: the limit is
 * looked at before every operator, and inside those that may work long on what a small file asks for.
 */
import { LimitError } from "../base/errors.ts";

export class Deadline {
  #start = 0;
  #milliseconds = Infinity;
  #where = "";

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

  /**
   * To be called before each piece of work that has a name.
   *
   * @throws {LimitError} once the time is over.
   */
  check(where: string): void {
    this.#where = where;
    this.checkAgain();
  }

  /**
   * To be called in the midst of what was named last.
   *
   * @throws {LimitError} once the time is over.
   */
  checkAgain(): void {
    const max = this.#milliseconds;
    if (max === Infinity) return;
    const value = performance.now() - this.#start;
    if (value <= max) return;
    throw new LimitError({
      where: this.#where,
      found: `a run of ${Math.round(value)} ms`,
      expected: `at most ${max} ms`,
      remedy: "Give it more time, or look for a loop in the model that these inputs never end",
      limit: "timeLimitMs",
      value,
      max,
    });
  }
}
