/**
 * From coefficients to samples, with the fast integer transform that TensorFlow's JPEG decoder uses: the method of Arai,
 * Agui and Nakajima in 8-bit fixed point without rounding. It is a little less exact than the usual one; models were
 * trained on, and are measured with, what it yields. Bit-exact with libjpeg-turbo's JDCT_IFAST (jidctfst.c).
 */
import type { Component } from "./frame.ts";

/** Row-major place of each coefficient in zigzag order. */
const NATURAL_ORDER = zigzag();

/** A component's samples, uint8[rows, stride]; only `width` × `height` of them belong to the image. */
export interface Plane {
  readonly samples: Uint8Array;
  readonly stride: number;
  readonly width: number;
  readonly height: number;
}

/** Transforms all blocks of a component. `quantization` has 64 steps in zigzag order. */
export function transformComponent(component: Component, quantization: Uint16Array): Plane {
  const { blockStride, blocksHigh, coefficients } = component;
  const stride = blockStride * 8;
  const samples = new Uint8Array(stride * blocksHigh * 8);
  const multipliers = planMultipliers(quantization);
  const work = new Int32Array(64);
  for (let row = 0; row < blocksHigh; row++) {
    for (let column = 0; column < blockStride; column++) {
      const at = (row * blockStride + column) * 64;
      const block = coefficients.subarray(at, at + 64);
      transformBlock(block, multipliers, work, samples, row * 8 * stride + column * 8, stride);
    }
  }
  return { samples, stride, width: component.width, height: component.height };
}

function transformBlock(
  block: Int16Array,
  multipliers: Int32Array,
  work: Int32Array,
  samples: Uint8Array,
  start: number,
  stride: number,
): void {
  let isFlat = true;
  for (let index = 0; index < 64; index++) {
    const coefficient = block[index]!;
    if (coefficient !== 0 && index > 0) isFlat = false;
    work[NATURAL_ORDER[index]!] = coefficient * multipliers[index]!;
  }
  if (isFlat) {
    work.fill(work[0]!);
  } else {
    for (let line = 0; line < 8; line++) transformLine(work, line, 8);
    for (let line = 0; line < 64; line += 8) transformLine(work, line, 1);
  }
  for (let index = 0; index < 64; index++) {
    const sample = (work[index]! >> 5) + 128;
    samples[start + (index >> 3) * stride + (index & 7)] = Math.min(255, Math.max(0, sample));
  }
}

/**
 * Steps times the transform's own scales: step × s(u) × s(v) with s(0) = 1 and s(k) = √2 cos(kπ/16), the scales in 14 bits
 * and the result in 2.
 */
function planMultipliers(quantization: Uint16Array): Int32Array {
  const scale = (k: number) => (k === 0 ? 1 : Math.SQRT2 * Math.cos((k * Math.PI) / 16));
  return Int32Array.from(quantization, (step, index) => {
    const place = NATURAL_ORDER[index]!;
    const both = Math.round(16384 * scale(place >> 3) * scale(place & 7));
    return (step * both + 2048) >> 12;
  });
}

/** One-dimensional transform of eight values, `step` apart. Factors are in 8 bits: 362/256 = √2, and so on. */
function transformLine(work: Int32Array, start: number, step: number): void {
  const at = (index: number) => work[start + index * step]!;
  const even0 = at(0) + at(4);
  const even1 = at(0) - at(4);
  const even3 = at(2) + at(6);
  const even2 = (((at(2) - at(6)) * 362) >> 8) - even3;
  const sum0 = even0 + even3;
  const sum3 = even0 - even3;
  const sum1 = even1 + even2;
  const sum2 = even1 - even2;

  const z13 = at(5) + at(3);
  const z10 = at(5) - at(3);
  const z11 = at(1) + at(7);
  const z12 = at(1) - at(7);
  const odd7 = z11 + z13;
  const z5 = ((z10 + z12) * 473) >> 8;
  const odd6 = ((z10 * -669) >> 8) + z5 - odd7;
  const odd5 = (((z11 - z13) * 362) >> 8) - odd6;
  const odd4 = ((z12 * 277) >> 8) - z5 + odd5;

  work[start] = sum0 + odd7;
  work[start + 7 * step] = sum0 - odd7;
  work[start + step] = sum1 + odd6;
  work[start + 6 * step] = sum1 - odd6;
  work[start + 2 * step] = sum2 + odd5;
  work[start + 5 * step] = sum2 - odd5;
  work[start + 4 * step] = sum3 + odd4;
  work[start + 3 * step] = sum3 - odd4;
}

/** Walks the diagonals of an 8 × 8 block: to the right and up, then down and to the left. */
function zigzag(): Uint8Array {
  const places = Array.from({ length: 64 }, (_, place) => place);
  const diagonal = (place: number) => (place >> 3) + (place & 7);
  places.sort((a, b) => {
    if (diagonal(a) !== diagonal(b)) return diagonal(a) - diagonal(b);
    return diagonal(a) % 2 === 0 ? b - a : a - b;
  });
  return Uint8Array.from(places);
}
