/**
 * Packs weights of which a step takes 32 bits a column, by an emitted function: where a model has just been loaded,
 * JavaScript's loops are not optimized yet, and by the time they are most weights have been packed.
 *
 * Rows of words [n, k] become [n / columns, k, columns], as `pack.ts` has it. All panels but the last are copied first, each
 * to where the next one is going to be, and then interleaved one after the other: that takes no memory of its own.
 */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";
import type { EmittedFunction, FastPlace } from "../fast-kernel.ts";
import { stepBytes, stepGroup } from "./pack.ts";
import { type GemmFormat, hasLists } from "./variants.ts";

/** Interleaves `panels` panels of `columns` rows of `steps` words from the one behind `packed` on. */
type InterleaveFunction = (packed: number, steps: number, columns: number, panels: number) => void;

const NAME = "interleave-words";
const PARAMS = Array<"i32">(4).fill("i32");
const WORD = 4;
/** Rows that are interleaved at a time, by as many steps: a vector each. */
const LANES = 4;

/** The function that `interleavePanels` calls. */
export const INTERLEAVE: EmittedFunction = { name: NAME, emit: emitInterleave };

/** Whether weights are words once they are packed, and were so before. */
export function packsWords(format: GemmFormat, k: number): boolean {
  if (hasLists(format)) return false;
  return (
    format.data === "f32" ||
    (stepBytes(format) === WORD && stepGroup(format) === WORD && k % WORD === 0)
  );
}

export interface WordPanels {
  readonly n: number;
  /** Words of a row. */
  readonly steps: number;
  /** Columns of a panel, a multiple of 4. */
  readonly columns: number;
}

/**
 * Packs as many of the rows at `weights` as it can, to `address`.
 *
 * @returns how many rows: all that are not in the last panel.
 */
export function interleavePanels(
  { memory, call }: Pick<FastPlace, "memory" | "call">,
  weights: ArrayBufferView,
  { n, steps, columns }: WordPanels,
  address: number,
): number {
  const panels = Math.ceil(n / columns) - 1;
  if (panels < 1) return 0;
  const panelBytes = columns * steps * WORD;
  const raw = new Uint8Array(weights.buffer, weights.byteOffset, panels * panelBytes);
  new Uint8Array(memory.buffer, address + panelBytes, raw.length).set(raw);
  call<InterleaveFunction>(NAME)(address, steps, columns, panels);
  return panels * columns;
}

function emitInterleave(module: ModuleBuilder): void {
  const f = module.function(PARAMS, [], NAME);
  const [packed, steps, columns, panels] = PARAMS.map((_, index) => f.param(index)) as Local[];
  const [from, to, stride, rowBytes, columnsLeft, stepsLeft] = Array.from({ length: 6 }, () =>
    f.local("i32"),
  ) as Local[];
  const rows = Array.from({ length: LANES }, () => f.local("i32"));
  emitWordsTimes(f, columns, stride);
  emitWordsTimes(f, steps, rowBytes);
  const nextPanel = (target: Local, origin: Local): void => {
    f.get(origin);
    f.get(stride);
    f.get(steps);
    f.op("i32.mul");
    f.op("i32.add");
    f.set(target);
  };
  nextPanel(from, packed);
  emitCountdown(f, panels, 1, () => {
    emitCopy(f, columns, columnsLeft);
    emitCountdown(f, columnsLeft, LANES, () => {
      for (const row of rows) {
        emitCopy(f, from, row);
        emitMove(f, from, rowBytes);
      }
      emitCopy(f, packed, to);
      emitCopy(f, steps, stepsLeft);
      emitCountdown(f, stepsLeft, LANES, () => emitTransposed(f, rows, to, stride));
      emitCountdown(f, stepsLeft, 1, () => emitStep(f, rows, to, stride));
      emitAddTo(f, packed, LANES * WORD);
    });
    f.get(packed);
    f.get(stride);
    f.op("i32.sub");
    f.set(packed);
    nextPanel(packed, packed);
  });
}

/** to = count words, in bytes */
function emitWordsTimes(f: FunctionBuilder, count: Local, to: Local): void {
  f.get(count);
  f.i32(WORD);
  f.op("i32.mul");
  f.set(to);
}

/** target += distance */
function emitMove(f: FunctionBuilder, target: Local, distance: Local): void {
  f.get(target);
  f.get(distance);
  f.op("i32.add");
  f.set(target);
}

/** Indices of the bytes of four words, of two vectors of four. */
function wordBytes(words: readonly number[]): readonly number[] {
  return words.flatMap((word) => [0, 1, 2, 3].map((byte) => word * WORD + byte));
}

/** Four words of each row become four steps, in two rounds: pairs of rows, then pairs of pairs. */
function emitTransposed(
  f: FunctionBuilder,
  rows: readonly Local[],
  to: Local,
  stride: Local,
): void {
  const vectors = rows.map((row) => {
    const vector = f.local("v128");
    f.get(row);
    f.mem("v128.load", 0, 0);
    f.set(vector);
    emitAddTo(f, row, LANES * WORD);
    return vector;
  });
  const mixed = (a: Local, b: Local, words: readonly number[]): Local => {
    const vector = f.local("v128");
    f.get(a);
    f.get(b);
    f.shuffle(wordBytes(words));
    f.set(vector);
    return vector;
  };
  const [a, b, c, d] = vectors as [Local, Local, Local, Local];
  for (const half of [0, 2]) {
    const pair = [half, half + 4, half + 1, half + 5];
    const [first, second] = [mixed(a, b, pair), mixed(c, d, pair)];
    for (const words of [
      [0, 1, 4, 5],
      [2, 3, 6, 7],
    ]) {
      f.get(to);
      f.get(first);
      f.get(second);
      f.shuffle(wordBytes(words));
      f.mem("v128.store", 0, 0);
      emitMove(f, to, stride);
    }
  }
}

/** One word of each row becomes a step. */
function emitStep(f: FunctionBuilder, rows: readonly Local[], to: Local, stride: Local): void {
  rows.forEach((row, column) => {
    f.get(to);
    f.get(row);
    f.mem("i32.load", 0, 0);
    f.mem("i32.store", column * WORD, 0);
    emitAddTo(f, row, WORD);
  });
  emitMove(f, to, stride);
}
