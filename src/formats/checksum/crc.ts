/**
 * Cyclic redundancy checks of 32 bits with reflected polynomials, eight bytes a step ("slicing by 8": Kounavis and
 * Berry, 2005). Tables are made at first use.
 */

/** The checksum of `bytes`; `previous` is the checksum of what came before them. */
export type Checksum = (bytes: Uint8Array, previous?: number) => number;

/** CRC-32, as in zip, PNG and Ethernet. */
export const crc32: Checksum = checksumOf(0xedb88320);

/** CRC-32C (Castagnoli), as in TensorFlow's checkpoints and in iSCSI. */
export const crc32c: Checksum = checksumOf(0x82f63b78);

function checksumOf(polynomial: number): Checksum {
  let tables: Uint32Array | undefined;
  return (bytes, previous = 0) => {
    tables ??= makeTables(polynomial);
    return ~update(tables, bytes, ~previous) >>> 0;
  };
}

function makeTables(polynomial: number): Uint32Array {
  const made = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    made[byte] = crc;
  }
  for (let slice = 1; slice < 8; slice++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = made[(slice - 1) * 256 + byte]!;
      made[slice * 256 + byte] = (previous >>> 8) ^ made[previous & 0xff]!;
    }
  }
  return made;
}

function update(table: Uint32Array, bytes: Uint8Array, start: number): number {
  let crc = start;
  let offset = 0;
  const last = bytes.length - 7;
  for (; offset < last; offset += 8) {
    const low =
      crc ^
      (bytes[offset]! |
        (bytes[offset + 1]! << 8) |
        (bytes[offset + 2]! << 16) |
        (bytes[offset + 3]! << 24));
    crc =
      table[1792 + (low & 0xff)]! ^
      table[1536 + ((low >>> 8) & 0xff)]! ^
      table[1280 + ((low >>> 16) & 0xff)]! ^
      table[1024 + (low >>> 24)]! ^
      table[768 + bytes[offset + 4]!]! ^
      table[512 + bytes[offset + 5]!]! ^
      table[256 + bytes[offset + 6]!]! ^
      table[bytes[offset + 7]!]!;
  }
  for (; offset < bytes.length; offset++) {
    crc = (crc >>> 8) ^ table[(crc ^ bytes[offset]!) & 0xff]!;
  }
  return crc;
}
