/**
 * Strings in .npy files: fixed width, padded with zeros. `S` types are bytes, `U` types code points of four bytes each.
 */
import type { StringData } from "../../base/dtype.ts";
import { LimitError, UnsupportedError } from "../../base/errors.ts";

const REPLACEMENT = 0xfffd;
const LAST_CODE_POINT = 0x10ffff;

/** Each string becomes an object of about a hundred bytes, in the file it may be a single byte. */
const MAX_STRINGS = 4_194_304;

/**
 * Cuts little-endian elements of `itemBytes` into strings without their padding; `utf32` becomes UTF-8.
 * @throws {LimitError} for more than four million strings
 */
export function decodeNpyStrings(
  bytes: Uint8Array,
  itemBytes: number,
  storage: "bytes" | "utf32",
): StringData {
  const count = bytes.length / itemBytes;
  if (count > MAX_STRINGS) {
    throw new LimitError({
      where: "npy",
      found: `${count} strings`,
      expected: `at most ${MAX_STRINGS}`,
      limit: "npy strings",
      value: count,
      max: MAX_STRINGS,
    });
  }
  const strings: StringData = [];
  for (let start = 0; start < bytes.length; start += itemBytes) {
    const item = bytes.subarray(start, start + itemBytes);
    strings.push(storage === "bytes" ? withoutPadding(item) : fromUtf32(item));
  }
  return strings;
}

/**
 * Pads strings with zeros to the longest, at least one byte.
 * @throws {UnsupportedError} when a string ends in a zero byte
 */
export function encodeNpyStrings(strings: StringData): { itemBytes: number; bytes: Uint8Array } {
  const itemBytes = strings.reduce((longest, { length }) => Math.max(longest, length), 1);
  const bytes = new Uint8Array(strings.length * itemBytes);
  for (const [index, string] of strings.entries()) {
    if (string.at(-1) === 0) {
      throw new UnsupportedError({
        where: `npy string ${index}`,
        found: "a zero byte at its end",
        expected: "strings that .npy files can hold",
        features: ["npy strings that end in zero"],
      });
    }
    bytes.set(string, index * itemBytes);
  }
  return { itemBytes, bytes };
}

function withoutPadding(item: Uint8Array): Uint8Array {
  let end = item.length;
  while (end > 0 && item[end - 1] === 0) end--;
  return item.subarray(0, end);
}

function fromUtf32(item: Uint8Array): Uint8Array {
  const view = new DataView(item.buffer, item.byteOffset, item.byteLength);
  let text = "";
  let padding = "";
  for (let offset = 0; offset < item.length; offset += 4) {
    const code = view.getUint32(offset, true);
    if (code === 0) {
      padding += "\0";
      continue;
    }
    text += padding + String.fromCodePoint(code <= LAST_CODE_POINT ? code : REPLACEMENT);
    padding = "";
  }
  return new TextEncoder().encode(text);
}
