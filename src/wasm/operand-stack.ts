/**
 * The type checker of the core specification's validation algorithm (appendix "Validation Algorithm"), run while
 * instructions are emitted: a mistake in an emitter is reported at the instruction that makes it, not when the engine
 * refuses the module. Its failures are bugs of the emitter, hence assertions. Code is emitted once, before the engine has
 * compiled what emits it: so what runs for every instruction makes no arrays, no messages and few calls.
 */
import { assert } from "../base/errors.ts";
import type { ValueType } from "./instruction-row.ts";

interface Frame {
  /** Types that a branch to this frame takes: results of a block, nothing for a loop. */
  readonly branchTypes: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly height: number;
  unreachable: boolean;
}

export class OperandStack {
  /** Those above the height are over. */
  readonly #types: ValueType[] = [];
  readonly #frames: Frame[] = [];
  #height = 0;
  /** Height of the innermost frame; above any height after the end of the function. */
  #floor = Infinity;

  get depth(): number {
    return this.#frames.length;
  }

  pushOne(type: ValueType): void {
    this.#types[this.#height++] = type;
  }

  push(types: readonly ValueType[]): void {
    for (let index = 0; index < types.length; index++) {
      this.#types[this.#height++] = types[index] as ValueType;
    }
  }

  /** Takes `expected` off the stack, last first. `what` names the instruction for the message. */
  pop(expected: readonly ValueType[], what: string): void {
    const bottom = this.#height - expected.length;
    let index = expected.length - 1;
    if (bottom >= this.#floor) {
      while (index >= 0 && this.#types[bottom + index] === expected[index]) index -= 1;
      if (index < 0) {
        this.#height = bottom;
        return;
      }
      index = expected.length - 1;
    }
    for (; index >= 0; index--) this.popOne(expected[index] as ValueType, what, index);
  }

  /** `pop` for one operand; `index` is its position for the message. */
  popOne(wanted: ValueType, what: string, index = 0): void {
    if (this.#height > this.#floor && this.#types[this.#height - 1] === wanted) {
      this.#height -= 1;
      return;
    }
    const found = this.#popAny(what);
    if (found === undefined || found === wanted) return;
    assert(false, `${what}: operand ${index} is ${found}, expected ${wanted}`);
  }

  /** Takes two operands of one type off and returns that type (for `select`). */
  popPair(what: string): ValueType | undefined {
    const second = this.#popAny(what);
    const first = this.#popAny(what);
    assert(
      first === undefined || second === undefined || first === second,
      `${what}: operands are ${first} and ${second}, expected one type`,
    );
    return first ?? second;
  }

  popAny(what: string): void {
    this.#popAny(what);
  }

  enter(branchTypes: readonly ValueType[], results: readonly ValueType[]): void {
    this.#frames.push({ branchTypes, results, height: this.#height, unreachable: false });
    this.#floor = this.#height;
  }

  leave(what: string): void {
    const frame = this.#frame(what);
    this.pop(frame.results, what);
    assert(
      this.#height === frame.height,
      `${what}: ${this.#height - frame.height} operands left on the stack`,
    );
    this.#frames.pop();
    this.#floor = this.#frames[this.#frames.length - 1]?.height ?? Infinity;
  }

  /** Types that a branch `depth` frames out takes. */
  branchTypes(depth: number, what: string): readonly ValueType[] {
    const frame = this.#frames[this.#frames.length - 1 - depth];
    assert(frame !== undefined, `${what}: branch to a label that is not open`);
    return frame.branchTypes;
  }

  /** Types that the function returns. */
  returnTypes(): readonly ValueType[] {
    return this.#frames[0]?.results ?? [];
  }

  /** After an unconditional branch anything goes until the frame ends. */
  markUnreachable(what: string): void {
    const frame = this.#frame(what);
    this.#height = frame.height;
    frame.unreachable = true;
  }

  #popAny(what: string): ValueType | undefined {
    const frame = this.#frame(what);
    if (this.#height > frame.height) {
      this.#height -= 1;
      return this.#types[this.#height];
    }
    assert(frame.unreachable, `${what}: the operand stack is empty`);
    return undefined;
  }

  #frame(what: string): Frame {
    const frame = this.#frames[this.#frames.length - 1];
    if (frame !== undefined) return frame;
    assert(false, `${what}: after the end of the function`);
  }
}
