/** A position in bytes that nobody has checked yet: every read is bounded, and a bad one is a FormatError. */
import { FormatError } from "../../base/errors.ts";

export class ByteCursor {
  readonly bytes: Uint8Array;
  readonly #where: string;
  readonly #format: string;
  position = 0;

  constructor(bytes: Uint8Array, where: string, format: string) {
    this.bytes = bytes;
    this.#where = where;
    this.#format = format;
  }

  get left(): number {
    return this.bytes.length - this.position;
  }

  /** The next `length` bytes, aliased. */
  take(length: number): Uint8Array {
    if (length > this.left) throw this.malformed(`${length} bytes wanted, ${this.left} left`);
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  /** A little-endian base-128 number of at most `maxBytes` bytes; exact up to 2^53. */
  varint(maxBytes = 10): number {
    let value = 0;
    for (let i = 0; i < maxBytes; i++) {
      const byte = this.bytes[this.position];
      if (byte === undefined) break;
      this.position++;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw this.malformed("a number beyond 2^53");
        return value;
      }
    }
    throw this.malformed("a number without an end");
  }

  uint32(): number {
    const [a, b, c, d] = this.take(4);
    return (a! | (b! << 8) | (c! << 16) | (d! << 24)) >>> 0;
  }

  /** An error about the bytes at the present position. */
  malformed(found: string, expected = "intact bytes"): FormatError {
    return new FormatError({
      format: this.#format,
      where: `${this.#where}, byte ${this.position}`,
      found,
      expected,
      remedy: "Copy or save the model again",
      byteOffset: this.position,
    });
  }
}
