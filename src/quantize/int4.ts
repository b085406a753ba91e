/** Four-bit storage: element 0 in the low nibble, over the flattened tensor; an odd count leaves the last high nibble 0. */

/** Packs integers −8 … 7 two to a byte. */
export function packInt4(values: Int8Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(values.length / 2));
  const pairs = values.length >> 1;
  for (let pair = 0; pair < pairs; pair++) {
    packed[pair] = (values[2 * pair]! & 0xf) | (values[2 * pair + 1]! << 4);
  }
  if (values.length % 2 === 1) packed[pairs] = values[values.length - 1]! & 0xf;
  return packed;
}
