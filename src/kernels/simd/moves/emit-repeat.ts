/** Emits out[i·times + j] = x[i] for words of 32 bits. */
import type { FunctionBuilder, Local } from "../../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { emitAddTo, emitCopy, emitCountdown } from "../emit-basics.ts";

export const REPEAT_NAME = "x32-repeat";

/** Addresses in bytes. */
export type RepeatFunction = (source: number, count: number, out: number, times: number) => void;

/** Adds the function to `module`. */
export function emitRepeat(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32", "i32", "i32"], [], REPEAT_NAME);
  const [source, count, out, times] = [0, 1, 2, 3].map((index) => f.param(index)) as RepeatTuple;
  emitRepeatOf(f, { source, count, out, times });
}

type RepeatTuple = [Local, Local, Local, Local];

/** What `RepeatFunction` takes. */
export type RepeatOperands = Readonly<Record<"source" | "count" | "out" | "times", Local>>;

/** Emits the repetition. Destroys all operands but `times`. */
export function emitRepeatOf(
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
