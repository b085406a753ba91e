/** Shapes of the rows in the instruction tables, and the one-letter types they are written in. */

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** [prefix (0 = none), opcode, operands, results] */
export type PlainRow = readonly [prefix: number, opcode: number, operands: string, results: string];
/** … with the number of lanes, which bounds the lane immediate. */
export type LaneRow = readonly [
  prefix: number,
  opcode: number,
  lanes: number,
  operands: string,
  results: string,
];
/** … with log2 of the natural alignment, which bounds the alignment immediate. */
export type MemoryRow = readonly [
  prefix: number,
  opcode: number,
  alignLog2: number,
  operands: string,
  results: string,
];
/** … with both. */
export type MemoryLaneRow = readonly [
  prefix: number,
  opcode: number,
  alignLog2: number,
  lanes: number,
  operands: string,
  results: string,
];

const LETTERS: Readonly<Record<string, ValueType>> = {
  i: "i32",
  l: "i64",
  f: "f32",
  d: "f64",
  v: "v128",
};

/** Binary codes of the value types (core specification, section 5.3.1). */
export const VALUE_TYPE_CODE: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** The type that a letter of a row stands for. */
export function typeOfLetter(letter: string): ValueType {
  return LETTERS[letter] as ValueType;
}
