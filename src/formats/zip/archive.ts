/**
 * Members of a ZIP archive in memory, read one at a time. Bytes are hostile: sizes are checked against the bytes that are
 * there before anything is allocated, and the checksum of what comes out is checked.
 */
import { inflateSync } from "fflate";
import { FormatError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { crc32 } from "../checksum/crc.ts";
import {
  CENTRAL_ENTRY,
  ENTRY_BYTES,
  findEndRecord,
  LOCAL_HEADER,
  LOCAL_HEADER_BYTES,
} from "./records.ts";

const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
/** In place of a size or an offset: it is in a ZIP64 field. */
const ELSEWHERE = 0xffffffff;
/** Most bytes that deflate can make of one (zlib's technical details). */
const DEFLATE_RATIO = 1032;
/** Most bytes out for one byte of the archive. Weights and configurations stay below 20. */
const MAX_EXPANSION = 200;
const MAX_MEMBER_BYTES = 2 ** 31 - 1;

/** What the central directory says of a member. */
interface Entry {
  readonly name: string;
  readonly isEncrypted: boolean;
  readonly method: number;
  readonly checksum: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Position of the local header. */
  readonly header: number;
}

/**
 * Reads one member; undefined when the archive does not have it. A stored member aliases `archive`.
 *
 * @throws {FormatError} when the archive is damaged, or has the member twice.
 * @throws {LimitError} when the member unfolds to more than 200 times the archive, or to more than 2 GiB.
 * @throws {UnsupportedError} for encrypted members, ZIP64, and compression other than deflate.
 */
export function readMember(
  archive: Uint8Array,
  name: string,
  where: string,
): Uint8Array | undefined {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const [entry, ...others] = readDirectory(view, where).filter((each) => each.name === name);
  if (entry === undefined) return undefined;
  const place = `${where}, ${name}`;
  if (others.length > 0) throw damaged(place, `${others.length + 1} members of this name`, "one");
  refuseUnread(entry, place);
  const content = contentOf(archive, view, entry, place);
  if (content.length !== entry.size) {
    throw damaged(place, `${content.length} bytes`, `${entry.size}, as the directory says`);
  }
  if (crc32(content) !== entry.checksum) {
    throw damaged(place, "bytes that do not match their checksum", "intact bytes");
  }
  return content;
}

function readDirectory(view: DataView, where: string): Entry[] {
  const end = findEndRecord(view);
  if (end === undefined) throw damaged(where, "no end of a directory", "a whole zip archive");
  const count = view.getUint16(end + 10, true);
  const decoder = new TextDecoder();
  const entries: Entry[] = [];
  let at = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > end || view.getUint32(at, true) !== CENTRAL_ENTRY) {
      throw damaged(where, `no entry ${index} at byte ${at}`, `a directory of ${count} entries`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const next =
      at + ENTRY_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw damaged(where, `entry ${index} does not end`, "a whole directory");
    entries.push({
      name: decoder.decode(
        new Uint8Array(view.buffer, view.byteOffset + at + ENTRY_BYTES, nameLength),
      ),
      isEncrypted: (view.getUint16(at + 8, true) & ENCRYPTED) !== 0,
      method: view.getUint16(at + 10, true),
      checksum: view.getUint32(at + 16, true),
      compressedSize: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      header: view.getUint32(at + 42, true),
    });
    at = next;
  }
  return entries;
}

function refuseUnread(entry: Entry, where: string): void {
  const { isEncrypted, method, compressedSize, size, header } = entry;
  const isZip64 = [compressedSize, size, header].includes(ELSEWHERE);
  const feature = isZip64
    ? "ZIP64 archives"
    : isEncrypted
      ? "encrypted archives"
      : method !== STORED && method !== DEFLATED
        ? `zip compression ${method}`
        : undefined;
  if (feature === undefined) return;
  throw new UnsupportedError({
    where,
    found: feature,
    expected: "a member that is stored or deflated",
    remedy: "Pack it again",
    features: [feature],
  });
}

function contentOf(
  archive: Uint8Array,
  view: DataView,
  { header, method, compressedSize, size }: Entry,
  where: string,
): Uint8Array {
  if (header + LOCAL_HEADER_BYTES > archive.length || view.getUint32(header, true) !== LOCAL_HEADER)
    throw damaged(where, `no member at byte ${header}`, "one where the directory says");
  const start =
    header +
    LOCAL_HEADER_BYTES +
    view.getUint16(header + 26, true) +
    view.getUint16(header + 28, true);
  const left = archive.length - start;
  if (compressedSize > left) throw damaged(where, `${compressedSize} bytes`, `at most ${left}`);
  const compressed = archive.subarray(start, start + compressedSize);
  if (method === STORED) return compressed;
  if (size > compressedSize * DEFLATE_RATIO) {
    const found = `${size} bytes from ${compressedSize} compressed ones`;
    throw damaged(where, found, `at most ${DEFLATE_RATIO} times as many`);
  }
  refuseOversize(size, archive.length, where);
  try {
    return inflateSync(compressed, { out: new Uint8Array(size) });
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw damaged(where, found, "deflated bytes", cause);
  }
}

function refuseOversize(size: number, archiveLength: number, where: string): void {
  const max = Math.min(archiveLength * MAX_EXPANSION, MAX_MEMBER_BYTES);
  if (size <= max) return;
  throw new LimitError({
    where,
    found: `${size} bytes in an archive of ${archiveLength}`,
    expected: `at most ${max}`,
    limit: "size of an archive member",
    value: size,
    max,
  });
}

function damaged(where: string, found: string, expected: string, cause?: unknown): FormatError {
  return new FormatError({
    format: "zip",
    where,
    found,
    expected,
    remedy: "Copy or save the model again",
    ...(cause === undefined ? {} : { cause }),
  });
}
