import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError, isOctavoError, LimitError } from "../../base/errors.ts";
import { parseNpy } from "../npy/npy.ts";
import { isPng } from "./chunks.ts";
import { parsePng } from "./png.ts";

const folder = new URL("../../../test/fixtures/png/", import.meta.url);
const load = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".png"))
  .map((name) => name.slice(0, -4));

/** Sets bytes of the header and corrects its checksum. */
function withHeader(file: Uint8Array, offset: number, bytes: number[]): Uint8Array {
  const changed = file.slice();
  changed.set(bytes, offset);
  const body = changed.subarray(12, 29);
  let crc = 0xffffffff;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  new DataView(changed.buffer).setUint32(29, ~crc >>> 0);
  return changed;
}

describe("parsePng", () => {
  it.each(names)("decodes %s to the very pixels that TensorFlow decodes it to", (name) => {
    const expected = parseNpy(load(`${name}.npy`));
    const image = parsePng(load(`${name}.png`), name);
    expect([image.height, image.width, image.channels]).toEqual(expected.shape);
    expect(image.data).toEqual(expected.data);
  });

  it("refuses a file cut off at any byte", () => {
    const file = load("type2_8bit.png");
    for (let length = 0; length < file.length; length++) {
      expect(() => parsePng(file.slice(0, length))).toThrow(FormatError);
    }
  });

  it("finds every flipped bit, in the checksums if nowhere else", () => {
    const file = load("type3_4bit.png");
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(7), (position, bit) => {
        const damaged = file.slice();
        damaged[position]! ^= 1 << bit;
        try {
          parsePng(damaged);
        } catch (error) {
          expect(isOctavoError(error)).toBe(true);
          return;
        }
        throw new Error("a damaged file was accepted");
      }),
      { seed: 4, numRuns: 1000 },
    );
  });

  it("does not allocate what a small file cannot hold", () => {
    const file = load("type2_8bit.png");
    const large = withHeader(file, 16, [0, 0, 0x10, 0, 0, 0, 0x10, 0]);
    expect(() => parsePng(large)).toThrow("compressed bytes for 50335744 bytes of rows");
    const huge = withHeader(file, 16, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    expect(() => parsePng(huge)).toThrow(LimitError);
    const taller = withHeader(file, 20, [0, 0, 0, 12]);
    expect(() => parsePng(taller)).toThrow(FormatError);
    const shorter = withHeader(file, 20, [0, 0, 0, 10]);
    expect(() => parsePng(shorter)).toThrow(FormatError);
  });

  it("knows a PNG file by its first bytes", () => {
    expect(isPng(load("dot_interlaced.png"))).toBe(true);
    expect(isPng(load("dot_interlaced.npy"))).toBe(false);
  });
});
