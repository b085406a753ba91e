/** Shapes of the rows in the instruction tables, and the one-letter types they are written in. */

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** Types that instructions take and leave, a letter each. */
export type Letters =
  | ""
  | "i"
  | "l"
  | "f"
  | "d"
  | "v"
  | "ii"
  | "il"
  | "if"
  | "id"
  | "iv"
  | "ll"
  | "ff"
  | "dd"
  | "vi"
  | "vl"
  | "vf"
  | "vd"
  | "vv"
  | "iii"
  | "iil"
  | "ill"
  | "vvv";

/** [prefix (0 = none), opcode, operands, results] */
export type PlainRow = readonly [
  prefix: number,
  opcode: number,
  operands: Letters,
  results: Letters,
];
/** … with the number of lanes, which bounds the lane immediate. */
export type LaneRow = readonly [
  prefix: number,
  opcode: number,
  lanes: number,
  operands: Letters,
  results: Letters,
];
/** … with log2 of the natural alignment, which bounds the alignment immediate. */
export type MemoryRow = readonly [
  prefix: number,
  opcode: number,
  alignLog2: number,
  operands: Letters,
  results: Letters,
];
/** … with both. */
export type MemoryLaneRow = readonly [
  prefix: number,
  opcode: number,
  alignLog2: number,
  lanes: number,
  operands: Letters,
  results: Letters,
];

/** The types of a row, by their letters. */
const LETTERS: Readonly<Record<Letters, readonly ValueType[]>> = {
  "": [],
  i: ["i32"],
  l: ["i64"],
  f: ["f32"],
  d: ["f64"],
  v: ["v128"],
  ii: ["i32", "i32"],
  il: ["i32", "i64"],
  if: ["i32", "f32"],
  id: ["i32", "f64"],
  iv: ["i32", "v128"],
  ll: ["i64", "i64"],
  ff: ["f32", "f32"],
  dd: ["f64", "f64"],
  vi: ["v128", "i32"],
  vl: ["v128", "i64"],
  vf: ["v128", "f32"],
  vd: ["v128", "f64"],
  vv: ["v128", "v128"],
  iii: ["i32", "i32", "i32"],
  iil: ["i32", "i32", "i64"],
  ill: ["i32", "i64", "i64"],
  vvv: ["v128", "v128", "v128"],
};

/** Binary codes of the value types (core specification, section 5.3.1). */
export const VALUE_TYPE_CODE: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** The types that the letters of a row stand for. */
export function typesOfLetters(letters: Letters): readonly ValueType[] {
  return LETTERS[letters];
}
