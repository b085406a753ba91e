/**
 * Emits out[i] = table[x[i]]: for bytes x tables of 256 bytes or of 256 floats, for int16 tables of 65,536 int16, in the
 * order of the numbers' bits.
 */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCountdown } from "../emit-basics.ts";

/** Bytes of a number that is looked up, and of an entry. */
export interface LookupVariant {
  readonly from: 1 | 2;
  readonly to: 1 | 2 | 4;
}

/** Addresses in bytes. */
export type LookupFunction = (source: number, count: number, out: number, table: number) => void;

export function lookupName({ from, to }: LookupVariant): string {
  return `x${8 * from}-lookup-x${8 * to}`;
}

const UNROLL = 8;
const LOADS = { 1: "i32.load8_u", 2: "i32.load16_u", 4: "i32.load" } as const;
const STORES = { 1: "i32.store8", 2: "i32.store16", 4: "i32.store" } as const;

/** Adds the function to `module`. */
export function emitLookup(module: ModuleBuilder, variant: LookupVariant): void {
  const { from, to } = variant;
  const f = module.function(["i32", "i32", "i32", "i32"], [], lookupName(variant));
  const [source, count, out, table] = [0, 1, 2, 3].map((index) => f.param(index)) as Local[];
  const turn = (elements: number) => {
    for (let index = 0; index < elements; index++) {
      f.get(out);
      f.get(source);
      f.mem(LOADS[from], index * from);
      if (to > 1) {
        f.i32(Math.log2(to));
        f.op("i32.shl");
      }
      f.get(table);
      f.op("i32.add");
      f.mem(LOADS[to]);
      f.mem(STORES[to], index * to);
    }
    emitAddTo(f, source, elements * from);
    emitAddTo(f, out, elements * to);
  };
  emitCountdown(f, count, UNROLL, () => turn(UNROLL));
  emitCountdown(f, count, 1, () => turn(1));
}
