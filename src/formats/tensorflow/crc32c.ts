/**
 * CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, as checkpoints and their index use it, eight bytes a step
 * ("slicing by 8"). The tables are made at first use.
 */

const POLYNOMIAL = 0x82f63b78;
const MASK_DELTA = 0xa282ead8;

let tables: Uint32Array | undefined;

function makeTables(): Uint32Array {
  const made = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
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

/** CRC-32C of `bytes`; `previous` is the checksum of what came before them. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  tables ??= makeTables();
  const table = tables;
  let crc = ~previous;
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
  return ~crc >>> 0;
}

/** The form in which checksums are stored: rotated right by 15 and offset, so that a CRC over CRCs stays useful. */
export function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
