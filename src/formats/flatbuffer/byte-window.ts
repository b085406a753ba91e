/**
 * Checked little-endian reads at absolute positions of a file, of which only some ranges may be in memory. The whole
 * file in one range is the usual case; large files leave out the ranges that hold constant data.
 */
import { FormatError } from "../../base/errors.ts";

/** A part of the file that is in memory. */
export interface Segment {
  /** Position in the file of the first byte. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Bytes of the file that are not in memory. */
export class LeftOut {
  readonly position: number;
  readonly byteLength: number;

  constructor(position: number, byteLength: number) {
    this.position = position;
    this.byteLength = byteLength;
  }
}

interface OpenSegment {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Reads that throw FormatError where the file ends or where its bytes were left out. */
export class ByteWindow {
  /** Length of the file, whether in memory or not. */
  readonly byteLength: number;
  readonly #name: string;
  readonly #format: string;
  readonly #segments: readonly OpenSegment[];
  #current: OpenSegment;
  #extent = 0;

  /** `segments` in ascending order without overlap. `name` and `format` are for messages. */
  constructor(segments: readonly Segment[], byteLength: number, name: string, format: string) {
    this.byteLength = byteLength;
    this.#name = name;
    this.#format = format;
    this.#segments = segments.map(({ start, bytes }) => ({
      start,
      end: start + bytes.byteLength,
      bytes,
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    }));
    this.#current = this.#segments[0] ?? {
      start: 0,
      end: 0,
      bytes: new Uint8Array(0),
      view: new DataView(new ArrayBuffer(0)),
    };
  }

  /** Where the last byte ends that was read so far: behind it is nothing that belongs to the flatbuffer. */
  get extent(): number {
    return this.#extent;
  }

  uint8(position: number, what: string): number {
    const segment = this.#at(position, 1, what);
    return segment.view.getUint8(position - segment.start);
  }

  int8(position: number, what: string): number {
    const segment = this.#at(position, 1, what);
    return segment.view.getInt8(position - segment.start);
  }

  uint16(position: number, what: string): number {
    const segment = this.#at(position, 2, what);
    return segment.view.getUint16(position - segment.start, true);
  }

  int32(position: number, what: string): number {
    const segment = this.#at(position, 4, what);
    return segment.view.getInt32(position - segment.start, true);
  }

  uint32(position: number, what: string): number {
    const segment = this.#at(position, 4, what);
    return segment.view.getUint32(position - segment.start, true);
  }

  float32(position: number, what: string): number {
    const segment = this.#at(position, 4, what);
    return segment.view.getFloat32(position - segment.start, true);
  }

  int64(position: number, what: string): bigint {
    const segment = this.#at(position, 8, what);
    return segment.view.getBigInt64(position - segment.start, true);
  }

  uint64(position: number, what: string): bigint {
    const segment = this.#at(position, 8, what);
    return segment.view.getBigUint64(position - segment.start, true);
  }

  /** The bytes themselves, not a copy. */
  bytes(position: number, byteLength: number, what: string): Uint8Array {
    const segment = this.#at(position, byteLength, what);
    return segment.bytes.subarray(position - segment.start, position - segment.start + byteLength);
  }

  /** The bytes themselves, or where they are when they were left out. */
  large(position: number, byteLength: number, what: string): Uint8Array | LeftOut {
    if (byteLength === 0) return new Uint8Array(0);
    const inside = position >= 0 && position + byteLength <= this.byteLength;
    if (!inside || this.#find(position, byteLength) !== undefined) {
      return this.bytes(position, byteLength, what);
    }
    this.#extent = Math.max(this.#extent, position + byteLength);
    return new LeftOut(position, byteLength);
  }

  /** An error about the bytes at `position`. */
  error(position: number, what: string, found: string, expected: string): FormatError {
    return new FormatError({
      where: `${this.#name}, byte ${position}, ${what}`,
      found,
      expected,
      remedy: "The file is damaged; get it again",
      format: this.#format,
      byteOffset: position,
    });
  }

  #at(position: number, byteLength: number, what: string): OpenSegment {
    const current = this.#current;
    if (position + byteLength > this.#extent) this.#extent = position + byteLength;
    if (position >= current.start && position + byteLength <= current.end) return current;
    if (position < 0 || position + byteLength > this.byteLength) {
      throw this.error(
        position,
        what,
        `${byteLength} bytes wanted`,
        `no more than the ${Math.max(0, this.byteLength - Math.max(0, position))} that are left`,
      );
    }
    const found = this.#find(position, byteLength);
    if (found === undefined) {
      throw this.error(position, what, "a reference into constant data", "one to metadata");
    }
    this.#current = found;
    return found;
  }

  /** The segment that holds all of the range. */
  #find(position: number, byteLength: number): OpenSegment | undefined {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const end = this.#segments[middle]?.end ?? 0;
      if (end <= position) low = middle + 1;
      else high = middle;
    }
    const candidate = this.#segments[low];
    if (candidate === undefined || position < candidate.start) return undefined;
    return position + byteLength <= candidate.end ? candidate : undefined;
  }
}
