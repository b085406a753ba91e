/**
 * A check of HDF5's global heaps, in which strings of any length lie (HDF5 File Format Specification 3.0, III.E). The
 * HDF5 library walks through a heap by the sizes that its objects claim, and never ends where the free space at the end
 * claims to have none.
 */
import { FormatError } from "../../base/errors.ts";

const SIGNATURE = [0x47, 0x43, 0x4f, 0x4c];
/** Signature, version, three zero bytes, and the size of the collection, 8 bytes. */
const HEADER_BYTES = 16;
/** Index, reference count, four bytes of nothing, and a size of 8 bytes. */
const OBJECT_BYTES = 16;
const FREE_SPACE = 0;
const VERSION = 1;

/**
 * Checks every global heap in a file.
 * @throws {FormatError} when a heap or an object in it does not end where it must
 */
export function verifyGlobalHeaps(bytes: Uint8Array, where: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = nextHeap(bytes, 0); at >= 0; at = nextHeap(bytes, at + 4)) {
    const size = Number(view.getBigUint64(at + 8, true));
    if (size < HEADER_BYTES || size > bytes.length - at) {
      throw damaged(where, at, `a heap of ${size} bytes`, `at most ${bytes.length - at}`);
    }
    walkHeap(view, at, at + size, where);
  }
}

/** Position of the next thing that looks like a heap; -1 when there is none. */
function nextHeap(bytes: Uint8Array, from: number): number {
  for (
    let at = bytes.indexOf(SIGNATURE[0]!, from);
    at >= 0;
    at = bytes.indexOf(SIGNATURE[0]!, at + 1)
  ) {
    if (at + HEADER_BYTES > bytes.length) return -1;
    const isHeap =
      SIGNATURE.every((byte, i) => bytes[at + i] === byte) &&
      bytes[at + 4] === VERSION &&
      bytes[at + 5] === 0 &&
      bytes[at + 6] === 0 &&
      bytes[at + 7] === 0;
    if (isHeap) return at;
  }
  return -1;
}

function walkHeap(view: DataView, start: number, end: number, where: string): void {
  let at = start + HEADER_BYTES;
  while (at + OBJECT_BYTES <= end) {
    const index = view.getUint16(at, true);
    const size = Number(view.getBigUint64(at + 8, true));
    // The free space counts its own header; other objects do not, and take whole steps of 8 bytes.
    const step = index === FREE_SPACE ? size : OBJECT_BYTES + 8 * Math.ceil(size / 8);
    if (step < OBJECT_BYTES || step > end - at) {
      throw damaged(where, at, `an object of ${size} bytes`, `at most ${end - at}`);
    }
    at += step;
  }
}

function damaged(where: string, at: number, found: string, expected: string): FormatError {
  return new FormatError({
    format: "hdf5",
    where: `${where}, byte ${at}`,
    found,
    expected,
    remedy: "Copy or save the model again",
    byteOffset: at,
  });
}
