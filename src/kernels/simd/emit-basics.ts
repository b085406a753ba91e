/** The few instruction sequences that every emitter needs. */
import type { FunctionBuilder, Local } from "../../wasm/function-builder.ts";

/** to = from */
export function emitCopy(f: FunctionBuilder, from: Local, to: Local): void {
  f.get(from);
  f.set(to);
}

/** target += constant */
export function emitAddTo(f: FunctionBuilder, target: Local, constant: number): void {
  f.get(target);
  f.i32(constant);
  f.op("i32.add");
  f.set(target);
}

/** target += stride · count */
export function emitAdvance(f: FunctionBuilder, target: Local, stride: Local, count: number): void {
  f.get(target);
  f.get(stride);
  f.i32(count);
  f.op("i32.mul");
  f.op("i32.add");
  f.set(target);
}

/** A new vector local with `value` (a float parameter) in all lanes. */
export function emitSplat(f: FunctionBuilder, value: Local): Local {
  const vector = f.local("v128");
  f.get(value);
  f.op("f32x4.splat");
  f.set(vector);
  return vector;
}

/** A new vector local with an integer, a local or a constant, in all lanes. */
export function emitIntegerSplat(
  f: FunctionBuilder,
  lanes: "i8x16" | "i16x8",
  value: Local | number,
): Local {
  const vector = f.local("v128");
  if (typeof value === "number") f.i32(value);
  else f.get(value);
  f.op(`${lanes}.splat`);
  f.set(vector);
  return vector;
}

/** Repeats `body` while `counter` ≥ `step`, taking `step` off after each turn. */
export function emitCountdown(
  f: FunctionBuilder,
  counter: Local,
  step: number,
  body: () => void,
): void {
  f.block((exit) => {
    f.loop((again) => {
      f.get(counter);
      f.i32(step);
      f.op("i32.lt_s");
      f.brIf(exit);
      body();
      emitAddTo(f, counter, -step);
      f.br(again);
    });
  });
}

/** Loads i32 words from an address on. */
export function emitLoads(f: FunctionBuilder, from: Local, into: readonly Local[]): void {
  for (const [index, word] of into.entries()) {
    f.get(from);
    f.mem("i32.load", 4 * index);
    f.set(word);
  }
}

/** Emits [] → `value` in all lanes. */
export function emitSplatConstant(f: FunctionBuilder, value: number): void {
  f.f32(value);
  f.op("f32x4.splat");
}
