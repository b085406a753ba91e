/** Reading a source as one array, for formats that are parsed as a whole. */
import { LimitError } from "../base/errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** The longest source that is read. */
export interface ReadLimit {
  /** What is limited: "bytes of a GraphDef". */
  readonly name: string;
  readonly max: number;
  /** What can be done about a longer one. */
  readonly remedy?: string;
}

/** Typed arrays beyond this exist in some engines only. */
const ANY_FILE: ReadLimit = { name: "bytes read at once", max: 2 ** 32 - 1 };

/**
 * No longer protobuf message exists: TensorFlow cannot write one. HDF5 and zip files could be longer, but a model is in
 * memory several times while it is converted.
 */
export const MODEL_FILE_LIMIT: ReadLimit = {
  name: "bytes of a model in one file",
  max: 2 ** 31 - 1,
  remedy: "Save it as a SavedModel: its variables are read one by one",
};

/**
 * Reads a source to its end, and closes it.
 * @throws {LimitError} when it is longer than `limit` says, before anything is read
 */
export async function readWhole(
  source: ByteSource,
  { name, max, remedy }: ReadLimit = ANY_FILE,
): Promise<Uint8Array> {
  try {
    const { byteLength } = source;
    if (byteLength <= max) return await source.read(0, byteLength);
    throw new LimitError({
      where: source.name,
      found: `${byteLength} bytes`,
      expected: `at most ${max}`,
      ...(remedy === undefined ? {} : { remedy }),
      limit: name,
      value: byteLength,
      max,
    });
  } finally {
    await source.close?.();
  }
}
