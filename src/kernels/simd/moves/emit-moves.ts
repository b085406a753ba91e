/** Emits moves of elements as bytes: rows from one stride to another, and a repeated word. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";

export const COPY_ROWS_NAME = "copy-rows";
export const FILL_NAME = "fill-words";

/** Addresses, strides and lengths in bytes. */
export type CopyRowsFunction = (
  source: number,
  sourceStride: number,
  target: number,
  targetStride: number,
  rows: number,
  rowBytes: number,
) => void;

/** Repeats `word`, four bytes, over `byteLength` bytes; a rest takes its low bytes. */
export type FillFunction = (target: number, byteLength: number, word: number) => void;

/** Adds the function that copies rows to `module`. */
export function emitCopyRows(module: ModuleBuilder): void {
  const f = module.function(Array<"i32">(6).fill("i32"), [], COPY_ROWS_NAME);
  const [source, sourceStride, target, targetStride, rows, rowBytes] = [0, 1, 2, 3, 4, 5].map(
    (index) => f.param(index),
  ) as Local[];
  const [from, to] = [f.local("i32"), f.local("i32")];
  emitCountdown(f, rows, 1, () => {
    emitCopy(f, source, from);
    emitCopy(f, target, to);
    emitRun(f, from, to, rowBytes);
    emitAdvance(f, source, sourceStride, 1);
    emitAdvance(f, target, targetStride, 1);
  });
}

/**
 * Copies `length` bytes from `from` to `to`, which do not overlap, leaving both behind the last byte. From 16 bytes on the
 * last sixteen are one vector, which may repeat some of the one before.
 */
export function emitRun(f: FunctionBuilder, from: Local, to: Local, length: Local): void {
  const left = f.local("i32");
  emitCopy(f, length, left);
  f.get(left);
  f.i32(16);
  f.op("i32.ge_s");
  f.if(
    () => {
      const vectors = f.local("i32");
      const ends = [from, to].map((start) => ({ start, last: emitLastVector(f, start, length) }));
      f.get(length);
      f.i32(1);
      f.op("i32.sub");
      f.i32(4);
      f.op("i32.shr_u");
      f.set(vectors);
      emitCountdown(f, vectors, 1, () => emitPiece(f, from, to, VECTOR));
      for (const { start, last } of ends) emitCopy(f, last, start);
      emitPiece(f, from, to, VECTOR);
    },
    () => {
      for (const piece of SHORT_PIECES) {
        emitCountdown(f, left, piece[0], () => emitPiece(f, from, to, piece));
      }
    },
  );
}

/** Where the last sixteen bytes begin. */
function emitLastVector(f: FunctionBuilder, start: Local, length: Local): Local {
  const last = f.local("i32");
  f.get(start);
  f.get(length);
  f.op("i32.add");
  f.i32(16);
  f.op("i32.sub");
  f.set(last);
  return last;
}

const VECTOR = [16, "v128.load", "v128.store"] as const;
const SHORT_PIECES = [
  [4, "i32.load", "i32.store"],
  [1, "i32.load8_u", "i32.store8"],
] as const;

function emitPiece(
  f: FunctionBuilder,
  from: Local,
  to: Local,
  [bytes, load, store]: typeof VECTOR | (typeof SHORT_PIECES)[number],
): void {
  f.get(to);
  f.get(from);
  f.mem(load, 0, 0);
  f.mem(store, 0, 0);
  emitAddTo(f, from, bytes);
  emitAddTo(f, to, bytes);
}

/** Adds the function that fills to `module`. */
export function emitFill(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32"], [], FILL_NAME);
  const [target, left, word] = [f.param(0), f.param(1), f.param(2)];
  const words = f.local("v128");
  f.get(word);
  f.op("i32x4.splat");
  f.set(words);
  for (const [bytes, value, store] of [
    [16, words, "v128.store"],
    [4, word, "i32.store"],
  ] as const) {
    emitCountdown(f, left, bytes, () => {
      f.get(target);
      f.get(value);
      f.mem(store, 0, 0);
      emitAddTo(f, target, bytes);
    });
  }
  emitCountdown(f, left, 1, () => {
    f.get(target);
    f.get(word);
    f.mem("i32.store8");
    emitAddTo(f, target, 1);
    f.get(word);
    f.i32(8);
    f.op("i32.shr_u");
    f.set(word);
  });
}
