/** Functions of real numbers, on half floats as they are stored: 16 bits each. */
import { fromFloat16, toFloat16 } from "../../base/float16.ts";
import type { NumberPair } from "./pairwise.ts";

/** `pair` on the values of two half floats, its result rounded to a half float. */
export function halfPair(pair: NumberPair): NumberPair {
  return (a, b) => toFloat16(pair(fromFloat16(a), fromFloat16(b)));
}

/** `f` on the value of a half float, its result rounded to a half float. */
export function halfFunction(f: (x: number) => number): (bits: number) => number {
  return (bits) => toFloat16(f(fromFloat16(bits)));
}
