/** Four-bit storage: element 0 in the low nibble, over the flattened tensor; an odd count leaves the last high nibble 0. */

/** Packs integers −8 … 7 two to a byte, into `packed` or new memory. */
export function packInt4(
  values: Int8Array,
  packed: Uint8Array = new Uint8Array(Math.ceil(values.length / 2)),
): Uint8Array {
  const pairs = values.length >> 1;
  for (let pair = 0; pair < pairs; pair++) {
    packed[pair] = (values[2 * pair]! & 0xf) | (values[2 * pair + 1]! << 4);
  }
  if (values.length % 2 === 1) packed[pairs] = values[values.length - 1]! & 0xf;
  return packed;
}

/** The first `count` integers of packed bytes. */
export function unpackInt4(packed: Uint8Array, count: number): Int8Array {
  const values = new Int8Array(count);
  for (let index = 0; index < count; index++) {
    const byte = packed[index >> 1]!;
    values[index] = index % 2 === 0 ? (byte << 28) >> 28 : (byte << 24) >> 28;
  }
  return values;
}
