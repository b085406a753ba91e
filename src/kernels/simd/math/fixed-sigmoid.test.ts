import { expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { fixedPointLogistic, fixedPointTanh } from "../../reference/fixed-point-sigmoid.ts";
import { emitAddTo, emitCountdown } from "../emit-basics.ts";
import { emitFixedLogistic, emitFixedTanh, fixedScratch } from "./emit-fixed-sigmoid.ts";

const ALL = Int16Array.from({ length: 65536 }, (_, index) => index - 32768);

/** The emitted function on all numbers of 16 bits. */
function resultsOf(emit: typeof emitFixedTanh, bits: number): Int16Array {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 2 });
  const f = module.function(["i32", "i32"], [], "run");
  const [at, left] = [f.param(0), f.param(1)];
  const scratch = fixedScratch(f);
  emitCountdown(f, left, 8, () => {
    f.get(at);
    f.get(at);
    f.mem("v128.load", 0, 1);
    emit(f, bits, scratch);
    f.mem("v128.store", 0, 1);
    emitAddTo(f, at, 16);
  });
  const memory = new WebAssembly.Memory({ initial: 2 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), {
    env: { memory },
  });
  const numbers = new Int16Array(memory.buffer);
  numbers.set(ALL);
  (instance.exports["run"] as (at: number, count: number) => void)(0, ALL.length);
  return numbers.slice();
}

it.each([0, 1, 3, 4, 7])("all numbers of %i integer bits agree with the reference", (bits) => {
  for (const [emit, define] of [
    [emitFixedLogistic, fixedPointLogistic],
    [emitFixedTanh, fixedPointTanh],
  ] as const) {
    const results = resultsOf(emit, bits);
    expect(ALL.filter((x, at) => results[at] !== define(x, bits))).toEqual(new Int16Array(0));
  }
});
