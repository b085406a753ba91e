/**
 * .tflite files to the IR. Small files are read whole; of large ones only the metadata is, and constant data is read
 * from the source when somebody asks for it.
 */
import type { Diagnostic } from "../base/errors.ts";
import type { Segment } from "../formats/flatbuffer/byte-window.ts";
import { findArchive, relocateArchive } from "../formats/tflite/associated-files.ts";
import { findMetadata } from "../formats/tflite/metadata-ranges.ts";
import { parseSegments, parseTflite, type TfliteRecord } from "../formats/tflite/parse.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { modelFromRecord, type RecordFile } from "./from-record.ts";
import { type Buffer, type Model, residentBuffer } from "./ir.ts";

/** Builders leave objects behind the model that nothing refers to; so few bytes are not worth a remark. */
const MAX_STRAY_BYTES = 256;
const MAX_RESIDENT_BYTES = 2 ** 26;
/** Of what stands behind the model in a large file, this much at its end is looked at. */
const MAX_REST_BYTES = 2 ** 26;

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
  const file: RecordFile = {
    name,
    byteLength: bytes.byteLength,
    range: (start, byteLength) => residentBuffer(bytes.subarray(start, start + byteLength)),
  };
  const { model, diagnostics, end } = build(parseTflite(bytes, name), file);
  return withRest(model, diagnostics, bytes.subarray(end), name, end);
}

export interface ReadOptions {
  /** Files up to this size, in bytes, are read whole (64 MiB); of larger ones only the metadata is. */
  readonly maxResidentBytes?: number;
}

/**
 * Reads a model from a source. The large buffers of a large file are not read: their `load` asks the source each time,
 * which must stay open and unchanged as long as the model is in use.
 *
 * @throws {IoError} when the source cannot be read; and what `parseModel` throws
 */
export async function readModel(
  source: ByteSource,
  options: ReadOptions = {},
): Promise<ParsedModel> {
  const { name, byteLength } = source;
  if (byteLength <= (options.maxResidentBytes ?? MAX_RESIDENT_BYTES)) {
    return parseModel(await source.read(0, byteLength), name);
  }
  const segments: Segment[] = [];
  for (const { start, end } of await findMetadata(source)) {
    segments.push({ start, bytes: await source.read(start, end) });
  }
  const file: RecordFile = {
    name,
    byteLength,
    range: (start, length) => rangeOf(source, segments, start, length),
  };
  const { model, diagnostics, end } = build(parseSegments(segments, byteLength, name), file);
  // An archive of label files is small; its end is at the file's end.
  const restStart = Math.max(end, byteLength - MAX_REST_BYTES);
  return withRest(model, diagnostics, await source.read(restStart, byteLength), name, restStart);
}

/** Bytes of the source: those that were read along with the metadata are there already. */
function rangeOf(
  source: ByteSource,
  segments: readonly Segment[],
  start: number,
  byteLength: number,
): Buffer {
  const end = start + byteLength;
  const segment = segments.findLast((candidate) => candidate.start <= start);
  const isResident = segment !== undefined && end <= segment.start + segment.bytes.byteLength;
  return isResident
    ? residentBuffer(segment.bytes.subarray(start - segment.start, end - segment.start))
    : {
        byteLength,
        load: () => source.read(start, end),
        loadInto: async (from, target) => {
          const begin = start + from;
          if (source.readInto !== undefined) await source.readInto(begin, target);
          else target.set(await source.read(begin, begin + target.length));
        },
      };
}

/** The IR of the decoded records, and where the file's last byte is that belongs to it. */
function build(
  { record, diagnostics, extent }: TfliteRecord,
  file: RecordFile,
): ParsedModel & { readonly end: number } {
  let end = extent;
  const range = (start: number, byteLength: number): Buffer => {
    end = Math.max(end, start + byteLength);
    return file.range(start, byteLength);
  };
  const model = modelFromRecord(record, { ...file, range });
  return { model, diagnostics, end };
}

/** Adds what stands behind the model's own bytes, when it is of a known kind, or a remark when it is not. */
function withRest(
  model: Model,
  diagnostics: readonly Diagnostic[],
  rest: Uint8Array,
  name: string,
  position: number,
): ParsedModel {
  const archive = findArchive(rest);
  const stray = rest.subarray(0, archive?.start);
  const dropped = stray.byteLength > MAX_STRAY_BYTES && stray.some((byte) => byte !== 0);
  const associatedFiles =
    archive && residentBuffer(relocateArchive(rest.subarray(archive.start), 0));
  return {
    model: associatedFiles === undefined ? model : { ...model, associatedFiles },
    diagnostics: dropped
      ? [...diagnostics, droppedBytes(name, position, stray.byteLength)]
      : diagnostics,
  };
}

function droppedBytes(location: string, position: number, byteLength: number): Diagnostic {
  return {
    id: "tflite/bytes-behind",
    text: `${byteLength} bytes behind the model are of no known kind; a rewritten file loses them`,
    location,
    notes: [`from byte ${position}`],
  };
}
