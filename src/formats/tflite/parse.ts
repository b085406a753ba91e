/** Bytes of a .tflite file to the schema's records, verified. */
import type { Diagnostic } from "../../base/errors.ts";
import { ByteWindow, type Segment } from "../flatbuffer/byte-window.ts";
import { decodeFlatbuffer } from "../flatbuffer/decode.ts";
import { type Model, TFLITE_SCHEMA } from "./schema.gen.ts";

export interface TfliteRecord {
  readonly record: Model;
  readonly diagnostics: readonly Diagnostic[];
  /** Where the flatbuffer ends; data outside of it, if any, comes behind. */
  readonly extent: number;
}

/**
 * Decodes a whole file. Byte vectors alias `bytes`. `name` is for messages.
 *
 * @throws {FormatError} when the bytes are no FlatBuffer with this schema
 * @throws {LimitError} when objects overlap so that they would decode to more than the file's size
 * @throws {UnsupportedError} when codes occur that the schema does not have
 */
export function parseTflite(bytes: Uint8Array, name = "model"): TfliteRecord {
  return parseSegments([{ start: 0, bytes }], bytes.byteLength, name);
}

/** The same for a file of which only `segments` are in memory; constant data elsewhere becomes `LeftOut`. */
export function parseSegments(
  segments: readonly Segment[],
  byteLength: number,
  name: string,
): TfliteRecord {
  const window = new ByteWindow(segments, byteLength, name, "tflite");
  const { record, diagnostics } = decodeFlatbuffer(TFLITE_SCHEMA, window, "tflite", name);
  return { record: record as unknown as Model, diagnostics, extent: window.extent };
}
