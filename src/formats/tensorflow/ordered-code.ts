/**
 * Keys of tensor slices in a checkpoint's index. They are written in an encoding whose byte order equals the order of
 * the values (TensorFlow core/lib/strings/ordered_code.cc, core/util/saved_tensor_slice_util.cc).
 */
import { byteString } from "./sstable.ts";

/** One dimension of a slice; `length` -1 stands for the full extent. */
export interface SliceExtent {
  readonly start: number;
  readonly length: number;
}

/** Key of the slice of `name` with these extents: 0, name, rank, then start and length of each dimension. */
export function encodeSliceKey(name: string, extents: readonly SliceExtent[]): string {
  const bytes: number[] = [
    ...encodeNumber(0),
    ...encodeString(name),
    ...encodeNumber(extents.length),
  ];
  for (const { start, length } of extents) {
    bytes.push(...encodeSigned(start), ...encodeSigned(length));
  }
  return byteString(Uint8Array.from(bytes));
}

/** Count of significant bytes, then those bytes, most significant first. */
function encodeNumber(value: number): number[] {
  const bytes = bigEndian(BigInt(value));
  return [bytes.length, ...bytes];
}

/** 00 and ff are escaped as 00 ff and ff 00; 00 01 ends the string. */
function encodeString(text: string): number[] {
  const bytes: number[] = [];
  for (const byte of new TextEncoder().encode(text)) {
    if (byte === 0) bytes.push(0, 0xff);
    else if (byte === 0xff) bytes.push(0xff, 0);
    else bytes.push(byte);
  }
  return [...bytes, 0, 1];
}

/**
 * The smallest n with -2^(7n-1) <= value < 2^(7n-1); value in n bytes of two's complement, with the first n bits
 * after the sign marking the length: ones for positive values, inverted for negative ones.
 */
function encodeSigned(value: number): number[] {
  let n = 1;
  while (value < -(2 ** (7 * n - 1)) || value >= 2 ** (7 * n - 1)) n++;
  const width = 8n * BigInt(n);
  const header = ((1n << BigInt(n)) - 1n) << (width - BigInt(n));
  const bits = BigInt.asUintN(Number(width), BigInt(value)) ^ header;
  const bytes = bigEndian(bits);
  return [...new Array<number>(n - bytes.length).fill(0), ...bytes];
}

function bigEndian(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return bytes;
}
