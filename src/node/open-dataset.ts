/** Opens data sets on disk: the host's half of what `evaluate/dataset-description.ts` describes. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { viewAs } from "../base/dtype.ts";
import { FormatError, IoError, ShapeError } from "../base/errors.ts";
import {
  type Dataset,
  fileDataset,
  rowDataset,
  type SampleArray,
  type SampleFile,
} from "../evaluate/dataset.ts";
import {
  type DatasetDescription,
  parseDatasetDescription,
  type RawDType,
} from "../evaluate/dataset-description.ts";
import { decodeImage } from "../evaluate/decode-image.ts";
import { IMAGE_NAME, type Image } from "../evaluate/image.ts";
import { type Label, parseLabels, parseNames } from "../evaluate/labels.ts";
import { openNpy } from "../formats/npy/npy.ts";
import type { FileTree } from "../io/byte-source.ts";
import { readWhole } from "../io/read-whole.ts";
import { openFile, readWholeFile } from "./file-source.ts";
import { fileTree } from "./file-tree.ts";
import { ioErrorOf } from "./io-error.ts";

/** A data set that may hold a file open. */
export interface OpenedDataset extends Dataset {
  close(): Promise<void>;
}

/**
 * Reads a description file. Its paths become relative to where it lies, not to the working folder.
 * @throws {IoError | FormatError}
 */
export async function readDatasetDescription(path: string): Promise<DatasetDescription> {
  const description = parseDatasetDescription(await readWholeFile(path), path);
  const { data, labels, classNames } = description;
  const absolute = (file: string) => resolve(path, "..", file);
  return {
    ...description,
    data: absolute(data),
    ...(labels === undefined ? {} : { labels: absolute(labels) }),
    ...(classNames === undefined ? {} : { classNames: absolute(classNames) }),
  };
}

/**
 * Opens the samples and the labels. A label file with a column of file names decides which files there are and in what
 * order; otherwise all of the folder's files count, sorted by name, and labels belong to them in that order.
 * @throws {IoError | FormatError} for files that are missing or not what they should be
 * @throws {ShapeError} when there are more or fewer labels than samples
 *
 * Images are decoded when they are read: `read` then throws what `decodeImage` throws.
 */
export async function openDataset(description: DatasetDescription): Promise<OpenedDataset> {
  const { data, dtype } = description;
  const labels = await readLabels(description);
  if (await isFolder(data)) {
    const tree = fileTree(data);
    const files = await chooseFiles(tree, labels, dtype);
    const readValue = (path: string) =>
      dtype === undefined ? readImage(tree, path) : readRaw(tree, path, dtype);
    return { ...fileDataset(data, files, readValue), close: async () => undefined };
  }
  const source = await openFile(data);
  try {
    const rows = await openNpy(source);
    const numbers = labels?.map(({ label }) => label);
    return { ...rowDataset(data, rows, numbers), close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readLabels(description: DatasetDescription): Promise<Label[] | undefined> {
  const { labels, classNames, ...options } = description;
  if (labels === undefined) return undefined;
  const names =
    classNames === undefined
      ? undefined
      : parseNames(new TextDecoder().decode(await readWholeFile(classNames)));
  return parseLabels(await readWholeFile(labels), labels, {
    ...options,
    ...(names === undefined ? {} : { classNames: names }),
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw ioErrorOf(error, path, "read");
  }
}

async function chooseFiles(
  tree: FileTree,
  labels: readonly Label[] | undefined,
  dtype: RawDType | undefined,
): Promise<SampleFile[]> {
  const named = labels?.flatMap(({ file, label }) =>
    file === undefined ? [] : [{ path: file, label }],
  );
  if (named !== undefined && named.length === labels?.length) return named;
  const all = await tree.list("");
  const paths = all.filter((path) =>
    dtype === undefined ? IMAGE_NAME.test(path) : path[0] !== ".",
  );
  if (labels !== undefined && labels.length !== paths.length) {
    throw new ShapeError({
      where: tree.name,
      found: `${paths.length} files and ${labels.length} labels`,
      expected: "one label for each file",
      remedy: "Use a .csv file that names the files",
    });
  }
  return paths.map((path, index) => ({ path, label: labels?.[index]?.label }));
}

async function readImage(tree: FileTree, path: string): Promise<Image> {
  return decodeImage(await readFileOf(tree, path), `${tree.name}/${path}`);
}

async function readRaw(tree: FileTree, path: string, dtype: RawDType): Promise<SampleArray> {
  const bytes = await readFileOf(tree, path);
  const data = viewAs(dtype, bytes);
  if (data.byteLength === bytes.byteLength) return { dtype, data };
  throw new FormatError({
    where: `${tree.name}/${path}`,
    found: `${bytes.byteLength} bytes`,
    expected: `a multiple of ${data.BYTES_PER_ELEMENT} for ${dtype}`,
    format: "raw",
  });
}

async function readFileOf(tree: FileTree, path: string): Promise<Uint8Array> {
  const source = await tree.open(path);
  if (source === undefined) {
    throw new IoError({
      where: `${tree.name}/${path}`,
      found: "no such file",
      expected: "a file that the labels name",
      path: `${tree.name}/${path}`,
    });
  }
  return readWhole(source);
}
