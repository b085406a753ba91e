/**
 * Reading FlexBuffers, the schemaless cousin of FlatBuffers that custom operators keep their options in: one tree of
 * numbers, strings, lists and maps, its root at the end of the bytes. Offsets point backward. Sizes are checked against
 * the bytes before anything is allocated; depth and node count are limited. Format: google.github.io/flatbuffers,
 * "FlexBuffers".
 */
import { FormatError, LimitError } from "../../base/errors.ts";

/** A value of the tree. 64-bit integers that no number holds exactly are rounded. */
export type FlexValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly FlexValue[]
  | FlexMap;

export type FlexMap = ReadonlyMap<string, FlexValue>;

/** Deepest nesting and most values that are read; options of operators have one map of some ten entries. */
const MAX_DEPTH = 32;
const MAX_VALUES = 65_536;

/** What the upper six bits of a packed type say. */
const TYPE = {
  NULL: 0,
  INT: 1,
  UINT: 2,
  FLOAT: 3,
  KEY: 4,
  STRING: 5,
  INDIRECT_INT: 6,
  INDIRECT_UINT: 7,
  INDIRECT_FLOAT: 8,
  MAP: 9,
  VECTOR: 10,
  VECTOR_INT: 11,
  VECTOR_KEY: 14,
  VECTOR_STRING: 15,
  VECTOR_INT2: 16,
  VECTOR_FLOAT4: 24,
  BLOB: 25,
  BOOL: 26,
  VECTOR_BOOL: 36,
} as const;

/**
 * Parses the whole tree.
 *
 * @throws {FormatError} when offsets, sizes or types are not what the format allows.
 * @throws {LimitError} when the tree is deeper or larger than options ever are.
 */
