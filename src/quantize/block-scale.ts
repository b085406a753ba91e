/**
 * Scales of blocks, as half floats. They are first rounded to bfloat16 (8 significant bits), the type that XNNPACK
 * keeps them in, so that every runtime computes with the same numbers (ai-edge-quantizer,
 * uniform_quantize_tensor.py).
 */
import { toFloat16 } from "../base/float16.ts";

/** The smallest half float above 0, for blocks of zeros: a scale must be positive. */
const SMALLEST = 1;

/** Bits of the half float nearest to bfloat16(scale), at least the smallest positive one. */
export function toBlockScale(scale: number): number {
  return Math.max(SMALLEST, toFloat16(roundToBfloat16(scale)));
}

function roundToBfloat16(value: number): number {
  const float = Float32Array.of(value);
  const word = new Uint32Array(float.buffer);
  const bits = word[0]!;
  word[0] = bits + 0x7fff + ((bits >>> 16) & 1);
  word[0] = word[0] & 0xffff0000;
  return float[0]!;
}
