/**
 * Text files that fill hash tables, one entry a line. A column is a number of a field between delimiters, −1 for the
 * line's own number, or −2 for the whole line (core/kernels/lookup_util.cc).
 */
import { FormatError } from "../base/errors.ts";
import type { TensorValue } from "../graph/ir.ts";

export interface VocabularyColumn {
  readonly index: number;
  /** Strings; else int64. */
  readonly isText: boolean;
}

export interface VocabularyFormat {
  readonly key: VocabularyColumn;
  readonly value: VocabularyColumn;
  /** How many lines are read; negative for all. */
  readonly size: number;
  readonly delimiter: string;
  /** Added to line numbers, which start at 0. */
  readonly offset: number;
}

const LINE_NUMBER = -1;
const WHOLE_LINE = -2;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/**
 * Reads keys and values, each a vector with one element a line.
 *
 * @throws {FormatError} when a line has too few columns or no number where one is wanted, or there are too few lines.
 */
export function readVocabulary(
  bytes: Uint8Array,
  format: VocabularyFormat,
  where: string,
): { keys: TensorValue; values: TensorValue } {
  const lines = linesOf(bytes);
  if (format.size > lines.length) {
    throw malformed(where, `${lines.length} lines`, `${format.size}, as the model says`);
  }
  const used = format.size < 0 ? lines : lines.slice(0, format.size);
  return {
    keys: columnOf(used, format.key, format, where),
    values: columnOf(used, format.value, format, where),
  };
}

/** TensorFlow drops carriage returns wherever they are. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(LINE_FEED, start);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(start, end);
    lines.push(line.includes(CARRIAGE_RETURN) ? line.filter((b) => b !== CARRIAGE_RETURN) : line);
    start = end + 1;
  }
  return lines;
}

function columnOf(
  lines: readonly Uint8Array[],
  { index, isText }: VocabularyColumn,
  { delimiter, offset }: VocabularyFormat,
  where: string,
): TensorValue {
  const shape = [lines.length];
  if (index === LINE_NUMBER) {
    const numbers = BigInt64Array.from(lines, (_, line) => BigInt(line) + BigInt(offset));
    return { dtype: "int64", shape, data: numbers };
  }
  const fields = lines.map((line, at) => {
    const field = index === WHOLE_LINE ? line : fieldOf(line, index, delimiter);
    if (field !== undefined) return field;
    const place = `${where}, line ${at + 1}`;
    throw malformed(place, "too few columns", `a column ${index}, counted from 0`);
  });
  if (isText) return { dtype: "string", shape, data: fields };
  const data = BigInt64Array.from(fields, (field, at) => wholeNumber(field, where, at + 1));
  return { dtype: "int64", shape, data };
}

function fieldOf(line: Uint8Array, index: number, delimiter: string): Uint8Array | undefined {
  const separator = delimiter.charCodeAt(0);
  let start = 0;
  for (let at = 0; at < index; at++) {
    const next = line.indexOf(separator, start);
    if (next < 0) return undefined;
    start = next + 1;
  }
  const end = line.indexOf(separator, start);
  return line.subarray(start, end < 0 ? line.length : end);
}

function wholeNumber(field: Uint8Array, where: string, line: number): bigint {
  const text = new TextDecoder().decode(field).trim();
  const value = /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
  if (value !== undefined && BigInt.asIntN(64, value) === value) return value;
  throw malformed(
    `${where}, line ${line}`,
    JSON.stringify(text.slice(0, 40)),
    "a whole number of 64 bits",
  );
}

function malformed(where: string, found: string, expected: string): FormatError {
  return new FormatError({ format: "vocabulary", where, found, expected });
}
