import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError, isOctavoError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { parseNpy } from "../npy/npy.ts";
import { isJpeg, parseJpeg } from "./jpeg.ts";

const folder = new URL("../../../test/fixtures/jpeg/", import.meta.url);
const load = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".jpg"))
  .map((name) => name.slice(0, -4));

/** Where the frame header's contents begin: after the marker and the length. */
function frameAt(file: Uint8Array): number {
  return file.findIndex((byte, at) => byte === 0xff && [0xc0, 0xc2].includes(file[at + 1]!)) + 4;
}

describe("parseJpeg", () => {
  it.each(names)("decodes %s to the very pixels that TensorFlow decodes it to", (name) => {
    const expected = parseNpy(load(`${name}.npy`));
    const image = parseJpeg(load(`${name}.jpg`), name);
    expect([image.height, image.width, image.channels]).toEqual(expected.shape);
    expect(image.data).toEqual(expected.data);
  });

  it("refuses a file cut off anywhere before its end marker", () => {
    for (const name of ["restart_420", "progressive_grey"]) {
      const file = load(`${name}.jpg`);
      for (let length = 0; length < file.length - 2; length += 3) {
        expect(() => parseJpeg(file.slice(0, length), name)).toThrow(FormatError);
      }
    }
  });

  it("answers damaged files with pixels or a typed error", () => {
    const files = ["restart_progressive", "subsampled_420", "cmyk"].map((name) =>
      load(`${name}.jpg`),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(7),
        (file, where, bit) => {
          const damaged = file.slice();
          damaged[Math.floor(where * (file.length - 1))]! ^= 1 << bit;
          try {
            parseJpeg(damaged);
          } catch (error) {
            if (!isOctavoError(error)) throw error;
          }
        },
      ),
      { seed: 5, numRuns: 1500 },
    );
  });

  it("does not allocate what a small file cannot hold", () => {
    const file = load("grey.jpg");
    const at = frameAt(file);
    file.set([0x10, 0, 0x10, 0], at + 1);
    expect(() => parseJpeg(file)).toThrow("4096 x 4096 pixels in a file of");
    file.set([0xff, 0xff, 0xff, 0xff], at + 1);
    expect(() => parseJpeg(file)).toThrow(LimitError);
    file.set([0, 0], at + 1);
    expect(() => parseJpeg(file)).toThrow(FormatError);
  });

  it("names the coding that it does not read", () => {
    const file = load("grey.jpg");
    const at = frameAt(file);
    file[at - 3] = 0xc9;
    expect(() => parseJpeg(file)).toThrow(UnsupportedError);
  });

  it("knows a JPEG file by its first bytes", () => {
    expect(isJpeg(load("dot.jpg"))).toBe(true);
    expect(isJpeg(load("dot.npy"))).toBe(false);
    expect(() => parseJpeg(new Uint8Array(0))).toThrow(FormatError);
  });
});
