/**
 * How the elements of a constant share scales. Row-major data is seen as [outer, slices, inner]: all elements with the
 * same middle index form one slice, and every slice has one scale. The whole tensor, a channel along any axis and a
 * block of a row are all of this kind.
 */
import { assert } from "../base/errors.ts";
import { elementCount, type Shape } from "../base/shape.ts";

/** Element (o, s, i) is at index (o × slices + s) × inner + i. */
export interface Slices {
  readonly outer: number;
  readonly slices: number;
  readonly inner: number;
}

/** One slice: the whole tensor. */
export function tensorSlices(shape: Shape): Slices {
  return { outer: 1, slices: 1, inner: elementCount(shape) };
}

/** One slice for every index along `axis`. */
export function axisSlices(shape: Shape, axis: number): Slices {
  const slices = shape[axis];
  assert(slices !== undefined, `axis ${axis} of a tensor of rank ${shape.length}`);
  return {
    outer: elementCount(shape.slice(0, axis)),
    slices,
    inner: elementCount(shape.slice(axis + 1)),
  };
}

/** One slice for every `blockSize` elements of the last axis, which they must divide. */
export function blockSlices(shape: Shape, blockSize: number): Slices {
  const columns = shape.at(-1);
  assert(
    columns !== undefined && columns % blockSize === 0,
    `${columns} columns in blocks of ${blockSize}`,
  );
  return { outer: 1, slices: elementCount(shape) / blockSize, inner: blockSize };
}

/** What a pass over the data finds. */
export interface Magnitudes {
  /** Largest finite |value| of each slice; 0 where there is none. */
  readonly largest: Float64Array;
  readonly nan: number;
  readonly infinite: number;
}

/** float32 bits of infinity: finite magnitudes have smaller bits, NaN larger ones. */
const INFINITY_BITS = 0x7f800000;

/**
 * Largest magnitude of every slice. Magnitudes are compared as integers: the bits of floats without their sign are in
 * the order of the numbers, and whatever is not finite shows itself at once.
 */
export function measureMagnitudes(
  values: Float32Array,
  { outer, slices, inner }: Slices,
): Magnitudes {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  const largestBits = new Int32Array(slices);
  let nan = 0;
  let infinite = 0;
  for (let o = 0; o < outer; o++) {
    for (let s = 0; s < slices; s++) {
      const start = (o * slices + s) * inner;
      let bits = largestMagnitudeBits(words, start, start + inner);
      if (bits >= INFINITY_BITS) {
        const found = finiteMagnitudeBits(words, start, start + inner);
        nan += found.nan;
        infinite += found.infinite;
        bits = found.bits;
      }
      if (bits > largestBits[s]!) largestBits[s] = bits;
    }
  }
  const largest = Float64Array.from(new Float32Array(largestBits.buffer));
  return { largest, nan, infinite };
}

/** Four independent maxima keep the processor's pipelines full. */
function largestMagnitudeBits(words: Int32Array, start: number, end: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let index = start;
  for (; index + 3 < end; index += 4) {
    const w = words[index]! & 0x7fffffff;
    const x = words[index + 1]! & 0x7fffffff;
    const y = words[index + 2]! & 0x7fffffff;
    const z = words[index + 3]! & 0x7fffffff;
    if (w > a) a = w;
    if (x > b) b = x;
    if (y > c) c = y;
    if (z > d) d = z;
  }
  for (; index < end; index++) {
    const w = words[index]! & 0x7fffffff;
    if (w > a) a = w;
  }
  return Math.max(a, b, c, d);
}

function finiteMagnitudeBits(
  words: Int32Array,
  start: number,
  end: number,
): { bits: number; nan: number; infinite: number } {
  let bits = 0;
  let nan = 0;
  let infinite = 0;
  for (let index = start; index < end; index++) {
    const magnitude = words[index]! & 0x7fffffff;
    if (magnitude > INFINITY_BITS) nan++;
    else if (magnitude === INFINITY_BITS) infinite++;
    else if (magnitude > bits) bits = magnitude;
  }
  return { bits, nan, infinite };
}
