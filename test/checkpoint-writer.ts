/** Writes checkpoints for tests: index tables with any block size and compression, data files, deliberate damage. */
import { crc32c } from "../src/formats/checksum/crc.ts";
import { maskCrc } from "../src/formats/tensorflow/mask-crc.ts";
import { encodeFields, type Field, Fixed32, message, varint } from "./wire-writer.ts";

export interface TableOptions {
  readonly snappy?: boolean;
  readonly entriesPerBlock?: number;
}

function uint32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function block(entries: readonly (readonly [string, Uint8Array])[]): number[] {
  const bytes: number[] = [];
  let previous = "";
  for (const [key, value] of entries) {
    let shared = 0;
    while (shared < previous.length && previous[shared] === key[shared]) shared++;
    const suffix = [...key.slice(shared)].map((char) => char.charCodeAt(0));
    bytes.push(...varint(shared), ...varint(suffix.length), ...varint(value.length));
    bytes.push(...suffix, ...value);
    previous = key;
  }
  return [...bytes, ...uint32(0), ...uint32(1)];
}

/** Snappy with literals only: what every decoder must understand. */
function snappyLiterals(bytes: readonly number[]): number[] {
  const out = [...varint(bytes.length)];
  for (let start = 0; start < bytes.length; start += 60) {
    const part = bytes.slice(start, start + 60);
    out.push((part.length - 1) << 2, ...part);
  }
  return out;
}

/** Builds a table from sorted entries; keys are byte strings. */
export function encodeTable(
  entries: readonly (readonly [string, Uint8Array])[],
  { snappy = false, entriesPerBlock = 3 }: TableOptions = {},
): Uint8Array {
  const file: number[] = [];
  const index: [string, Uint8Array][] = [];
  const append = (contents: number[]): number[] => {
    const stored = snappy ? snappyLiterals(contents) : contents;
    const typed = [...stored, snappy ? 1 : 0];
    const handle = [...varint(file.length), ...varint(stored.length)];
    file.push(...typed, ...uint32(maskCrc(crc32c(Uint8Array.from(typed)))));
    return handle;
  };
  for (let start = 0; start < entries.length; start += entriesPerBlock) {
    const part = entries.slice(start, start + entriesPerBlock);
    index.push([part.at(-1)![0], Uint8Array.from(append(block(part)))]);
  }
  const metaHandle = append(block([]));
  const indexHandle = append(block(index));
  const footer = [...metaHandle, ...indexHandle];
  while (footer.length < 40) footer.push(0);
  return Uint8Array.from([...file, ...footer, ...uint32(0x8b80fb57), ...uint32(0xdb477524)]);
}

export interface TestEntry {
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly shard?: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly crc?: number;
}

export function shapeMessage(shape: readonly number[]) {
  return message(...shape.map((size): Field => [2, message([1, size])]));
}

export function encodeEntry({
  dtype,
  shape,
  shard = 0,
  offset,
  bytes,
  crc,
}: TestEntry): Uint8Array {
  return encodeFields([
    [1, dtype],
    [2, shapeMessage(shape)],
    [3, shard],
    [4, offset],
    [5, bytes.length],
    [6, new Fixed32(crc ?? maskCrc(crc32c(bytes)))],
  ]);
}

export function encodeHeader(shards = 1, endianness = 0): Uint8Array {
  return encodeFields([
    [1, shards],
    [2, endianness],
  ]);
}
