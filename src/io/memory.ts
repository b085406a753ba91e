/** Sources, sinks and folders in memory: for tests, for pages, for bytes that are there already. */
import { IoError } from "../base/errors.ts";
import type { ByteSink, ByteSource, FileTree } from "./byte-source.ts";

/** Serves bytes that are in memory already. Reads alias `bytes`. */
export function memorySource(bytes: Uint8Array, name = "memory"): ByteSource {
  return {
    name,
    byteLength: bytes.byteLength,
    async read(start, end) {
      if (start < 0 || end < start || end > bytes.byteLength) {
        throw new IoError({
          where: name,
          found: `read of bytes ${start} to ${end}`,
          expected: `a range within ${bytes.byteLength} bytes`,
          path: name,
        });
      }
      return bytes.subarray(start, end);
    },
  };
}

/** Collects what is written; `bytes()` is whole after `commit`. */
export interface MemorySink extends ByteSink {
  bytes(): Uint8Array;
}

/** A sink that keeps everything in memory. */
export function memorySink(name = "memory"): MemorySink {
  let chunks: Uint8Array[] = [];
  return {
    name,
    async write(bytes) {
      chunks.push(new Uint8Array(bytes));
    },
    async commit() {
      chunks = [concat(chunks)];
    },
    async abort() {
      chunks = [];
    },
    bytes: () => concat(chunks),
  };
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const only = chunks[0];
  if (chunks.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

/** A folder made of named byte arrays. */
export function memoryTree(files: ReadonlyMap<string, Uint8Array>, name = "memory"): FileTree {
  return {
    name,
    async open(path) {
      const bytes = files.get(path);
      return bytes === undefined ? undefined : memorySource(bytes, `${name}/${path}`);
    },
    async list(folder) {
      const prefix = folder === "" ? "" : `${folder}/`;
      return [...files.keys()]
        .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
        .map((path) => path.slice(prefix.length))
        .sort();
    },
  };
}
