/**
 * Sums that go through memory on their way to a stage. Engines that join vectors to wider ones begin with what is stored,
 * and cannot join what stages of integer results do: so the sums of a tile are stored and loaded again. Threads run the
 * same function at the same time: each has an instance of the module, whose global holds the address of its sums.
 */
import type { FunctionBuilder, Local } from "../../wasm/function-builder.ts";
import type { ModuleBuilder } from "../../wasm/module-builder.ts";

/** Export name of the global. */
const NAME = "kept-sums";
const VECTOR_BYTES = 16;
/** The first thread's; below are the bytes of address 0, which stands for "no operand". */
const START = 64;
/** Bytes of the sums of the largest tile, 6 × 16. */
const THREAD_BYTES = 6 * 16 * 4;

/** Bytes at the beginning of a memory that emitted functions of so many threads need for their sums. */
export function keptSumsEnd(threads: number): number {
  return START + threads * THREAD_BYTES;
}

/** Sets where an instance keeps sums, on a thread by number. */
export function placeKeptSums(exports: WebAssembly.Exports, thread: number): void {
  const global = exports[NAME];
  if (global instanceof WebAssembly.Global) global.value = keptSumsEnd(thread);
}

/** Emits the two ways through memory. */
export interface KeptSums {
  keep(sums: readonly Local[]): void;
  load(sums: readonly Local[]): void;
}

/** Emits what a function does once. */
export function beginKeptSums(module: ModuleBuilder, f: FunctionBuilder): KeptSums {
  const at = f.local("i32");
  f.getGlobal(module.exportedGlobal("i32", NAME));
  f.set(at);
  return {
    keep(sums) {
      sums.forEach((sum, index) => {
        f.get(at);
        f.get(sum);
        f.mem("v128.store", VECTOR_BYTES * index, 2);
      });
    },
    load(sums) {
      sums.forEach((sum, index) => {
        f.get(at);
        f.mem("v128.load", VECTOR_BYTES * index, 2);
        f.set(sum);
      });
    },
  };
}
