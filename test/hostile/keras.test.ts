/** Damaged Keras files: an error of ours or a valid graph, in bounded time, never anything else. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { randomSequence } from "../../src/evaluate/random-inputs.ts";
import { readMember } from "../../src/formats/zip/archive.ts";
import { importKeras } from "../../src/import/keras.ts";
import { survive } from "./survive.ts";

const fixture = (name: string): Uint8Array =>
  new Uint8Array(
    readFileSync(fileURLToPath(new URL(`../fixtures/import/${name}`, import.meta.url))),
  );

const surviveFile = (bytes: Uint8Array, what: string): Promise<string> =>
  survive(() => importKeras(bytes), what);

describe.each(["vision.h5", "sequence.h5", "vision.keras", "sequence.keras"])("%s", (name) => {
  const bytes = fixture(name);

  it("cut at every 1/64 of its length", async () => {
    for (let part = 0; part < 64; part++) {
      const cut = bytes.subarray(0, Math.floor((bytes.length * part) / 64));
      expect(await surviveFile(cut, `${part}/64`)).not.toBe("imported");
    }
  });

  it("with 200 seeded groups of damaged bytes, most of them where the structure is", async () => {
    const next = randomSequence(5);
    for (let i = 0; i < 200; i++) {
      const damaged = bytes.slice();
      const reach = next() < 0.7 ? 6000 : bytes.length;
      for (let k = Math.floor(next() * 4); k >= 0; k--) {
        const value = [0, 255, 127, 128][Math.floor(next() * 4)]!;
        damaged[Math.floor(next() * reach)] = value;
      }
      await surviveFile(damaged, `group ${i}`);
    }
  });
});

describe("the global heap of an HDF5 file", () => {
  // With a size of 0x8060 for its 0x2460 bytes, the library walked through zeros that are no objects, without an end.
  it("may not be longer than its objects", async () => {
    const damaged = fixture("vision.h5").slice();
    expect(String.fromCharCode(...damaged.subarray(2048, 2052))).toBe("GCOL");
    damaged[2057] = 0x80;
    expect(await surviveFile(damaged, "size")).toMatch(/^FormatError: .*an object of 0 bytes/);
  });

  it("may not have free space that takes none", async () => {
    const damaged = fixture("vision.h5").slice();
    damaged.fill(0, 2064, 2080);
    expect(await surviveFile(damaged, "free")).toMatch(/^FormatError: .*an object of 0 bytes/);
  });
});

describe("HDF5 inside an archive", () => {
  const archive = fixture("vision.keras");
  const member = (name: string): Uint8Array => readMember(archive, name, "vision.keras")!.slice();
  const packed = (weights: Uint8Array): Uint8Array =>
    zipSync({
      "config.json": member("config.json"),
      "metadata.json": member("metadata.json"),
      "model.weights.h5": weights,
    });

  it("is read from an archive that was packed again", async () => {
    expect(await surviveFile(packed(member("model.weights.h5")), "whole")).toBe("imported");
  });

  it("with 200 seeded damaged bytes, checksums made to fit", async () => {
    const next = randomSequence(6);
    for (let i = 0; i < 200; i++) {
      const weights = member("model.weights.h5");
      const reach = next() < 0.7 ? 4000 : weights.length;
      weights[Math.floor(next() * reach)]! ^= 1 << Math.floor(next() * 8);
      await surviveFile(packed(weights), `byte ${i}`);
    }
  });

  it("of a single size field after another set to the largest number", async () => {
    const weights = member("model.weights.h5");
    for (let at = 0; at < 2000; at += 8) {
      const damaged = weights.slice();
      damaged.fill(0xff, at, at + 8);
      await surviveFile(packed(damaged), `byte ${at}`);
    }
  });
});
