/**
 * Fixed parts of ZIP archives (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT): §4.3.7 local header,
 * §4.3.12 central directory, 46 bytes and three variable fields an entry, §4.3.16 end record, 22 bytes and a comment.
 */

export const LOCAL_HEADER = 0x04034b50;
export const CENTRAL_ENTRY = 0x02014b50;
export const ENTRY_BYTES = 46;
export const LOCAL_HEADER_BYTES = 30;
const END_RECORD = 0x06054b50;
const END_RECORD_BYTES = 22;

/** The longest end record: its comment has at most 65,535 bytes. */
const MAX_END_RECORD_BYTES = END_RECORD_BYTES + 0xffff;

/** Position of the end record that closes the bytes; undefined when there is none. */
export function findEndRecord(view: DataView): number | undefined {
  const last = view.byteLength - END_RECORD_BYTES;
  for (let at = last; at >= Math.max(0, view.byteLength - MAX_END_RECORD_BYTES); at--) {
    const comment = last - at;
    if (view.getUint32(at, true) === END_RECORD && view.getUint16(at + 20, true) === comment)
      return at;
  }
  return undefined;
}