export function parseFlexbuffer(bytes: Uint8Array, name = "flexbuffer"): FlexValue {
  return new Reader(bytes, name).root();
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  #values = 0;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  root(): FlexValue {
    const end = this.#bytes.length;
    if (end < 3) throw this.#malformed(0, `${end} bytes`, "at least 3");
    const width = this.#width(this.#bytes[end - 1]!, end - 1);
    return this.#value(end - 2 - width, width, this.#bytes[end - 2]!, 0);
  }

  /** The value whose slot of `width` bytes is at `at`; `packed` is its type and the width of what it points to. */
  #value(at: number, width: number, packed: number, depth: number): FlexValue {
    this.#count(depth);
    const type = packed >> 2;
    const childWidth = 1 << (packed & 3);
    switch (type) {
      case TYPE.NULL:
        return null;
      case TYPE.BOOL:
        return this.#unsigned(at, width) !== 0;
      case TYPE.INT:
        return this.#signed(at, width);
      case TYPE.UINT:
        return this.#unsigned(at, width);
      case TYPE.FLOAT:
        return this.#float(at, width);
      case TYPE.INDIRECT_INT:
        return this.#signed(this.#target(at, width), childWidth);
      case TYPE.INDIRECT_UINT:
        return this.#unsigned(this.#target(at, width), childWidth);
      case TYPE.INDIRECT_FLOAT:
        return this.#float(this.#target(at, width), childWidth);
      case TYPE.KEY:
        return this.#key(this.#target(at, width));
      case TYPE.STRING:
        return new TextDecoder().decode(this.#sized(this.#target(at, width), childWidth));
      case TYPE.BLOB:
        return this.#sized(this.#target(at, width), childWidth);
      case TYPE.MAP:
        return this.#map(this.#target(at, width), childWidth, depth);
      case TYPE.VECTOR:
        return this.#vector(this.#target(at, width), childWidth, depth);
    }
    return this.#typedVector(this.#target(at, width), childWidth, type, depth);
  }

  #map(at: number, width: number, depth: number): FlexMap {
    const values = this.#vector(at, width, depth);
    const keysAt = this.#target(at - 3 * width, width);
    const keyWidth = this.#width(this.#unsigned(at - 2 * width, width), at - 2 * width);
    const map = new Map<string, FlexValue>();
    values.forEach((value, i) => {
      map.set(this.#key(this.#target(keysAt + i * keyWidth, keyWidth)), value);
    });
    return map;
  }

  #vector(at: number, width: number, depth: number): FlexValue[] {
    const length = this.#length(at, width, width + 1);
    const types = at + length * width;
    return Array.from({ length }, (_, i) =>
      this.#value(at + i * width, width, this.#bytes[types + i]!, depth + 1),
    );
  }

  /** Vectors whose elements share a type: of any length, or of the 2 to 4 that the type says. */
  #typedVector(at: number, width: number, type: number, depth: number): FlexValue[] {
    let element: number;
    let length: number;
    if (type >= TYPE.VECTOR_INT2 && type <= TYPE.VECTOR_FLOAT4) {
      element = TYPE.INT + ((type - TYPE.VECTOR_INT2) % 3);
      length = 2 + Math.floor((type - TYPE.VECTOR_INT2) / 3);
      this.#require(at, length * width);
    } else if (
      type === TYPE.VECTOR_BOOL ||
      (type >= TYPE.VECTOR_INT && type <= TYPE.VECTOR_STRING)
    ) {
      element = type === TYPE.VECTOR_BOOL ? TYPE.BOOL : type - TYPE.VECTOR_INT + TYPE.INT;
      length = this.#length(at, width, width);
    } else {
      throw this.#malformed(at, `type ${type}`, "a type of the format");
    }
    return Array.from({ length }, (_, i) =>
      this.#value(at + i * width, width, element << 2, depth + 1),
    );
  }

  #key(at: number): string {
    const end = this.#bytes.indexOf(0, at);
    if (end < 0) throw this.#malformed(at, "a key without an end", "a zero byte behind it");
    return new TextDecoder().decode(this.#bytes.subarray(at, end));
  }

  #sized(at: number, width: number): Uint8Array {
    return this.#bytes.subarray(at, at + this.#length(at, width, 1));
  }

  /** The length in front of `at`, whose elements of `elementBytes` must be there. */
  #length(at: number, width: number, elementBytes: number): number {
    const length = this.#unsigned(at - width, width);
    this.#require(at, length * elementBytes);
    return length;
  }

  #target(at: number, width: number): number {
    const target = at - this.#unsigned(at, width);
    this.#require(target, 0);
    return target;
  }

  #signed(at: number, width: number): number {
    this.#require(at, width);
    if (width === 8) return Number(this.#view.getBigInt64(at, true));
    if (width === 4) return this.#view.getInt32(at, true);
    return width === 2 ? this.#view.getInt16(at, true) : this.#view.getInt8(at);
  }

  #unsigned(at: number, width: number): number {
    this.#require(at, width);
    if (width === 8) return Number(this.#view.getBigUint64(at, true));
    if (width === 4) return this.#view.getUint32(at, true);
    return width === 2 ? this.#view.getUint16(at, true) : this.#view.getUint8(at);
  }

  #float(at: number, width: number): number {
    this.#require(at, width);
    if (width === 8) return this.#view.getFloat64(at, true);
    if (width === 4) return this.#view.getFloat32(at, true);
    throw this.#malformed(at, `a float of ${width} bytes`, "4 or 8");
  }

  #width(value: number, at: number): number {
    if (value === 1 || value === 2 || value === 4 || value === 8) return value;
    throw this.#malformed(at, `width ${value}`, "1, 2, 4 or 8");
  }

  #require(at: number, length: number): void {
    if (at >= 0 && length >= 0 && at + length <= this.#bytes.length) return;
    const found = `${length} bytes at offset ${at} of ${this.#bytes.length}`;
    throw this.#malformed(Math.max(0, at), found, "bytes within the buffer");
  }

  #count(depth: number): void {
    this.#values++;
    if (depth <= MAX_DEPTH && this.#values <= MAX_VALUES) return;
    const tooDeep = depth > MAX_DEPTH;
    throw new LimitError({
      where: this.#name,
      found: tooDeep ? `nesting deeper than ${MAX_DEPTH}` : `more than ${MAX_VALUES} values`,
      limit: tooDeep ? "flexbuffer depth" : "flexbuffer values",
      value: tooDeep ? depth : this.#values,
      max: tooDeep ? MAX_DEPTH : MAX_VALUES,
    });
  }

  #malformed(byteOffset: number, found: string, expected: string): FormatError {
    return new FormatError({
      format: "flexbuffer",
      where: this.#name,
      byteOffset,
      found,
      expected,
    });
  }
}
