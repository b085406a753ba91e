/** Huffman codes and the bits of a scan. ITU-T T.81 annexes C and F.2.2. */

/**
 * Codes of up to 16 bits. `lookup` answers for the next 8 bits at once: symbol + 256 × length, or 0 for longer codes,
 * which compare with the largest code of each length.
 */
export interface HuffmanTable {
  readonly lookup: Uint16Array;
  /** Largest code of each length 1 to 16, or -1. */
  readonly largest: Int32Array;
  /** Index into `symbols` of a code: code + offset of its length. */
  readonly offset: Int32Array;
  readonly symbols: Uint8Array;
}

const LOOKUP_BITS = 8;

/** Numbers the codes by length; undefined when there are more of a length than fit. */
export function planHuffman(lengths: Uint8Array, symbols: Uint8Array): HuffmanTable | undefined {
  const lookup = new Uint16Array(1 << LOOKUP_BITS);
  const largest = new Int32Array(17).fill(-1);
  const offset = new Int32Array(17);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    const count = lengths[length - 1] ?? 0;
    if (code + count > 1 << length) return undefined;
    offset[length] = index - code;
    for (let i = 0; i < count; i++, code++, index++) {
      if (length > LOOKUP_BITS) continue;
      const first = code << (LOOKUP_BITS - length);
      const entry = (length << 8) | (symbols[index] ?? 0);
      lookup.fill(entry, first, first + (1 << (LOOKUP_BITS - length)));
    }
    if (count > 0) largest[length] = code - 1;
    code <<= 1;
  }
  return { lookup, largest, offset, symbols: symbols.slice() };
}

/**
 * Reads bits, most significant first, and drops the zero byte that follows each 0xFF. At a marker or the end of the file
 * it delivers zeros, as decoders do, and counts them; `isExhausted` tells when they were needed.
 */
export class BitReader {
  readonly #bytes: Uint8Array;
  #position: number;
  #bits = 0;
  #bitCount = 0;
  #padding = 0;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.#position = position;
  }

  /** Where the next marker is, or is to be looked for. */
  get position(): number {
    return this.#position;
  }

  /** Whether bits were used that the file does not have. */
  get isExhausted(): boolean {
    return this.#padding > this.#bitCount;
  }

  bit(): number {
    return this.bits(1);
  }

  /** The next `count` bits, 0 to 16, as an unsigned number. */
  bits(count: number): number {
    if (count === 0) return 0;
    this.#fill(count);
    this.#bitCount -= count;
    return (this.#bits >> this.#bitCount) & ((1 << count) - 1);
  }

  /** `count` bits as a signed difference: a leading 0 stands for negative numbers (T.81 F.2.2.1, EXTEND). */
  signed(count: number): number {
    const value = this.bits(count);
    return count === 0 || value >= 1 << (count - 1) ? value : value - (1 << count) + 1;
  }

  /** The next symbol; -1 for a code that is not in the table. */
  symbol(table: HuffmanTable): number {
    this.#fill(16);
    const window = (this.#bits >> (this.#bitCount - 16)) & 0xffff;
    const entry = table.lookup[window >> (16 - LOOKUP_BITS)]!;
    if (entry !== 0) {
      this.#bitCount -= entry >> 8;
      return entry & 0xff;
    }
    for (let length = LOOKUP_BITS + 1; length <= 16; length++) {
      const code = window >> (16 - length);
      if (code > table.largest[length]!) continue;
      this.#bitCount -= length;
      return table.symbols[code + table.offset[length]!] ?? -1;
    }
    return -1;
  }

  /** Drops the bits that are left and moves past a restart marker; false when there is none. */
  restart(): boolean {
    this.#bits = 0;
    this.#bitCount = 0;
    this.#padding = 0;
    const marker = this.#bytes[this.#position + 1] ?? 0;
    if (this.#bytes[this.#position] !== 0xff || marker < 0xd0 || marker > 0xd7) return false;
    this.#position += 2;
    return true;
  }

  /** Makes at least `count` bits ready; there are never more than 24. */
  #fill(count: number): void {
    while (this.#bitCount < count) {
      const byte = this.#nextByte();
      this.#bits = ((this.#bits << 8) | byte) & 0xffffff;
      this.#bitCount += 8;
    }
  }

  #nextByte(): number {
    const byte = this.#bytes[this.#position];
    if (byte === undefined || (byte === 0xff && this.#bytes[this.#position + 1] !== 0)) {
      this.#padding += 8;
      return 0;
    }
    this.#position += byte === 0xff ? 2 : 1;
    return byte;
  }
}
