/** Damaged SavedModels and graphs: an error of ours or a valid graph, in bounded time, never anything else. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importGraphDef } from "../../src/import/graph-def.ts";
import { importSavedModel } from "../../src/import/saved-model.ts";
import { memoryTree } from "../../src/io/memory.ts";

const fixture = (path: string): Uint8Array =>
  new Uint8Array(
    readFileSync(fileURLToPath(new URL(`../fixtures/import/${path}`, import.meta.url))),
  );

const FILES = new Map(
  ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"].map(
    (path) => [path, fixture(`functions/${path}`)],
  ),
);
const MAX_MS = 2000;
/** The three variables come first in the data file; the object graph after them is not needed here. */
const VARIABLE_BYTES = 84;

/** Whether the file has something that the import misses when it is cut to this length. */
function isNeeded(path: string, length: number): boolean {
  return path.endsWith(".index") || (path.includes(".data") && length < VARIABLE_BYTES);
}

/** A small generator with a seed, so that a failure can be repeated (Mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function survive(files: ReadonlyMap<string, Uint8Array>, what: string): Promise<string> {
  const start = performance.now();
  let outcome = "imported";
  try {
    verifyGraph((await importSavedModel(memoryTree(files))).graph);
  } catch (error) {
    if (!isOctavoError(error)) throw new Error(what, { cause: error });
    outcome = error.code;
  }
  expect(performance.now() - start, what).toBeLessThan(MAX_MS);
  return outcome;
}

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
    expect(await survive(FILES, "whole")).toBe("imported");
  });

  it.each([...FILES.keys()])("with %s cut at every 1/64 of its length", async (path) => {
    const bytes = FILES.get(path)!;
    for (let part = 0; part < 64; part++) {
      const length = Math.floor((bytes.length * part) / 64);
      const outcome = await survive(
        replaced(path, bytes.subarray(0, length)),
        `${path} of ${length}`,
      );
      if (isNeeded(path, length)) expect(outcome).toBe("FormatError");
    }
  });

  it("with any single bit of its data flipped is an error, unless the bit is in the object graph", async () => {
    const next = random(1);
    const path = "variables/variables.data-00000-of-00001";
    const bytes = FILES.get(path)!;
    for (let i = 0; i < 200; i++) {
      const outcome = await survive(
        replaced(path, flipped(bytes.subarray(0, VARIABLE_BYTES), next)),
        "short data",
      );
      expect(outcome).toBe("FormatError");
    }
  });

  it.each([...FILES.keys()])("with 250 seeded bit flips in %s", async (path) => {
    const next = random(2);
    for (let i = 0; i < 250; i++)
      await survive(replaced(path, flipped(FILES.get(path)!, next)), `${path} ${i}`);
  });

  it("with random bytes instead", async () => {
    const next = random(3);
    for (let i = 0; i < 200; i++) {
      const bytes = Uint8Array.from({ length: 200 }, () => Math.floor(next() * 256));
      expect(await survive(replaced("saved_model.pb", bytes), `random ${i}`)).not.toBe("imported");
    }
  });
});

describe("a damaged graph with loops and conditions", () => {
  it("with 500 seeded bit flips", () => {
    const frames = fixture("frames.pb");
    const next = random(4);
    const options = {
      inputs: ["x", "p"],
      outputs: ["rows_out", "last_out", "cond_out", "live_out"],
    };
    for (let i = 0; i < 500; i++) {
      const bytes = flipped(frames, next);
      const start = performance.now();
      try {
        verifyGraph(importGraphDef(bytes, options).graph);
      } catch (error) {
        if (!isOctavoError(error)) throw new Error(`flip ${i}`, { cause: error });
      }
      expect(performance.now() - start).toBeLessThan(MAX_MS);
    }
  });
});
