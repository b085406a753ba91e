/**
 * Reader of the protobuf wire format (protobuf.dev/programming-guides/encoding). Bytes are hostile: every length is
 * checked against the message around it, nesting is limited, and whatever does not fit is a FormatError with its place.
 * Fields that a message's reader does not know are skipped.
 *
 * A message is read by a function that loops over `next()` and switches on `field`:
 *
 *     while (wire.next()) {
 *       if (wire.field === 1) name = wire.string();
 *       else wire.skip();
 *     }
 */
import { FormatError } from "../../base/errors.ts";

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED32 = 5;
/** Stands for the wire type of numbers in a packed run. */
const PACKED = -1;

/** Deepest nesting of messages; TensorFlow's own files stay below 20. */
const MAX_DEPTH = 64;
/** Strings up to this length are read without a TextDecoder, which costs more than they do. */
const SHORT_STRING = 48;

/** Reads one message from the reader's present range. */
export type ReadMessage<T> = (wire: WireReader) => T;

/**
 * Decodes a whole message. `bytes` fields of the result alias `bytes`.
 *
 * @throws {FormatError} when the bytes are not such a message: truncated, garbage, nested too deeply.
 */
export function parseMessage<T>(read: ReadMessage<T>, bytes: Uint8Array, where: string): T {
  return read(new WireReader(bytes, where));
}

export class WireReader {
  /** Number of the field at hand. */
  field = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;
  readonly #decoder = new TextDecoder();
  #position = 0;
  #end: number;
  #wireType = 0;
  #depth = 0;
  /** The number that was read last, in two halves. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
    this.#end = bytes.length;
  }

  /** Moves to the next field of the message; false at its end. */
  next(): boolean {
    if (this.#position >= this.#end) return false;
    this.#readVarint();
    this.field = this.#low >>> 3;
    this.#wireType = this.#low & 7;
    if (this.#high !== 0 || this.field === 0) throw this.#malformed("a field without a number");
    return true;
  }

  /** Passes over the field at hand. */
  skip(): void {
    this.#skip(this.#wireType, this.field, this.#depth);
  }

  /** A message in a field of its own. */
  message<T>(read: ReadMessage<T>): T {
    const outerEnd = this.#openLength();
    if (++this.#depth > MAX_DEPTH) throw this.#malformed(`messages nested ${MAX_DEPTH} deep`);
    const value = read(this);
    this.#depth--;
    this.#end = outerEnd;
    return value;
  }

  /** An entry of a map, put into `map`. Entries without a value are left out. */
  entry<T>(map: Map<string, T>, read: (wire: WireReader) => T | undefined): void {
    let key = "";
    let value: T | undefined;
    this.message((wire) => {
      while (wire.next()) {
        if (wire.field === 1) key = wire.string();
        else if (wire.field === 2) value = read(wire);
        else wire.skip();
      }
    });
    if (value !== undefined) map.set(key, value);
  }

  /** Appends one number, or a packed run of them: writers may use either form. */
  repeated<T>(list: T[], read: (wire: WireReader) => T): void {
    if (this.#wireType !== BYTES) {
      list.push(read(this));
      return;
    }
    const outerEnd = this.#openLength();
    // Within a run the numbers have no tags; the readers below must not expect one.
    this.#wireType = PACKED;
    while (this.#position < this.#end) list.push(read(this));
    this.#end = outerEnd;
  }

  bytes(): Uint8Array {
    const outerEnd = this.#openLength();
    const bytes = this.#bytes.subarray(this.#position, this.#end);
    this.#position = this.#end;
    this.#end = outerEnd;
    return bytes;
  }

  string(): string {
    const bytes = this.bytes();
    if (bytes.length > SHORT_STRING) return this.#decoder.decode(bytes);
    let text = "";
    for (const byte of bytes) {
      if (byte >= 0x80) return this.#decoder.decode(bytes);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  bool(): boolean {
    this.#expect(VARINT);
    this.#readVarint();
    return this.#low !== 0 || this.#high !== 0;
  }

  /** int32 and enumerations. */
  int32(): number {
    this.#expect(VARINT);
    this.#readVarint();
    return this.#low | 0;
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  /** int64 as a number: exact up to 2^53, rounded beyond. */
  int64(): number {
    this.#expect(VARINT);
    this.#readVarint();
    return (this.#high | 0) * 2 ** 32 + (this.#low >>> 0);
  }

  bigInt64(): bigint {
    return BigInt.asIntN(64, this.bigUint64());
  }

  bigUint64(): bigint {
    this.#expect(VARINT);
    this.#readVarint();
    return (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0);
  }

  fixed32(): number {
    return this.#view.getUint32(this.#take(FIXED32, 4), true);
  }

  float(): number {
    return this.#view.getFloat32(this.#take(FIXED32, 4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#take(FIXED64, 8), true);
  }

  /** Narrows the range to a length-prefixed value and returns the end of the one around it. */
  #openLength(): number {
    this.#expect(BYTES);
    this.#readVarint();
    const length = this.#low >>> 0;
    if (this.#high !== 0 || length > this.#end - this.#position) {
      const left = this.#end - this.#position;
      throw this.#malformed(`a value of ${length} bytes where ${left} are left`);
    }
    const outerEnd = this.#end;
    this.#end = this.#position + length;
    return outerEnd;
  }

  #take(wireType: number, length: number): number {
    this.#expect(wireType);
    const start = this.#position;
    if (length > this.#end - start) throw this.#malformed("a number that is cut short");
    this.#position = start + length;
    return start;
  }

  #expect(wireType: number): void {
    if (this.#wireType === wireType || this.#wireType === PACKED) return;
    throw this.#malformed(`wire type ${this.#wireType} for field ${this.field}`, `${wireType}`);
  }

  /** Reads a base-128 number of at most ten bytes into `#low` and `#high`. */
  #readVarint(): void {
    const bytes = this.#bytes;
    let position = this.#position;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (position >= this.#end) break;
      const byte = bytes[position++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.#position = position;
        this.#low = low;
        this.#high = high;
        return;
      }
    }
    throw this.#malformed("a number without an end");
  }

  #skip(wireType: number, field: number, depth: number): void {
    switch (wireType) {
      case VARINT:
        this.#readVarint();
        return;
      case FIXED64:
        this.#take(FIXED64, 8);
        return;
      case BYTES:
        this.bytes();
        return;
      case FIXED32:
        this.#take(FIXED32, 4);
        return;
      case GROUP_START:
        this.#skipGroup(field, depth + 1);
        return;
      default:
        throw this.#malformed(`wire type ${wireType}`);
    }
  }

  #skipGroup(field: number, depth: number): void {
    if (depth > MAX_DEPTH) throw this.#malformed(`groups nested ${MAX_DEPTH} deep`);
    while (this.next()) {
      if (this.#wireType === GROUP_END) {
        if (this.field === field) return;
        break;
      }
      this.#skip(this.#wireType, this.field, depth);
    }
    throw this.#malformed("a group without an end");
  }

  #malformed(found: string, expected?: string): FormatError {
    return new FormatError({
      format: "protobuf",
      where: `${this.#where}, byte ${this.#position}`,
      found,
      ...(expected === undefined ? {} : { expected }),
      remedy: "Check that the file is complete and of this kind",
      byteOffset: this.#position,
    });
  }
}
