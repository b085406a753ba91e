/**
 * How emitted code is compiled. Node's V8 has a pass that joins neighbouring 128-bit operations into 256-bit ones
 * ("re-vectorizer"). It is off by default, and a flag of the whole process turns it on, so it is on here only while one
 * module is compiled.
 */

import { findClearVectors } from "./clear-vectors.ts";

/** Compiles the bytes of a module. */
export type Compile = (bytes: Uint8Array<ArrayBuffer>) => WebAssembly.Module;

/** The little of Node that is needed here. */
interface EngineFlags {
  setFlagsFromString(flags: string): void;
}

interface BuiltinModules {
  getBuiltinModule?(name: "node:v8"): EngineFlags | undefined;
}

/** In the engine's usual way: quickly at first, well once a function has run for some time. */
export const compilePlain: Compile = (bytes) => new WebAssembly.Module(bytes);

/**
 * Compiles well at once, on all cores, what is compiled at first use and in a second step otherwise: what is measured is then
 * what runs, and weights are not packed by slow code meanwhile. Emitted functions must not call each other: V8 14 wants to
 * know from the first step which calls to inline, and ends the process.
 */
const EAGER = ["--no-liftoff", "--no-wasm-lazy-compilation"] as const;
const EAGER_OFF = ["--liftoff", "--wasm-lazy-compilation"] as const;
const WIDE = ["--experimental-wasm-revectorize"] as const;
const WIDE_OFF = ["--no-experimental-wasm-revectorize"] as const;

/** Compiles well at once; undefined where the engine has no flags that can be set. */
export function findEagerCompile(): Compile | undefined {
  return withFlags("eager", EAGER, EAGER_OFF);
}

/**
 * Compiles well at once and with 256-bit vectors where V8 finds pairs; undefined where the engine has no flags, or nothing
 * can clear vectors after that code. Engines older than relaxed SIMD do not know the flag, and say so on the terminal: ask
 * for relaxed SIMD first.
 */
export function findWideCompile(): Compile | undefined {
  if (findClearVectors() === undefined) return undefined;
  return withFlags("wide", [...EAGER, ...WIDE], [...EAGER_OFF, ...WIDE_OFF]);
}

function withFlags(
  name: string,
  on: readonly string[],
  off: readonly string[],
): Compile | undefined {
  const { process } = globalThis as { readonly process?: BuiltinModules };
  const engine = process?.getBuiltinModule?.("node:v8");
  if (engine === undefined) return undefined;
  return (bytes) => {
    for (const flag of on) engine.setFlagsFromString(flag);
    try {
      return new WebAssembly.Module(marked(bytes, name));
    } finally {
      for (const flag of off) engine.setFlagsFromString(flag);
    }
  };
}

/** Adds a custom section of that name: V8 hands out code that it has compiled before for the same bytes, flags or not. */
function marked(bytes: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(name);
  const result = new Uint8Array(bytes.length + 3 + encoded.length);
  result.set(bytes);
  result.set([0, encoded.length + 1, encoded.length], bytes.length);
  result.set(encoded, bytes.length + 3);
  return result;
}
