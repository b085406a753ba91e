/**
 * Decoder of the snappy block format (google/snappy, format_description.txt). The decoders on the registry follow a
 * hostile 4-byte literal length backwards and never return; this one checks each element against both buffers.
 */
import { FormatError, LimitError } from "../../base/errors.ts";

/** One element of the stream: a literal (`offset` 0) or a copy of earlier output. */
interface Element {
  readonly length: number;
  readonly offset: number;
  /** Where the element's bytes, or the next element, begin. */
  readonly next: number;
}

/**
 * Expands one block. The block's own header says how long the result is; more than `maxLength` is refused before
 * anything is allocated, and so is a claim that the compressed bytes cannot fulfil (64 bytes out for 3 bytes in is the
 * most that the format can express).
 *
 * @throws {FormatError} when the stream is malformed or its length is not the one it claims.
 * @throws {LimitError} when it claims more than `maxLength` bytes.
 */
export function decompressSnappy(bytes: Uint8Array, maxLength: number, where: string): Uint8Array {
  const header = readLength(bytes, where);
  if (header.length > maxLength) {
    throw new LimitError({
      where,
      found: `a snappy block of ${header.length} bytes`,
      expected: `at most ${maxLength}`,
      limit: "snappy block length",
      value: header.length,
      max: maxLength,
    });
  }
  if (header.length > Math.ceil((bytes.length * 64) / 3)) {
    throw malformed(where, `${bytes.length} bytes that claim to hold ${header.length}`);
  }
  const output = new Uint8Array(header.length);
  let written = 0;
  let position = header.next;
  while (position < bytes.length) {
    const { length, offset, next } = readElement(bytes, position, where);
    if (length > output.length - written) throw malformed(where, "more output than announced");
    if (offset === 0) {
      if (length > bytes.length - next) throw malformed(where, "a literal past the end");
      output.set(bytes.subarray(next, next + length), written);
      position = next + length;
    } else {
      if (offset > written)
        throw malformed(where, `a copy from ${offset} bytes back at ${written}`);
      copyWithin(output, written, offset, length);
      position = next;
    }
    written += length;
  }
  if (written !== output.length) throw malformed(where, `${written} of ${output.length} bytes`);
  return output;
}

/** Copies may overlap their own output: then the bytes repeat with period `offset`. */
function copyWithin(output: Uint8Array, at: number, offset: number, length: number): void {
  if (offset >= length) output.copyWithin(at, at - offset, at - offset + length);
  else for (let i = 0; i < length; i++) output[at + i] = output[at + i - offset]!;
}

function readLength(bytes: Uint8Array, where: string): { length: number; next: number } {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[i];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { length, next: i + 1 };
  }
  throw malformed(where, "no length in front");
}

function readElement(bytes: Uint8Array, position: number, where: string): Element {
  const tag = bytes[position]!;
  const kind = tag & 3;
  const upper = tag >>> 2;
  if (kind === 0) {
    if (upper < 60) return { length: upper + 1, offset: 0, next: position + 1 };
    const width = upper - 59;
    const length = readUint(bytes, position + 1, width, where) + 1;
    return { length, offset: 0, next: position + 1 + width };
  }
  if (kind === 1) {
    const low = readUint(bytes, position + 1, 1, where);
    return copyElement((upper & 7) + 4, ((tag >>> 5) << 8) | low, position + 2, where);
  }
  const width = kind === 2 ? 2 : 4;
  const offset = readUint(bytes, position + 1, width, where);
  return copyElement(upper + 1, offset, position + 1 + width, where);
}

function copyElement(length: number, offset: number, next: number, where: string): Element {
  if (offset === 0) throw malformed(where, "a copy from 0 bytes back");
  return { length, offset, next };
}

function readUint(bytes: Uint8Array, position: number, width: number, where: string): number {
  if (position + width > bytes.length) throw malformed(where, "an element past the end");
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[position + i]!;
  return value;
}

function malformed(where: string, found: string): FormatError {
  return new FormatError({
    format: "snappy",
    where,
    found,
    expected: "a whole snappy block",
    remedy: "Copy or save the model again",
  });
}
