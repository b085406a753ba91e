/**
 * TFLite's storage of string tensors: int32 count, count + 1 int32 offsets from the start of the buffer, then the bytes.
 * Source: TensorFlow Lite string_util.h.
 */
export function encodeStrings(strings: readonly Uint8Array[]): Uint8Array {
  const header = 4 * (strings.length + 2);
  const total = strings.reduce((sum, { byteLength }) => sum + byteLength, header);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, strings.length, true);
  let offset = header;
  strings.forEach((text, i) => {
    view.setInt32(4 * (i + 1), offset, true);
    bytes.set(text, offset);
    offset += text.byteLength;
  });
  view.setInt32(4 * (strings.length + 1), offset, true);
  return bytes;
}
