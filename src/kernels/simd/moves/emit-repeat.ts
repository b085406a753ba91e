/** Emits out[i·times + j] = x[i] for words of 32 bits. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";

/** Addresses in bytes, `count` words, each `times` times. */
export type RepeatOperands = Readonly<Record<"source" | "count" | "out" | "times", Local>>;

/** Emits the repetition. Destroys all operands but `times`. */
export function emitRepeat(
  f: FunctionBuilder,
  { source, count, out, times }: RepeatOperands,
): void {
  const [words, left] = [f.local("v128"), f.local("i32")];
  emitCountdown(f, count, 1, () => {
    f.get(source);
    f.mem("v128.load32_splat");
    f.set(words);
    emitCopy(f, times, left);
    for (const lanes of [4, 1]) {
      emitCountdown(f, left, lanes, () => {
        f.get(out);
        f.get(words);
        if (lanes === 4) f.mem("v128.store", 0, 2);
        else f.memLane("v128.store32_lane", 0);
        emitAddTo(f, out, 4 * lanes);
      });
    }
    emitAddTo(f, source, 4);
  });
}
