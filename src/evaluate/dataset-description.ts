/**
 * Where a data set lies and how its samples become inputs, as a small JSON document or as the options of the command
 * line, which have the same names: {"data": "images", "labels": "labels.csv", "preset": "mobilenet"}.
 */
import type { DType } from "../base/dtype.ts";
import { FormatError, UsageError } from "../base/errors.ts";
import type { LabelOptions } from "./labels.ts";
import {
  PREPROCESSING_PRESETS,
  type Preprocessing,
  type PreprocessingPreset,
} from "./preprocess.ts";
import type { ResizeMethod } from "./resize.ts";

/** Element types of files that hold nothing but numbers. */
export type RawDType = Extract<
  DType,
  "int8" | "uint8" | "int16" | "uint16" | "int32" | "uint32" | "float32" | "float64"
>;

export interface DatasetDescription extends Omit<LabelOptions, "classNames"> {
  /** A folder of images or raw files, or an .npy array with one sample a row. */
  readonly data: string;
  /** A .csv, .txt or .npy file. */
  readonly labels?: string;
  /** A .txt file with one class name a line. */
  readonly classNames?: string;
  /** Element type of raw files: the folder then holds files of little-endian numbers and no images. */
  readonly dtype?: RawDType;
  readonly preset?: PreprocessingPreset;
  readonly crop?: number;
  readonly resize?: ResizeMethod;
  readonly mean?: readonly number[];
  readonly scale?: readonly number[];
}

const RAW_DTYPES: readonly string[] = [
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "float32",
  "float64",
] satisfies RawDType[];

/**
 * Parses a description file.
 * @throws {FormatError} for what is no JSON object, and for fields that are not known or have no legal value
 */
export function parseDatasetDescription(bytes: Uint8Array, name: string): DatasetDescription {
  const fields = parseObject(bytes, name);
  const unknown = Object.keys(fields).find((key) => !(key in READERS));
  if (unknown !== undefined) {
    throw fieldError(name, `field "${unknown}"`, `one of ${Object.keys(READERS).join(", ")}`);
  }
  if (fields["data"] === undefined)
    throw fieldError(name, 'no field "data"', "the path of the data");
  const read = Object.entries(fields).map(([key, value]) => {
    const field = READERS[key as keyof DatasetDescription].read(value);
    if (field !== undefined) return [key, field];
    const { wanted } = READERS[key as keyof DatasetDescription];
    throw fieldError(name, `field "${key}" is ${JSON.stringify(value)}`, wanted);
  });
  return Object.fromEntries(read) as unknown as DatasetDescription;
}

/** The steps that a description asks for: its preset, with whatever else it says taking precedence. */
export function preprocessingOf(description: Omit<DatasetDescription, "data">): Preprocessing {
  const { preset, crop, resize, mean, scale } = description;
  const steps = { crop, resize, mean, scale };
  const given = Object.entries(steps).filter(([, value]) => value !== undefined);
  return {
    ...(preset === undefined ? {} : PREPROCESSING_PRESETS[preset]),
    ...(Object.fromEntries(given) as Preprocessing),
  };
}

/**
 * Reads numbers as people write them for scaling: `127.5`, `1/255`, or several with commas between.
 * @throws {UsageError} for anything else, and for zero below the line
 */
export function parseNumbers(text: string, option: string): number[] {
  const values = fractions(text);
  if (values !== undefined) return values;
  throw new UsageError({
    where: option,
    found: `"${text}"`,
    expected: "numbers such as 127.5, 1/255 or 123.7,116.3,103.5",
    option,
  });
}

function fractions(text: string): number[] | undefined {
  const values = text.split(",").map((part) => {
    const [above = "", below = "1", ...rest] = part.split("/").map((number) => number.trim());
    return above === "" || below === "" || rest.length > 0
      ? Number.NaN
      : Number(above) / Number(below);
  });
  return values.every(Number.isFinite) ? values : undefined;
}

interface FieldReader {
  readonly wanted: string;
  /** The field's value, or undefined when it is none. */
  read(value: unknown): unknown;
}

const text: FieldReader = {
  wanted: "text",
  read: (value) => (typeof value === "string" && value !== "" ? value : undefined),
};

const column: FieldReader = {
  wanted: "the name of a column, or its number from 1",
  read: (value) => (Number.isInteger(value) ? value : text.read(value)),
};

const numbers: FieldReader = {
  wanted: 'a number, "1/255", or a list of numbers',
  read: (value) => {
    if (typeof value === "number") return [value];
    if (typeof value === "string") return fractions(value);
    const isList = Array.isArray(value) && value.every((entry) => typeof entry === "number");
    return isList ? value : undefined;
  },
};

function choice(options: readonly string[]): FieldReader {
  return {
    wanted: `one of ${options.join(", ")}`,
    read: (value) => (typeof value === "string" && options.includes(value) ? value : undefined),
  };
}

const READERS: Readonly<Record<keyof DatasetDescription, FieldReader>> = {
  data: text,
  labels: text,
  classNames: text,
  labelColumn: column,
  fileColumn: column,
  labelOffset: {
    wanted: "a whole number",
    read: (value) => (Number.isInteger(value) ? value : undefined),
  },
  dtype: choice(RAW_DTYPES),
  preset: choice(Object.keys(PREPROCESSING_PRESETS)),
  crop: {
    wanted: "a fraction above 0 and up to 1",
    read: (value) => (typeof value === "number" && value > 0 && value <= 1 ? value : undefined),
  },
  resize: choice(["antialiased", "corner"]),
  mean: numbers,
  scale: numbers,
};

function parseObject(bytes: Uint8Array, name: string): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw fieldError(
      name,
      `no JSON (${cause instanceof Error ? cause.message : cause})`,
      "an object",
    );
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Record<string, unknown>;
  }
  throw fieldError(name, "JSON that is no object", 'an object such as {"data": "images"}');
}

function fieldError(where: string, found: string, expected: string): FormatError {
  return new FormatError({ where, found, expected, format: "dataset" });
}
