/** Functions of real numbers, on floats of 16 bits as they are stored: half floats and bfloat16. */
import { fromBfloat16, toBfloat16 } from "../../base/bfloat16.ts";
import type { DType } from "../../base/dtype.ts";
import { fromFloat16, toFloat16 } from "../../base/float16.ts";
import type { NumberPair } from "./pairwise.ts";

/** How a float type of 16 bits is read and stored. */
export interface HalfFormat {
  read(bits: number): number;
  /** Rounds to the nearest value of the type, ties to even. */
  store(value: number): number;
}

const FLOAT16: HalfFormat = { read: fromFloat16, store: toFloat16 };
const BFLOAT16: HalfFormat = { read: fromBfloat16, store: toBfloat16 };

/** The format of a float type of 16 bits; undefined for other types. */
export function halfFormat(dtype: DType): HalfFormat | undefined {
  return dtype === "float16" ? FLOAT16 : dtype === "bfloat16" ? BFLOAT16 : undefined;
}

/** `pair` on two stored values, its result rounded to their type. */
export function halfPair({ read, store }: HalfFormat, pair: NumberPair): NumberPair {
  return (a, b) => store(pair(read(a), read(b)));
}

/** `pair` for each of the types, as rows of a table by type. */
export function halfPairs(pair: NumberPair): Readonly<Record<"float16" | "bfloat16", NumberPair>> {
  return { float16: halfPair(FLOAT16, pair), bfloat16: halfPair(BFLOAT16, pair) };
}

/** `f` on a stored value, its result rounded to the type. */
export function halfFunction(
  { read, store }: HalfFormat,
  f: (x: number) => number,
): (bits: number) => number {
  return (bits) => store(f(read(bits)));
}
