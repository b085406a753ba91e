import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { readMember } from "./archive.ts";

const text = new TextEncoder().encode("the same words, the same words, the same words");
const ARCHIVE = zipSync({ "a.txt": text, "folder/b.bin": [Uint8Array.of(1, 2, 3), { level: 0 }] });

/** Position of the n-th occurrence of a record's signature. */
function find(bytes: Uint8Array, signature: number, nth = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, seen = 0; at + 4 <= bytes.length; at++) {
    if (view.getUint32(at, true) === signature && seen++ === nth) return at;
  }
  throw new Error("no such record");
}

const DIRECTORY = 0x02014b50;
const END = 0x06054b50;

/** The archive with a field of its n-th directory entry changed. */
function changed(field: number, bits: 16 | 32, value: number, nth = 0): Uint8Array {
  const bytes = ARCHIVE.slice();
  const view = new DataView(bytes.buffer);
  const at = find(bytes, DIRECTORY, nth) + field;
  if (bits === 16) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return bytes;
}

function failure(bytes: Uint8Array, name = "a.txt"): string {
  try {
    readMember(bytes, name, "archive");
  } catch (error) {
    if (isOctavoError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

describe("members of an archive", () => {
  it("come out as they went in, deflated or stored", () => {
    expect(readMember(ARCHIVE, "a.txt", "archive")).toEqual(text);
    expect(readMember(ARCHIVE, "folder/b.bin", "archive")).toEqual(Uint8Array.of(1, 2, 3));
    expect(readMember(ARCHIVE, "c", "archive")).toBeUndefined();
  });

  it("are found behind a comment, and where the archive is a part of something longer", () => {
    const long = new Uint8Array(ARCHIVE.length + 107);
    long.set(ARCHIVE, 100);
    const inside = long.subarray(100);
    new DataView(long.buffer).setUint16(long.length - 7 - 2, 7, true);
    expect(readMember(inside, "a.txt", "archive")).toEqual(text);
  });

  it.each([
    ["a wrong checksum", changed(16, 32, 1), /FormatError.*checksum/],
    ["a wrong size", changed(24, 32, 45), /FormatError/],
    ["more bytes than deflate can make", changed(24, 32, 1e9), /FormatError.*at most 1032 times/],
    ["compressed bytes beyond the end", changed(20, 32, 1e6), /FormatError.*at most/],
    ["a header that is not there", changed(42, 32, 5), /FormatError.*no member at byte 5/],
    ["an unknown compression", changed(10, 16, 12), /UnsupportedError.*zip compression 12/],
    ["encryption", changed(8, 16, 1), /UnsupportedError.*encrypted/],
    ["ZIP64", changed(24, 32, 0xffffffff), /UnsupportedError.*ZIP64/],
    ["a name longer than the directory", changed(28, 16, 60000), /FormatError.*does not end/],
  ])("are refused with %s", (_, bytes, message) => {
    expect(failure(bytes)).toMatch(message);
  });

  it("are refused when there are two of one name", () => {
    const twice = zipSync({ "a.txt": text, "b.txt": text });
    twice[find(twice, DIRECTORY, 1) + 46] = "a".charCodeAt(0);
    expect(failure(twice)).toMatch(/FormatError.*2 members of this name/);
  });

  it("are refused when the directory promises more entries than there are", () => {
    const bytes = ARCHIVE.slice();
    new DataView(bytes.buffer).setUint16(find(bytes, END) + 10, 65535, true);
    expect(failure(bytes)).toMatch(/FormatError.*no entry 2/);
  });

  it("are not lost to any cut or single flipped bit without an error", () => {
    for (let length = 0; length < ARCHIVE.length; length++) {
      expect(failure(ARCHIVE.subarray(0, length))).toMatch(/^FormatError/);
    }
    for (let bit = 0; bit < 8 * ARCHIVE.length; bit++) {
      const bytes = ARCHIVE.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      let found: Uint8Array | undefined;
      try {
        found = readMember(bytes, "a.txt", "archive");
      } catch (error) {
        if (!isOctavoError(error)) throw error;
      }
      if (found !== undefined) expect(found).toEqual(text);
    }
  });
});
