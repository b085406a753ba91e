import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { decompressSnappy } from "./snappy.ts";

const LIMIT = 1 << 20;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const ascii = (text: string): number[] => [...text].map((char) => char.charCodeAt(0));
const text = (data: Uint8Array): string => String.fromCharCode(...data);

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return isOctavoError(error) ? error.code : String(error);
  }
  return "no error";
}

describe("decompressSnappy", () => {
  it("expands literals and the three kinds of copies", () => {
    // "abcd", copy 4 from 4 back (1-byte form), copy 3 from 2 back (2-byte form), copy 2 from 11 back (4-byte form).
    const stream = bytes(
      13,
      3 << 2,
      ...ascii("abcd"),
      1,
      4,
      (2 << 2) | 2,
      2,
      0,
      (1 << 2) | 3,
      11,
      0,
      0,
      0,
    );
    expect(text(decompressSnappy(stream, LIMIT, "x"))).toBe("abcdabcdcdcab");
  });

  it("repeats with the period of an overlapping copy", () => {
    const stream = bytes(65, 0, ...ascii("a"), (63 << 2) | 2, 1, 0);
    expect(text(decompressSnappy(stream, LIMIT, "x"))).toBe("a".repeat(65));
  });

  it("reads literal lengths of one to four bytes", () => {
    const content = ascii("x".repeat(70));
    for (let width = 1; width <= 4; width++) {
      const length = [69, 0, 0, 0].slice(0, width);
      const stream = bytes(70, (59 + width) << 2, ...length, ...content);
      expect(text(decompressSnappy(stream, LIMIT, "x"))).toBe("x".repeat(70));
    }
  });

  it("returns on a literal length with the sign bit set", () => {
    expect(
      code(() => decompressSnappy(bytes(4, 63 << 2, 0xfa, 0xff, 0xff, 0xff, 0, 0), LIMIT, "x")),
    ).toBe("FormatError");
  });

  it.each([
    ["nothing", bytes()],
    ["a length without an end", bytes(0x80, 0x80)],
    ["a copy from before the start", bytes(4, 0, 65, 1, 9)],
    ["a copy from 0 back", bytes(5, 0, 65, 1, 0)],
    ["more output than announced", bytes(1, 4, 65, 66)],
    ["less output than announced", bytes(9, 0, 65, 0, 66)],
    ["an element that is cut short", bytes(8, 0, 65, 2, 1)],
  ])("refuses %s", (_, stream) => {
    expect(code(() => decompressSnappy(stream, LIMIT, "x"))).toBe("FormatError");
  });

  it("allocates nothing for a claim that the bytes cannot fulfil or the limit forbids", () => {
    const claims1GiB = [0x80, 0x80, 0x80, 0x80, 0x04];
    expect(code(() => decompressSnappy(bytes(...claims1GiB), 2 ** 31, "x"))).toBe("FormatError");
    expect(code(() => decompressSnappy(bytes(...claims1GiB), LIMIT, "x"))).toBe("LimitError");
  });
});
