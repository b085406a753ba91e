/** Seeded inputs for models, for comparisons without data: the same numbers on every machine. */
import { allocate, type TypedArray } from "../base/dtype.ts";
import { UnsupportedError } from "../base/errors.ts";
import { elementCount } from "../base/shape.ts";
import type { Sample } from "./dataset.ts";
import type { InputDescription } from "./preprocess.ts";

/** Uniform numbers from 0 to below 1 (mulberry32, Tommy Ettinger). */
export function randomSequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Fills one input: floats from −1 to 1, bytes over their whole range, wider integers and booleans with 0 and 1, because
 * as indices they must fit a table.
 * @throws {UnsupportedError} for strings and 16-bit floats
 */
export function randomInput(
  { name, dtype, shape }: InputDescription,
  random: () => number,
): Sample {
  const draw = DRAW[dtype];
  if (draw === undefined) {
    throw new UnsupportedError({
      where: `input "${name}"`,
      found: dtype,
      expected: "a type that random numbers can stand in for",
      remedy: "Give the data",
      features: [`random inputs of ${dtype}`],
    });
  }
  const data = filled(allocate(dtype, elementCount(shape)), () => draw(random()));
  return { name: "random numbers", label: undefined, value: { dtype, data } };
}

const symmetric = (share: number): number => 2 * share - 1;
const bit = (share: number): number => Math.floor(2 * share);

/** From a number between 0 and 1 to an element. */
const DRAW: Readonly<Record<string, (share: number) => number>> = {
  float32: symmetric,
  float64: symmetric,
  complex64: symmetric,
  int8: (share) => Math.floor(256 * share) - 128,
  uint8: (share) => Math.floor(256 * share),
  bool: bit,
  int16: bit,
  uint16: bit,
  int32: bit,
  uint32: bit,
  int64: bit,
  uint64: bit,
};

function filled(data: TypedArray, next: () => number): TypedArray {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let index = 0; index < data.length; index++) data[index] = BigInt(next());
  } else {
    for (let index = 0; index < data.length; index++) data[index] = next();
  }
  return data;
}
