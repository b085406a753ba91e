/**
 * Emits out[i] = table[x[i]]: for bytes x tables of 256 bytes or of 256 floats, for int16 tables of 65,536 int16, in the
 * order of the numbers' bits.
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown } from "../emit-basics.ts";

/** Bytes of an entry. */
export type EntryBytes = 1 | 4;

/** Addresses in bytes. */
export type LookupFunction = (source: number, count: number, out: number, table: number) => void;

export function lookupName(entryBytes: EntryBytes): string {
  return `x8-lookup-x${8 * entryBytes}`;
}

const UNROLL = 8;

/** Adds the function to `module`. */
export function emitLookup(module: ModuleBuilder, entryBytes: EntryBytes): void {
  const f = module.function(["i32", "i32", "i32", "i32"], [], lookupName(entryBytes));
  const [source, count, out, table] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const turn = (elements: number) => {
    for (let index = 0; index < elements; index++) {
      f.get(out);
      f.get(source);
      f.mem("i32.load8_u", index);
      if (entryBytes === 4) {
        f.i32(2);
        f.op("i32.shl");
      }
      f.get(table);
      f.op("i32.add");
      f.mem(entryBytes === 4 ? "i32.load" : "i32.load8_u");
      f.mem(entryBytes === 4 ? "i32.store" : "i32.store8", index * entryBytes);
    }
    emitAddTo(f, source, elements);
    emitAddTo(f, out, elements * entryBytes);
  };
  emitCountdown(f, count, UNROLL, () => turn(UNROLL));
  emitCountdown(f, count, 1, () => turn(1));
}

export const WORD_LOOKUP_NAME = "x16-lookup-x16";

/** Adds the function to `module` that looks up int16, a `LookupFunction`. */
export function emitWordLookup(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32", "i32"], [], WORD_LOOKUP_NAME);
  const [source, count, out, table] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const turn = (elements: number) => {
    for (let index = 0; index < elements; index++) {
      f.get(out);
      f.get(source);
      f.mem("i32.load16_u", 2 * index);
      f.i32(1);
      f.op("i32.shl");
      f.get(table);
      f.op("i32.add");
      f.mem("i32.load16_u");
      f.mem("i32.store16", 2 * index);
    }
    emitAddTo(f, source, 2 * elements);
    emitAddTo(f, out, 2 * elements);
  };
  emitCountdown(f, count, UNROLL, () => turn(UNROLL));
  emitCountdown(f, count, 1, () => turn(1));
}
