/**
 * Reader of the sorted string table that holds a checkpoint's index: LevelDB's table format without its internal key
 * suffix (google/leveldb doc/table_format.md; TensorFlow tsl/lib/io/format.h). A footer of 48 bytes points to the index
 * block, the index block to the data blocks; each block is followed by its compression type and a masked CRC-32C.
 */
import { FormatError } from "../../base/errors.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { crc32c } from "../checksum/crc.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { maskCrc } from "./mask-crc.ts";
import { decompressSnappy } from "./snappy.ts";

const FOOTER_LENGTH = 48;
const TRAILER_LENGTH = 5;
const MAGIC_LOW = 0x8b80fb57;
const MAGIC_HIGH = 0xdb477524;
/** Largest block after decompression. The writer's own target is 256 KiB. */
const MAX_BLOCK_LENGTH = 256 * 1024 * 1024;

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/**
 * Reads a whole table. Keys are byte strings, given as strings of one character a byte; see `keyOf`. Values alias the
 * blocks that were read.
 *
 * @throws {FormatError} when the footer, a block or its checksum is wrong.
 */
export async function readTable(source: ByteSource): Promise<Map<string, Uint8Array>> {
  const index = await readIndexHandle(source);
  const indexBlock = await readBlock(source, index);
  const entries = new Map<string, Uint8Array>();
  let expectedStart = 0;
  for (const value of readEntries(indexBlock, `${source.name}, index block`).values()) {
    const cursor = new ByteCursor(value, `${source.name}, index block`, "sstable");
    const handle = readHandle(cursor);
    // Blocks that overlap would let a small file unfold into endless work.
    if (handle.offset < expectedStart) {
      throw cursor.malformed(
        `a block at ${handle.offset} before ${expectedStart}`,
        "blocks in order",
      );
    }
    expectedStart = handle.offset + handle.size + TRAILER_LENGTH;
    const block = await readBlock(source, handle);
    const where = `${source.name}, block at ${handle.offset}`;
    for (const [key, entry] of readEntries(block, where)) entries.set(key, entry);
  }
  return entries;
}

/** The table key of a tensor name: its UTF-8 bytes, one character each. */
export function keyOf(name: string): string {
  return byteString(new TextEncoder().encode(name));
}

/** Bytes as a string of one character a byte. */
export function byteString(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

async function readIndexHandle(source: ByteSource): Promise<BlockHandle> {
  const where = `${source.name}, footer`;
  if (source.byteLength < FOOTER_LENGTH) {
    throw new FormatError({
      format: "sstable",
      where,
      found: `a file of ${source.byteLength} bytes`,
      expected: `at least ${FOOTER_LENGTH}`,
      remedy: "Copy or save the model again",
    });
  }
  const start = source.byteLength - FOOTER_LENGTH;
  const cursor = new ByteCursor(await source.read(start, source.byteLength), where, "sstable");
  readHandle(cursor);
  const index = readHandle(cursor);
  cursor.position = FOOTER_LENGTH - 8;
  if (cursor.uint32() !== MAGIC_LOW || cursor.uint32() !== MAGIC_HIGH) {
    throw cursor.malformed("another magic number", "a checkpoint index");
  }
  return index;
}

function readHandle(cursor: ByteCursor): BlockHandle {
  return { offset: cursor.varint(), size: cursor.varint() };
}

/** Reads a block, checks its CRC and expands it. */
async function readBlock(source: ByteSource, { offset, size }: BlockHandle): Promise<Uint8Array> {
  const where = `${source.name}, block at ${offset}`;
  const end = offset + size + TRAILER_LENGTH;
  if (end > source.byteLength) {
    throw new FormatError({
      format: "sstable",
      where,
      found: `a block that ends at ${end}`,
      expected: `at most ${source.byteLength}`,
      remedy: "Copy or save the model again",
      byteOffset: offset,
    });
  }
  const bytes = await source.read(offset, end);
  const stored = new ByteCursor(bytes.subarray(size + 1), where, "sstable").uint32();
  const computed = maskCrc(crc32c(bytes.subarray(0, size + 1)));
  if (stored !== computed) {
    throw new FormatError({
      format: "sstable",
      where,
      found: `checksum ${hex(computed)}`,
      expected: `${hex(stored)} as stored`,
      remedy: "The file is damaged: copy or save the model again",
      byteOffset: offset,
    });
  }
  const type = bytes[size];
  const contents = bytes.subarray(0, size);
  if (type === 0) return contents;
  if (type === 1) return decompressSnappy(contents, MAX_BLOCK_LENGTH, where);
  throw new FormatError({
    format: "sstable",
    where,
    found: `compression type ${type}`,
    expected: "0 (none) or 1 (snappy)",
    byteOffset: offset + size,
  });
}

/**
 * Entries of a block, keys rebuilt from the prefix that each shares with the one before. Rebuilt keys may be longer
 * than their block, so their total is limited.
 */
function readEntries(block: Uint8Array, where: string): Map<string, Uint8Array> {
  if (block.length < 4) {
    throw new ByteCursor(block, where, "sstable").malformed("a block without a restart count");
  }
  const tail = new ByteCursor(block.subarray(block.length - 4), where, "sstable");
  const restarts = tail.uint32();
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw tail.malformed(`${restarts} restart points in ${block.length} bytes`);
  const cursor = new ByteCursor(block.subarray(0, end), where, "sstable");
  const entries = new Map<string, Uint8Array>();
  let key = "";
  let keyBytes = 0;
  while (cursor.left > 0) {
    const shared = cursor.varint(5);
    const suffixLength = cursor.varint(5);
    const valueLength = cursor.varint(5);
    if (shared > key.length) throw cursor.malformed(`${shared} shared bytes of ${key.length}`);
    key = key.slice(0, shared) + byteString(cursor.take(suffixLength));
    keyBytes += key.length;
    if (keyBytes > MAX_BLOCK_LENGTH) throw cursor.malformed("keys without end");
    entries.set(key, cursor.take(valueLength));
  }
  return entries;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
