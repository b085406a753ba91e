/**
 * Label files: a .csv table with a column of labels and perhaps one of file names, a .txt file with one label a line, or
 * an .npy vector. A label is a class number counted from 0, or a class name where a list of names is given.
 */
import { FormatError, UsageError } from "../base/errors.ts";
import { parseNpy } from "../formats/npy/npy.ts";
import { parseCsv } from "./csv.ts";

export interface LabelOptions {
  /** Column of the labels in a .csv file: its name in the first row, or its number from 1. The last one by default. */
  readonly labelColumn?: string | number;
  /** Column of the file names in a .csv file; the first one by default. */
  readonly fileColumn?: string | number;
  /** Class names in the order in which the model counts them; labels that are no numbers are looked up here. */
  readonly classNames?: readonly string[];
  /** Added to every class number: 1 where the model counts a background class that the labels do not. */
  readonly labelOffset?: number;
}

/** A label, with the file it belongs to where the label file says so. */
export interface Label {
  readonly file?: string;
  readonly label: number;
}

/**
 * Parses a label file; its kind follows from the ending of `name`.
 * @throws {FormatError} for labels that are neither class numbers nor known names
 * @throws {UsageError} for a column that is not there
 */
export function parseLabels(bytes: Uint8Array, name: string, options: LabelOptions = {}): Label[] {
  if (/\.npy$/i.test(name)) return npyLabels(bytes, name, options);
  const text = new TextDecoder().decode(bytes);
  if (/\.csv$/i.test(name)) return csvLabels(parseCsv(text, name), name, options);
  return parseNames(text).map((line, index) => ({
    label: classNumber(line, `${name} line ${index + 1}`, options),
  }));
}

/** Splits a text file into its lines, without those that are empty. */
export function parseNames(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function npyLabels(bytes: Uint8Array, name: string, options: LabelOptions): Label[] {
  const { data } = parseNpy(bytes, name);
  const decoder = new TextDecoder();
  const texts = Array.isArray(data)
    ? data.map((string) => decoder.decode(string))
    : Array.from<number | bigint, string>(data, String);
  return texts.map((text, index) => ({
    label: classNumber(text, `${name} element ${index}`, options),
  }));
}

function csvLabels(rows: readonly string[][], name: string, options: LabelOptions): Label[] {
  const [first] = rows;
  if (first === undefined) return [];
  const { labelColumn = first.length, fileColumn = 1 } = options;
  const hasHeading =
    typeof labelColumn === "string" ||
    typeof fileColumn === "string" ||
    !isLabel(first[labelColumn - 1], options);
  const label = columnIndex(first, labelColumn, name, "label column");
  const file = columnIndex(first, fileColumn, name, "file column");
  const width = first.length;
  return rows.slice(hasHeading ? 1 : 0).map((row, index) => {
    const where = `${name} row ${index + (hasHeading ? 2 : 1)}`;
    if (row.length !== width) {
      throw labelError(where, `${row.length} fields`, `${width} as in the first row`);
    }
    const number = classNumber(row[label] ?? "", where, options);
    return file === label ? { label: number } : { file: row[file] ?? "", label: number };
  });
}

function columnIndex(
  first: readonly string[],
  column: string | number,
  name: string,
  option: string,
): number {
  const index = typeof column === "string" ? first.indexOf(column) : column - 1;
  if (index >= 0 && index < first.length) return index;
  throw new UsageError({
    where: name,
    found: `no ${option} ${JSON.stringify(column)}`,
    expected: `one of ${first.join(", ")}, or a number from 1 to ${first.length}`,
    option,
  });
}

function isLabel(text: string | undefined, { classNames }: LabelOptions): boolean {
  return text !== undefined && (/^\d+$/.test(text) || (classNames?.includes(text) ?? false));
}

function classNumber(text: string, where: string, options: LabelOptions): number {
  const { classNames, labelOffset = 0 } = options;
  const named = classNames?.indexOf(text) ?? -1;
  if (named >= 0) return named;
  const label = Number(text) + labelOffset;
  if (/^\d{1,9}$/.test(text) && label >= 0) return label;
  throw labelError(
    where,
    `label ${JSON.stringify(text)}`,
    classNames === undefined ? "a class number" : "a class number or one of the class names",
  );
}

function labelError(where: string, found: string, expected: string): FormatError {
  return new FormatError({
    where,
    found,
    expected,
    remedy: "Name the right column with --label-column, or the class names with --class-names",
    format: "labels",
  });
}
