/** The arguments of one call as bytes, each in the type of its parameter. */
import { assert } from "../base/errors.ts";
import type { ValueType } from "../wasm/instruction-row.ts";

/** Types of parameters that calls from outside can give. */
export type NumberType = "i32" | "f32" | "f64";

export interface RecordLayout {
  /** Byte offset of each argument. */
  readonly offsets: readonly number[];
  /** A multiple of 8. */
  readonly byteLength: number;
}

/** Where arguments lie in a record: one behind the other, doubles at multiples of 8. */
export function recordLayout(params: readonly ValueType[]): RecordLayout {
  const offsets: number[] = [];
  let top = 0;
  for (const type of params) {
    assert(type === "i32" || type === "f32" || type === "f64", `a number instead of ${type}`);
    const bytes = type === "f64" ? 8 : 4;
    const offset = Math.ceil(top / bytes) * bytes;
    offsets.push(offset);
    top = offset + bytes;
  }
  return { offsets, byteLength: Math.ceil(top / 8) * 8 };
}
