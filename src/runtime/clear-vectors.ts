/**
 * What has to follow 256-bit code. It leaves the upper halves of vector registers set, and until an instruction clears
 * them, x86 processors run older vector code several times slower: the builtins that come with V8 are such code (sorting
 * took 22 ms instead of 4). WebAssembly has no such instruction. Compilers end every function of their own that uses 256
 * bits with it, and Node's check for ASCII text is such a function; on a single byte it takes some 25 ns.
 */

/** The little of Node that is needed here. */
interface TextChecks {
  isAscii(bytes: Uint8Array): boolean;
}

interface BuiltinModules {
  getBuiltinModule?(name: "node:buffer"): Partial<TextChecks> | undefined;
}

/** Makes the function that clears the upper halves; undefined where there is none. */
export function findClearVectors(): (() => void) | undefined {
  const { process } = globalThis as { readonly process?: BuiltinModules };
  const buffer = process?.getBuiltinModule?.("node:buffer");
  const isAscii = buffer?.isAscii;
  if (isAscii === undefined) return undefined;
  const byte = new Uint8Array(1);
  return () => {
    isAscii(byte);
  };
}
