const MASK_DELTA = 0xa282ead8;

/** The form in which checksums are stored: rotated right by 15 and offset, so that a CRC over CRCs stays useful. */
export function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
