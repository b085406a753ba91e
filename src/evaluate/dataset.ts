/**
 * A data set is a row of samples that are read one at a time, in any order, so that it can be larger than memory and be
 * cut into shards. Where the samples come from is the host's business.
 */
import type { DType, TypedArray } from "../base/dtype.ts";
import { assert, FormatError, ShapeError } from "../base/errors.ts";
import type { NpyFile } from "../formats/npy/npy.ts";
import type { Image } from "./image.ts";

/** Numbers for a model's input, in row-major order; the shape is the model's. */
export interface SampleArray {
  readonly dtype: DType;
  readonly data: TypedArray;
}

export interface Sample {
  /** For messages: a file name, or `row 12 of images.npy`. */
  readonly name: string;
  /** The right class, counted from 0 as the model counts; undefined where the data set has no labels. */
  readonly label: number | undefined;
  readonly value: Image | SampleArray;
}

export interface Dataset {
  readonly name: string;
  readonly length: number;
  readonly hasLabels: boolean;
  /** Reads the sample at `index`, 0 ≤ index < length. */
  read(index: number): Promise<Sample>;
}

/** Tells images from arrays. */
export function isImage(value: Image | SampleArray): value is Image {
  return "width" in value;
}

/**
 * A data set of the rows of an .npy array.
 * @throws {ShapeError} when there are more or fewer labels than rows
 */
export function rowDataset(name: string, rows: NpyFile, labels?: readonly number[]): Dataset {
  const length = rows.shape[0] ?? 0;
  if (labels !== undefined && labels.length !== length) {
    throw new ShapeError({
      where: name,
      found: `${length} rows and ${labels.length} labels`,
      expected: "one label for each row",
    });
  }
  return {
    name,
    length,
    hasLabels: labels !== undefined,
    async read(index) {
      const { dtype, data } = await rows.readRows(index, index + 1);
      const where = `row ${index} of ${name}`;
      if (Array.isArray(data)) {
        throw new FormatError({ where, found: "strings", expected: "numbers", format: "npy" });
      }
      return { name: where, label: labels?.[index], value: { dtype, data } };
    },
  };
}

/** One file of a data set. */
export interface SampleFile {
  /** Path within the folder. */
  readonly path: string;
  readonly label: number | undefined;
}

/** A data set of files; `readValue` reads and decodes the file at a path. */
export function fileDataset(
  name: string,
  files: readonly SampleFile[],
  readValue: (path: string) => Promise<Image | SampleArray>,
): Dataset {
  return {
    name,
    length: files.length,
    hasLabels: files.every(({ label }) => label !== undefined),
    async read(index) {
      const file = files[index];
      assert(file !== undefined, `sample ${index} of ${files.length}`);
      return { name: file.path, label: file.label, value: await readValue(file.path) };
    },
  };
}

/**
 * Chooses `limit` of `length` samples, evenly spread: data sets are often sorted by class, so the first ones would say
 * little. All of them without a limit.
 */
export function chooseSamples(length: number, limit: number = length): number[] {
  const count = Math.min(limit, length);
  return Array.from({ length: count }, (_, index) => Math.floor((index * length) / count));
}
