/**
 * The ZIP archive that TensorFlow Lite's metadata tools append to a model (label files, vocabularies). Its offsets
 * count from the start of the file, so an archive that moves must be told.
 *
 * Layout: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, §4.3.12 (central directory, 46 bytes and three
 * variable fields an entry) and §4.3.16 (end record, 22 bytes and a comment). ZIP64 does not occur here.
 */

import { CENTRAL_ENTRY, ENTRY_BYTES, findEndRecord, LOCAL_HEADER } from "../zip/records.ts";

interface Archive {
  /** First byte, in `bytes`. */
  readonly start: number;
  /** Positions in `bytes` of the entries' local header offsets, and those of the end record's directory offset. */
  readonly offsetFields: readonly number[];
  /** What must be added to a stored offset to get a position in `bytes`. */
  readonly shift: number;
}

/** Finds the archive that `bytes`, the part of a file behind its flatbuffer, ends with. */
export function findArchive(bytes: Uint8Array): Archive | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEndRecord(view);
  if (end === undefined) return undefined;
  const entryCount = view.getUint16(end + 10, true);
  const directory = end - view.getUint32(end + 12, true);
  const shift = directory - view.getUint32(end + 16, true);
  const offsetFields = [end + 16];
  let start = directory;
  let at = directory;
  for (let index = 0; index < entryCount; index++) {
    if (at < 0 || at + ENTRY_BYTES > end || view.getUint32(at, true) !== CENTRAL_ENTRY)
      return undefined;
    offsetFields.push(at + 42);
    start = Math.min(start, view.getUint32(at + 42, true) + shift);
    at +=
      ENTRY_BYTES +
      view.getUint16(at + 28, true) +
      view.getUint16(at + 30, true) +
      view.getUint16(at + 32, true);
  }
  if (start < 0 || view.getUint32(start, true) !== LOCAL_HEADER) return undefined;
  return { start, offsetFields, shift };
}

/** A copy of the archive whose offsets count from `base` bytes before its own start. */
export function relocateArchive(archive: Uint8Array, base: number): Uint8Array {
  const moved = archive.slice();
  const found = findArchive(moved);
  if (found === undefined) return moved;
  const view = new DataView(moved.buffer, moved.byteOffset, moved.byteLength);
  for (const field of found.offsetFields) {
    view.setUint32(field, view.getUint32(field, true) + found.shift - found.start + base, true);
  }
  return moved;
}
