/**
 * Half floats (IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits) held as their 16 bits, because Float16Array is
 * not there on every host that this library serves.
 */

/** Largest finite half float. */
export const FLOAT16_MAX = 65504;

/**
 * Widens half floats; exact, infinities and NaN included.
 * `out` must have as many elements as `bits`.
 */
export function widenFloat16(bits: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let index = 0; index < bits.length; index++) words[index] = float32Bits(bits[index]!);
}

/** The value of one half float. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Narrows one number, first to float32, then to the nearest half float, ties to even; beyond 65504 + 16 to infinity. */
export function toFloat16(value: number): number {
  const float = new Float32Array([value]);
  return float16Bits(new Uint32Array(float.buffer)[0]!);
}

/** Narrows float32 values to the nearest half floats, ties to even; beyond the range to infinity, NaN stays NaN. */
export function narrowFloat16(values: Float32Array, out: Uint16Array): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < words.length; index++) out[index] = float16Bits(words[index]!);
}

/** float32 bits → float16 bits, nearest, ties to even. */
function float16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // NaN stays quiet and keeps the upper bits of its payload, as processors do it.
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude & 0x7fffff) >> 13);
  // 0x477ff000 is 65520, half way between 65504 and the next step: it and all above round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal: rebias the exponent from 127 to 15, then round away the 13 lowest bits.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13);
  }
  if (magnitude < 0x33000000) return sign;
  // Subnormal: the result counts units of 2^-24.
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = 1 << (shift - 1);
  const kept = mantissa >> shift;
  const rest = mantissa & ((1 << shift) - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

/** float16 bits → float32 bits. */
function float32Bits(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // Subnormal: shift the leading one up to the implicit place.
  const lift = Math.clz32(fraction) - 21;
  return sign | ((113 - lift) << 23) | (((fraction << lift) & 0x3ff) << 13);
}
