/**
 * The header of an .npy file: `\x93NUMPY`, version, length, then a Python dictionary in text form, padded with spaces so
 * that the elements start at a multiple of 64. The length has two bytes in version 1 and four in 2 and 3; version 3 is
 * UTF-8, the others Latin-1. Format: NumPy Enhancement Proposal 1, numpy/lib/format.py.
 */
import { assert, FormatError, LimitError, UnsupportedError } from "../../base/errors.ts";
import type { Shape } from "../../base/shape.ts";

export interface NpyHeader {
  /** As written in the file, for example `<f4`. */
  readonly description: string;
  readonly fortranOrder: boolean;
  readonly shape: Shape;
  /** Where the elements begin. */
  readonly byteOffset: number;
}

/** Magic, version and the longer of the two length fields: what must be read to know how long the header is. */
export const NPY_PREFIX_BYTES = 12;

/** NumPy itself has arrays of at most 64 dimensions and refuses headers beyond 10,000 bytes unless told otherwise. */
const MAX_RANK = 64;
const MAX_HEADER_BYTES = 65_536;
const ALIGNMENT = 64;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * Tells where the elements begin, from the first `NPY_PREFIX_BYTES` bytes (fewer where the file is shorter).
 * @throws {FormatError | UnsupportedError | LimitError}
 */
export function npyDataOffset(prefix: Uint8Array, name: string): number {
  if (prefix.length < 10 || MAGIC.some((byte, index) => prefix[index] !== byte)) {
    throw formatError(name, 0, "no .npy file", "the bytes \\x93NUMPY at its start");
  }
  const version = prefix[6] ?? 0;
  if (version < 1 || version > 3) {
    throw new UnsupportedError({
      where: name,
      found: `.npy version ${version}`,
      expected: "version 1, 2 or 3",
      features: [`npy version ${version}`],
    });
  }
  if (version > 1 && prefix.length < NPY_PREFIX_BYTES) {
    throw formatError(name, 8, "the file ends inside the header", "a complete header");
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const [headerBytes, start] =
    version === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new LimitError({
      where: name,
      found: `a header of ${headerBytes} bytes`,
      expected: `at most ${MAX_HEADER_BYTES}`,
      limit: "npy header bytes",
      value: headerBytes,
      max: MAX_HEADER_BYTES,
    });
  }
  return start + headerBytes;
}

/**
 * Parses the header; `bytes` holds at least the header, or the whole file.
 * @throws {FormatError | UnsupportedError | LimitError}
 */
export function parseNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const byteOffset = npyDataOffset(bytes.subarray(0, NPY_PREFIX_BYTES), name);
  if (byteOffset > bytes.length) {
    throw formatError(name, bytes.length, "the file ends inside the header", `${byteOffset} bytes`);
  }
  const version = bytes[6];
  const text = new TextDecoder(version === 3 ? "utf-8" : "latin1").decode(
    bytes.subarray(version === 1 ? 10 : 12, byteOffset),
  );
  const fields = new DictionaryReader(text, name).read();
  const description = fields.get("descr");
  const fortranOrder = fields.get("fortran_order");
  const shape = fields.get("shape");
  if (
    typeof description !== "string" ||
    typeof fortranOrder !== "boolean" ||
    !Array.isArray(shape)
  ) {
    throw formatError(
      name,
      10,
      `header ${text.trim()}`,
      "the fields 'descr' (one element type), 'fortran_order' and 'shape'",
    );
  }
  return { description, fortranOrder, shape, byteOffset };
}

/** Encodes a version 1 header for elements in C order. */
export function encodeNpyHeader(description: string, shape: Shape): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const total = Math.ceil((10 + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  assert(total - 10 <= 0xffff, "an .npy header of our own fits version 1");
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([...MAGIC, 1, 0, (total - 10) & 0xff, (total - 10) >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[total - 1] = 0x0a;
  return bytes;
}

type Field = string | boolean | number[];

/**
 * Reads the one form of Python literal that headers have: a flat dictionary of strings, booleans and tuples of
 * integers. Works through the text once, from left to right.
 */
class DictionaryReader {
  readonly #text: string;
  readonly #name: string;
  #position = 0;

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
  }

  read(): Map<string, Field> {
    const fields = new Map<string, Field>();
    this.#take(/\s*\{\s*/y, "a dictionary");
    while (this.#skip(/\}\s*/y) === undefined) {
      const key = this.#string("a field name");
      this.#take(/\s*:\s*/y, "a colon");
      fields.set(key, this.#field());
      if (this.#skip(/\s*,\s*/y) === undefined) this.#skip(/\s*(?=\})/y) ?? this.#fail("a comma");
    }
    if (this.#position !== this.#text.length) this.#fail("the end of the header");
    return fields;
  }

  #field(): Field {
    const word = this.#skip(/True|False/y);
    if (word !== undefined) return word === "True";
    if (this.#skip(/\(\s*/y) !== undefined) return this.#tuple();
    if (this.#text[this.#position] === "[") {
      throw new UnsupportedError({
        where: this.#name,
        found: "an array of records",
        expected: "one element type",
        remedy: "Store each field as an array of its own",
        features: ["npy structured types"],
      });
    }
    return this.#string("a string, a boolean or a tuple");
  }

  #tuple(): number[] {
    const sizes: number[] = [];
    while (this.#skip(/\)/y) === undefined) {
      const size = Number(this.#take(/\d{1,16}/y, "a dimension"));
      if (!Number.isSafeInteger(size)) this.#fail("a dimension below 2^53");
      sizes.push(size);
      if (sizes.length > MAX_RANK) this.#fail(`at most ${MAX_RANK} dimensions`);
      // Python 2 wrote long integers as 3L.
      this.#skip(/L?\s*/y);
      if (this.#skip(/,\s*/y) === undefined && this.#text[this.#position] !== ")") {
        this.#fail("a comma");
      }
    }
    return sizes;
  }

  #string(expected: string): string {
    return this.#take(/'[^'\\]*'|"[^"\\]*"/y, expected).slice(1, -1);
  }

  #take(pattern: RegExp, expected: string): string {
    return this.#skip(pattern) ?? this.#fail(expected);
  }

  /** Moves past the pattern where it matches here. */
  #skip(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#position += found.length;
    return found;
  }

  #fail(expected: string): never {
    const rest = this.#text.slice(this.#position, this.#position + 20);
    const found = rest === "" ? "the header ends" : `'${rest}' in the header`;
    throw formatError(this.#name, 10 + this.#position, found, expected);
  }
}

function formatError(
  where: string,
  byteOffset: number,
  found: string,
  expected: string,
): FormatError {
  return new FormatError({ where, found, expected, format: "npy", byteOffset });
}
