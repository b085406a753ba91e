/**
 * Damaged .tflite files: cut short, single bits flipped, absurd numbers in every word. Each must be read as a model or
 * end in one of our errors, quickly. What is read and verified must also be writable, and read the same again.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { randomSequence } from "../../src/evaluate/random-inputs.ts";
import { memorySource } from "../../src/io/memory.ts";
import type { Model } from "../../src/model/ir.ts";
import { parseModel, readModel } from "../../src/model/read.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { withVersions } from "../../src/model/versions.ts";
import { encodeModel } from "../../src/model/write.ts";

const MAX_MS = 1000;
const FLIPS = 10_000;
/** Metadata comes first; what is further behind is mostly constant data. */
const MAX_WORD_BYTES = 3072;

function fixture(name: string): Uint8Array {
  const path = fileURLToPath(new URL(`../fixtures/tflite/${name}.tflite`, import.meta.url));
  return new Uint8Array(readFileSync(path));
}

/** The model when the bytes hold a valid one, undefined when they are refused; throws when neither happens in time. */
function readOrRefuse(bytes: Uint8Array, what: string): Model | undefined {
  const start = performance.now();
  const model = attempt(bytes, what);
  const elapsed = performance.now() - start;
  if (elapsed > MAX_MS) throw new Error(`${what} took ${elapsed} ms`);
  return model;
}

function attempt(bytes: Uint8Array, what: string): Model | undefined {
  try {
    const { model } = parseModel(bytes, what);
    verifyModel(model, what);
    return model;
  } catch (error) {
    if (isOctavoError(error)) return undefined;
    throw new Error(`${what} escapes`, { cause: error });
  }
}

async function expectWritable(model: Model, what: string): Promise<void> {
  const again = parseModel(await encodeModel(withVersions(model)), what).model;
  expect(again.subgraphs.length, what).toBe(model.subgraphs.length);
  verifyModel(again, what);
}

describe.each(["while", "cnn_dynamic_range", "unusual"])("%s.tflite", (name) => {
  const whole = fixture(name);

  it("cut at every 1/64 of its length is refused", () => {
    for (let part = 0; part < 64; part++) {
      const cut = whole.subarray(0, Math.floor((whole.length * part) / 64));
      expect(readOrRefuse(cut, `${name} cut at ${cut.length}`)).toBeUndefined();
    }
  });

  it("with an absurd number in any word is refused or read", async () => {
    const bytes = whole.slice();
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + 4 <= bytes.length && at < MAX_WORD_BYTES; at += 4) {
      const original = view.getUint32(at, true);
      for (const absurd of [0xffffffff, 0x7fffffff, 0]) {
        view.setUint32(at, absurd, true);
        readOrRefuse(bytes, `${name} with ${absurd} at ${at}`);
      }
      view.setUint32(at, original, true);
    }
    expect(bytes).toEqual(whole);
  });

  it("with any length claimed for the file behind it is read in ranges the same way", async () => {
    for (let part = 0; part < 16; part++) {
      const cut = whole.subarray(0, Math.floor((whole.length * part) / 16));
      const reading = readModel(memorySource(cut), { maxResidentBytes: 0 });
      await expect(reading).rejects.toSatisfy((error: unknown) => isOctavoError(error));
    }
  });
});

describe("a small .tflite file with one bit flipped", () => {
  it(`is refused or read, writable when it is read, ${FLIPS} times`, async () => {
    const files = ["while", "cnn_dynamic_range"].map(fixture);
    const random = randomSequence(20240521);
    let refused = 0;
    for (let flip = 0; flip < FLIPS; flip++) {
      const bytes = files[flip % files.length]!.slice();
      const bit = Math.floor(random() * bytes.length * 8);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const what = `flip ${flip} of bit ${bit}`;
      const model = readOrRefuse(bytes, what);
      if (model === undefined) refused += 1;
      else if (flip % 20 < 2) await expectWritable(model, what);
    }
    expect(refused).toBeGreaterThan(FLIPS / 20);
    expect(refused).toBeLessThan(FLIPS);
  });
});

describe("what is no .tflite file", () => {
  it.each([
    ["an empty file", new Uint8Array(0)],
    ["seven bytes", Uint8Array.of(8, 0, 0, 0, 84, 70, 76)],
    ["text", new TextEncoder().encode("this is not a model, it is a sentence about one")],
    ["zeros", new Uint8Array(4096)],
    ["an identifier and nothing else", Uint8Array.of(8, 0, 0, 0, 84, 70, 76, 51)],
  ])("is refused: %s", (what, bytes) => {
    expect(readOrRefuse(bytes, what)).toBeUndefined();
  });
});
