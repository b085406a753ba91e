/**
 * The type checker of the core specification's validation algorithm (appendix "Validation Algorithm"), run while
 * instructions are emitted: a mistake in an emitter is reported at the instruction that makes it, not when the engine
 * refuses the module. Its failures are bugs of the emitter, hence assertions. Code is emitted once, before the engine has
 * compiled what emits it: so what runs for every instruction makes no arrays and no messages.
 */
import { assert } from "../base/errors.ts";
import { typeOfLetter, type ValueType } from "./instruction-row.ts";

interface Frame {
  /** Types that a branch to this frame takes: results of a block, nothing for a loop. */
  readonly branchTypes: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly height: number;
  unreachable: boolean;
}

export class OperandStack {
  readonly #types: ValueType[] = [];
  readonly #frames: Frame[] = [];

  get depth(): number {
    return this.#frames.length;
  }

  pushOne(type: ValueType): void {
    this.#types.push(type);
  }

  push(types: readonly ValueType[]): void {
    for (let index = 0; index < types.length; index++) this.#types.push(types[index] as ValueType);
  }

  /** `push` for types written as the letters of an instruction's row. */
  pushLetters(letters: string): void {
    for (let index = 0; index < letters.length; index++) {
      this.#types.push(typeOfLetter(letters.charAt(index)));
    }
  }

  /** Takes `expected` off the stack, last first. `what` names the instruction for the message. */
  pop(expected: readonly ValueType[], what: string): void {
    for (let index = expected.length - 1; index >= 0; index--) {
      this.popOne(expected[index] as ValueType, what, index);
    }
  }

  /** `pop` for types written as the letters of an instruction's row. */
  popLetters(letters: string, what: string): void {
    for (let index = letters.length - 1; index >= 0; index--) {
      this.popOne(typeOfLetter(letters.charAt(index)), what, index);
    }
  }

  /** `pop` for one operand; `index` is its position for the message. */
  popOne(wanted: ValueType, what: string, index = 0): void {
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
    this.#frames.push({ branchTypes, results, height: this.#types.length, unreachable: false });
  }

  leave(what: string): void {
    const frame = this.#frame(what);
    this.pop(frame.results, what);
    assert(
      this.#types.length === frame.height,
      `${what}: ${this.#types.length - frame.height} operands left on the stack`,
    );
    this.#frames.pop();
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
    this.#types.length = frame.height;
    frame.unreachable = true;
  }

  #popAny(what: string): ValueType | undefined {
    const frame = this.#frame(what);
    if (this.#types.length > frame.height) return this.#types.pop();
    assert(frame.unreachable, `${what}: the operand stack is empty`);
    return undefined;
  }

  #frame(what: string): Frame {
    const frame = this.#frames[this.#frames.length - 1];
    if (frame !== undefined) return frame;
    assert(false, `${what}: after the end of the function`);
  }
}
