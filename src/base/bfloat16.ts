/** bfloat16: the upper 16 bits of a float32 (1 sign, 8 exponent, 7 fraction bits), held as those bits. */

/** The value of one bfloat16; exact, infinities and NaN included. */
export function fromBfloat16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}

/** Narrows one number, first to float32, then to the nearest bfloat16, ties to even; NaN becomes 0x7fc0. */
export function toBfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  return Number.isNaN(value) ? 0x7fc0 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
