/** Damaged SavedModels and graphs: an error of ours or a valid graph, in bounded time, never anything else. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { randomSequence } from "../../src/evaluate/random-inputs.ts";
import { importGraphDef } from "../../src/import/graph-def.ts";
import { importSavedModel } from "../../src/import/saved-model.ts";
import { memoryTree } from "../../src/io/memory.ts";
import { survive } from "./survive.ts";

const fixture = (path: string): Uint8Array =>
  new Uint8Array(
    readFileSync(fileURLToPath(new URL(`../fixtures/import/${path}`, import.meta.url))),
  );

const FILES = new Map(
  ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"].map(
    (path) => [path, fixture(`functions/${path}`)],
  ),
);
/** The three variables come first in the data file; the object graph after them is not needed here. */
const VARIABLE_BYTES = 84;

/** Whether the file has something that the import misses when it is cut to this length. */
function isNeeded(path: string, length: number): boolean {
  return path.endsWith(".index") || (path.includes(".data") && length < VARIABLE_BYTES);
}

const surviveFiles = (files: ReadonlyMap<string, Uint8Array>, what: string): Promise<string> =>
  survive(() => importSavedModel(memoryTree(files)), what);

function replaced(path: string, bytes: Uint8Array): Map<string, Uint8Array> {
  return new Map([...FILES, [path, bytes]]);
}

function flipped(bytes: Uint8Array, next: () => number): Uint8Array {
  const damaged = bytes.slice();
  const bit = Math.floor(next() * bytes.length * 8);
  damaged[bit >> 3]! ^= 1 << (bit & 7);
  return damaged;
}

describe("a damaged SavedModel", () => {
  it("is what it was before anything is damaged", async () => {
    expect(await surviveFiles(FILES, "whole")).toBe("imported");
  });

  it.each([...FILES.keys()])("with %s cut at every 1/64 of its length", async (path) => {
    const bytes = FILES.get(path)!;
    for (let part = 0; part < 64; part++) {
      const length = Math.floor((bytes.length * part) / 64);
      const outcome = await surviveFiles(
        replaced(path, bytes.subarray(0, length)),
        `${path} of ${length}`,
      );
      if (isNeeded(path, length)) expect(outcome).toMatch(/^FormatError/);
    }
  });

  it("with any single bit of its data flipped is an error, unless the bit is in the object graph", async () => {
    const next = randomSequence(1);
    const path = "variables/variables.data-00000-of-00001";
    const bytes = FILES.get(path)!;
    for (let i = 0; i < 200; i++) {
      const outcome = await surviveFiles(
        replaced(path, flipped(bytes.subarray(0, VARIABLE_BYTES), next)),
        "short data",
      );
      expect(outcome).toMatch(/^FormatError/);
    }
  });

  it.each([...FILES.keys()])("with 250 seeded bit flips in %s", async (path) => {
    const next = randomSequence(2);
    for (let i = 0; i < 250; i++)
      await surviveFiles(replaced(path, flipped(FILES.get(path)!, next)), `${path} ${i}`);
  });

  it("with random bytes instead", async () => {
    const next = randomSequence(3);
    for (let i = 0; i < 200; i++) {
      const bytes = Uint8Array.from({ length: 200 }, () => Math.floor(next() * 256));
      expect(await surviveFiles(replaced("saved_model.pb", bytes), `random ${i}`)).not.toBe(
        "imported",
      );
    }
  });
});

describe("a damaged graph with loops and conditions", () => {
  it("with 500 seeded bit flips", async () => {
    const frames = fixture("frames.pb");
    const next = randomSequence(4);
    const options = {
      inputs: ["x", "p"],
      outputs: ["rows_out", "last_out", "cond_out", "live_out"],
    };
    for (let i = 0; i < 500; i++) {
      const bytes = flipped(frames, next);
      await survive(() => importGraphDef(bytes, options), `flip ${i}`);
    }
  });
});
