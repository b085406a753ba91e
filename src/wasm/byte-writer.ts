/** A growing byte array with the encodings that the WebAssembly binary format uses. */

export class ByteWriter {
  #bytes = new Uint8Array(256);
  /** One number on its way from a float to bytes; little-endian, as the format is. */
  readonly #number = new DataView(new ArrayBuffer(8));
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** An opcode and an immediate in unsigned LEB128, which is nearly all that code is made of. */
  opcode(code: number, immediate: number): void {
    if (immediate >= 0x4000 || this.#length + 3 > this.#bytes.length) {
      this.byte(code);
      this.u32(immediate);
      return;
    }
    this.#bytes[this.#length++] = code;
    if (immediate >= 0x80) {
      this.#bytes[this.#length++] = (immediate & 0x7f) | 0x80;
      this.#bytes[this.#length++] = immediate >> 7;
    } else {
      this.#bytes[this.#length++] = immediate;
    }
  }

  bytes(values: Uint8Array): void {
    this.#reserve(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  /** Unsigned LEB128 of an integer in [0, 2^32). */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of an int32. */
  s32(value: number): void {
    let rest = value | 0;
    while (rest < -0x40 || rest >= 0x40) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  /** Signed LEB128 of an int64. */
  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  f32(value: number): void {
    this.#number.setFloat32(0, value, true);
    this.bytes(new Uint8Array(this.#number.buffer, 0, 4));
  }

  f64(value: number): void {
    this.#number.setFloat64(0, value, true);
    this.bytes(new Uint8Array(this.#number.buffer));
  }

  /** A name: UTF-8 bytes behind their count. */
  name(text: string): void {
    this.sized(new TextEncoder().encode(text));
  }

  /** Bytes behind their count. */
  sized(values: Uint8Array): void {
    this.u32(values.length);
    this.bytes(values);
  }

  /** What has been written so far; a copy. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
