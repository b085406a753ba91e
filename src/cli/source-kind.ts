/**
 * What kind of model a path holds. The first bytes decide where a format has a signature there; the name decides for
 * GraphDef files, which have none.
 */
import { open, stat } from "node:fs/promises";
import { basename, dirname, extname } from "node:path";
import { FormatError, IoError } from "../base/errors.ts";

export type SourceKind =
  | "saved_model"
  | "tflite"
  | "frozen_graph"
  | "keras_h5"
  | "keras_zip"
  | "tfjs";

/** The kinds, as messages name them. */
export const SOURCE_TEXT: Readonly<Record<SourceKind, string>> = {
  saved_model: "a SavedModel",
  tflite: "a .tflite file",
  frozen_graph: "a frozen graph",
  keras_h5: "a Keras HDF5 file",
  keras_zip: "a .keras file",
  tfjs: "a TF.js model",
};

/** A model on disk. For a SavedModel `path` is the folder. */
export interface Source {
  readonly kind: SourceKind;
  readonly path: string;
}

const HEAD_BYTES = 16;

/**
 * Tells what kind of model is at `path`. A `saved_model.pb` stands for the folder that it is in.
 * @throws IoError when nothing can be read there; FormatError when it is no model that Octavo knows.
 */
export async function locateSource(path: string): Promise<Source> {
  const head = await readHead(path);
  if (head === "folder") return { kind: "saved_model", path };
  const kind = kindOfBytes(head) ?? kindOfName(path);
  if (kind !== undefined && head.byteLength > 0) {
    return { kind, path: kind === "saved_model" ? dirname(path) : path };
  }
  throw new FormatError({
    where: path,
    found: head.byteLength === 0 ? "an empty file" : "a file of no known model format",
    expected:
      "a SavedModel folder, a frozen graph (.pb), a Keras file (.h5, .keras), a TF.js model.json or a .tflite file",
    format: "model",
    byteOffset: 0,
  });
}

async function readHead(path: string): Promise<Uint8Array | "folder"> {
  try {
    if ((await stat(path)).isDirectory()) return "folder";
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new IoError({
      where: path,
      found: code === "ENOENT" ? "no such file or folder" : `it cannot be read (${code})`,
      expected: "a model",
      remedy: "Check the path",
      path,
      cause: error,
    });
  }
}

function kindOfBytes(head: Uint8Array): SourceKind | undefined {
  const text = String.fromCharCode(...head);
  if (text.startsWith("TFL3", 4)) return "tflite";
  if (text.startsWith("\x89HDF\r\n\x1a\n")) return "keras_h5";
  if (text.startsWith("PK\x03\x04")) return "keras_zip";
  return undefined;
}

function kindOfName(path: string): SourceKind | undefined {
  switch (extname(path).toLowerCase()) {
    case ".tflite":
    case ".lite":
      return "tflite";
    case ".pb":
    case ".pbtxt":
    case ".cpb":
      return basename(path).startsWith("saved_model.") ? "saved_model" : "frozen_graph";
    case ".h5":
    case ".hdf5":
      return "keras_h5";
    case ".keras":
      return "keras_zip";
    case ".json":
      return "tfjs";
    default:
      return undefined;
  }
}
