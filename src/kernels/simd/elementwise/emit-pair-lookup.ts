/** Emits out[i] = table[a[i]·256 + b[i]] over rows of bytes, walked as in `emit-binary.ts`. */
import type { Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitAdvance, emitCopy, emitCountdown } from "../emit-basics.ts";
import type { Repeated } from "./pair-rows.ts";

export function pairLookupName(repeated: Repeated): string {
  return `x8-pair-lookup${repeated === "none" ? "" : `-repeat-${repeated}`}`;
}

const UNROLL = 4;

/**
 * Adds the function to `module`: (a, b, out, count, rows, aStride, bStride, table), addresses and strides in bytes. The
 * table has 65,536 bytes.
 */
export function emitPairLookup(module: ModuleBuilder, repeated: Repeated): void {
  const f = module.function(Array<"i32">(8).fill("i32"), [], pairLookupName(repeated));
  const [a, b, out, count, rows, aStride, bStride, table] = Array.from({ length: 8 }, (_, index) =>
    f.param(index),
  ) as Local[];
  const [atA, atB, left] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const turn = (elements: number) => {
    for (let index = 0; index < elements; index++) {
      f.get(out);
      f.get(atA);
      f.mem("i32.load8_u", repeated === "a" ? 0 : index);
      f.i32(8);
      f.op("i32.shl");
      f.get(atB);
      f.mem("i32.load8_u", repeated === "b" ? 0 : index);
      f.op("i32.add");
      f.get(table);
      f.op("i32.add");
      f.mem("i32.load8_u");
      f.mem("i32.store8", index);
    }
    if (repeated !== "a") emitAddTo(f, atA, elements);
    if (repeated !== "b") emitAddTo(f, atB, elements);
    emitAddTo(f, out, elements);
  };
  emitCountdown(f, rows, 1, () => {
    emitCopy(f, a, atA);
    emitCopy(f, b, atB);
    emitCopy(f, count, left);
    emitCountdown(f, left, UNROLL, () => turn(UNROLL));
    emitCountdown(f, left, 1, () => turn(1));
    emitAdvance(f, a, aStride, 1);
    emitAdvance(f, b, bStride, 1);
  });
}
