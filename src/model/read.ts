/**
 * .tflite files to the IR. Small files are read whole; of large ones only the metadata is, and constant data is read
 * from the source when somebody asks for it.
 */
import type { Diagnostic } from "../base/errors.ts";
import { findArchive, relocateArchive } from "../formats/tflite/associated-files.ts";
import { parseTflite } from "../formats/tflite/parse.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { modelFromRecord } from "./from-record.ts";
import { type Model, residentBuffer } from "./ir.ts";

/** Builders leave objects behind the model that nothing refers to; so few bytes are not worth a remark. */
const MAX_STRAY_BYTES = 256;

export interface ParsedModel {
  readonly model: Model;
  /** What the file holds that the IR does not: unknown or deprecated fields, odd text. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Parses a whole file. All buffers are resident and alias `input`, which must not change while the model is in use.
 * `name` is for messages. The model is well-formed as a file; `verifyModel` checks what it means.
 *
 * @throws {FormatError | LimitError} when the file is damaged
 * @throws {UnsupportedError} when it needs a newer schema
 */
export function parseModel(input: Uint8Array, name = "model"): ParsedModel {
  // Node's Buffer is a Uint8Array whose `slice` does not copy: work on a plain view of the same bytes.
  const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  const { record, diagnostics, extent } = parseTflite(bytes, name);
  let end = extent;
  const model = modelFromRecord(record, {
    name,
    byteLength: bytes.byteLength,
    range: (position, byteLength) => {
      end = Math.max(end, position + byteLength);
      return residentBuffer(bytes.subarray(position, position + byteLength));
    },
  });
  const rest = bytes.subarray(end);
  const archive = findArchive(rest);
  const stray = rest.subarray(0, archive?.start);
  const dropped = stray.byteLength > MAX_STRAY_BYTES && stray.some((byte) => byte !== 0);
  return {
    model:
      archive === undefined
        ? model
        : {
            ...model,
            associatedFiles: residentBuffer(relocateArchive(rest.subarray(archive.start), 0)),
          },
    diagnostics: dropped
      ? [...diagnostics, droppedBytes(name, end, stray.byteLength)]
      : diagnostics,
  };
}

/**
 * Reads a model from a source.
 *
 * @throws {IoError} when the source cannot be read; and what `parseModel` throws
 */
export async function readModel(source: ByteSource): Promise<ParsedModel> {
  return parseModel(await source.read(0, source.byteLength), source.name);
}

function droppedBytes(location: string, position: number, byteLength: number): Diagnostic {
  return {
    id: "tflite/bytes-behind",
    text: `${byteLength} bytes behind the model are of no known kind; a rewritten file loses them`,
    location,
    notes: [`from byte ${position}`],
  };
}
