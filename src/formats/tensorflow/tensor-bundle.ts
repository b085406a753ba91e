/**
 * A checkpoint: `<prefix>.index`, a sorted string table from tensor names to places, and `<prefix>.data-?????-of-?????`,
 * the bytes (TensorFlow core/util/tensor_bundle/tensor_bundle.cc). Opening reads the index only; a tensor is read, and
 * its checksum checked, when it is asked for.
 */
import { byteLengthOf, type StringData } from "../../base/dtype.ts";
import { FormatError, IoError, UnsupportedError } from "../../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { ByteSource, FileTree } from "../../io/byte-source.ts";
import { crc32c } from "../checksum/crc.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { type BundleEntryProto, readBundleEntry, readBundleHeader } from "./checkpoint-messages.ts";
import { toDType } from "./data-type.ts";
import { maskCrc } from "./mask-crc.ts";
import { encodeSliceKey, type SliceExtent } from "./ordered-code.ts";
import { keyOf, readTable } from "./sstable.ts";
import { dataFromBytes, swapByteOrder, type TensorRecord, toShape } from "./tensor.ts";
import { copySlice } from "./tensor-slice.ts";
import { parseMessage } from "./wire.ts";

const BIG_ENDIAN = 1;
/** TensorFlow writes five digits. */
const MAX_SHARDS = 99_999;

/** Data files up to this size are read at once: hundreds of small reads take longer than the bytes do. */
const READ_WHOLE = 64 * 1024 * 1024;

/** An open checkpoint. */
export interface TensorBundle {
  /** The index file, for messages. */
  readonly name: string;
  has(key: string): boolean;
  /**
   * Reads a tensor by its key, joined from its slices where the checkpoint holds it in parts.
   *
   * @throws {FormatError} when the key is missing or its bytes are damaged.
   * @throws {IoError} when the data file is missing.
   */
  read(key: string): Promise<TensorRecord>;
  close(): Promise<void>;
}

/** Opens the checkpoint with this prefix ("variables/variables"); undefined when there is no index file. */
export async function openTensorBundle(
  tree: FileTree,
  prefix: string,
): Promise<TensorBundle | undefined> {
  const source = await tree.open(`${prefix}.index`);
  if (source === undefined) return undefined;
  try {
    const entries = await readTable(source);
    const header = entries.get("");
    if (header === undefined) {
      throw new FormatError({
        format: "checkpoint",
        where: source.name,
        found: "no header entry",
        expected: "a checkpoint index",
        remedy: "Save the model again",
      });
    }
    const { num_shards, endianness } = parseMessage(readBundleHeader, header, source.name);
    if (num_shards < 1 || num_shards > MAX_SHARDS) {
      throw new FormatError({
        format: "checkpoint",
        where: source.name,
        found: `${num_shards} data files`,
        expected: `1 to ${MAX_SHARDS}`,
      });
    }
    const shards = new Shards(tree, prefix, num_shards);
    return new Bundle(source.name, entries, shards, endianness === BIG_ENDIAN);
  } finally {
    await source.close?.();
  }
}

/** The data files, opened when first needed. */
class Shards {
  readonly #tree: FileTree;
  readonly #prefix: string;
  readonly #count: number;
  readonly #open = new Map<number, ByteSource>();

  constructor(tree: FileTree, prefix: string, count: number) {
    this.#tree = tree;
    this.#prefix = prefix;
    this.#count = count;
  }

  async source(shard: number, offset: number, where: string): Promise<ByteSource> {
    const open = this.#open.get(shard);
    if (open !== undefined) return open;
    if (shard < 0 || shard >= this.#count) {
      throw new FormatError({
        format: "checkpoint",
        where,
        found: `data file number ${shard}`,
        expected: `less than ${this.#count}`,
      });
    }
    const digits = (value: number): string => String(value).padStart(5, "0");
    const path = `${this.#prefix}.data-${digits(shard)}-of-${digits(this.#count)}`;
    const source = await this.#tree.open(path);
    if (source === undefined) {
      throw new IoError({
        where: `${this.#tree.name}/${path}`,
        found: "no such file",
        expected: `data file ${shard + 1} of ${this.#count} of the checkpoint`,
        remedy: "Copy the variables folder whole",
        path,
      });
    }
    const isSmall = source.byteLength <= READ_WHOLE;
    const opened = isSmall && offset >= 0 ? await readAligned(source, offset) : source;
    this.#open.set(shard, opened);
    return opened;
  }

  async close(): Promise<void> {
    for (const source of this.#open.values()) await source.close?.();
    this.#open.clear();
  }
}

/**
 * The file in memory from `offset` modulo 8 on, so that the tensor at `offset`, and all that follow it without a gap, lie
 * where views of them are possible: strings in front of them have any length.
 */
async function readAligned(source: ByteSource, offset: number): Promise<ByteSource> {
  const base = Math.min(offset % 8, source.byteLength);
  const rest = await source.read(base, source.byteLength);
  return {
    name: source.name,
    byteLength: source.byteLength,
    read: async (start, end) =>
      start < base ? source.read(start, end) : rest.subarray(start - base, end - base),
    close: async () => source.close?.(),
  };
}

class Bundle implements TensorBundle {
  readonly name: string;
  readonly #entries: ReadonlyMap<string, Uint8Array>;
  readonly #shards: Shards;
  readonly #swap: boolean;
  readonly #bytesRead = new Map<ByteSource, number>();
  readonly #tensors = new Map<string, Promise<TensorRecord>>();

  constructor(name: string, entries: Map<string, Uint8Array>, shards: Shards, swap: boolean) {
    this.name = name;
    this.#entries = entries;
    this.#shards = shards;
    this.#swap = swap;
  }

  has(key: string): boolean {
    return this.#entries.has(keyOf(key));
  }

  read(key: string): Promise<TensorRecord> {
    const known = this.#tensors.get(key) ?? this.#read(key);
    this.#tensors.set(key, known);
    return known;
  }

  async #read(key: string): Promise<TensorRecord> {
    const where = `${this.name}, tensor "${key}"`;
    const entry = this.#entry(keyOf(key), where);
    return entry.slices.length > 0
      ? this.#readSlices(key, entry, where)
      : this.#readWhole(entry, where);
  }

  close(): Promise<void> {
    return this.#shards.close();
  }

  #entry(tableKey: string, where: string): BundleEntryProto {
    const bytes = this.#entries.get(tableKey);
    if (bytes === undefined) {
      throw new FormatError({
        format: "checkpoint",
        where,
        found: "no such entry",
        expected: "a value for each variable",
        remedy: "Save the model again",
      });
    }
    return parseMessage(readBundleEntry, bytes, where);
  }

  async #readWhole(entry: BundleEntryProto, where: string): Promise<TensorRecord> {
    const dtype = toDType(entry.dtype, where);
    const shape = staticShape(entry, where);
    const bytes = await this.#bytes(entry, shape, where);
    if (dtype === "string") {
      const { strings, crc } = decodeStrings(bytes, elementCount(shape), where);
      verifyChecksum(entry, crc, where);
      return { dtype, shape, data: strings };
    }
    verifyChecksum(entry, crc32c(bytes), where);
    // Bytes whose order is to be swapped must be our own.
    const data = dataFromBytes(dtype, shape, this.#swap ? bytes.slice() : bytes, where);
    if (this.#swap) swapByteOrder(dtype, data);
    return { dtype, shape, data };
  }

  async #bytes(entry: BundleEntryProto, shape: Shape, where: string): Promise<Uint8Array> {
    const source = await this.#shards.source(entry.shard_id, entry.offset, where);
    const start = entry.offset;
    const end = start + entry.size;
    if (start < 0 || end < start || end > source.byteLength) {
      throw new FormatError({
        format: "checkpoint",
        where,
        found: `bytes ${start} to ${end} of ${source.name} for shape ${formatShape(shape)}`,
        expected: `a place within its ${source.byteLength} bytes`,
        remedy: "The data file is cut short or another one: copy or save the model again",
        byteOffset: start,
      });
    }
    // Each byte belongs to one tensor: entries that share bytes would let a small file unfold without end.
    const readSoFar = (this.#bytesRead.get(source) ?? 0) + end - start;
    this.#bytesRead.set(source, readSoFar);
    if (readSoFar > source.byteLength) {
      throw new FormatError({
        format: "checkpoint",
        where,
        found: `entries for more bytes than the ${source.byteLength} of ${source.name}`,
        expected: "entries that do not overlap",
      });
    }
    return source.read(start, end);
  }

  async #readSlices(key: string, entry: BundleEntryProto, where: string): Promise<TensorRecord> {
    const dtype = toDType(entry.dtype, where);
    const shape = staticShape(entry, where);
    const parts: { extents: readonly SliceExtent[]; part: TensorRecord }[] = [];
    for (const extents of entry.slices) {
      const sliceEntry = this.#entry(encodeSliceKey(key, extents), `${where}, one of its slices`);
      parts.push({ extents, part: await this.#readWhole(sliceEntry, where) });
    }
    return joinSlices(dtype, shape, parts, where);
  }
}

/** Puts slices together; they must cover the tensor, which also bounds its size by the bytes that were read. */
function joinSlices(
  dtype: TensorRecord["dtype"],
  shape: Shape,
  parts: readonly { extents: readonly SliceExtent[]; part: TensorRecord }[],
  where: string,
): TensorRecord {
  const count = elementCount(shape);
  const covered = parts.reduce((sum, { part }) => sum + elementCount(part.shape), 0);
  const byteLength = byteLengthOf(dtype, count);
  if (byteLength === undefined) {
    throw new UnsupportedError({
      where,
      found: `slices of type ${dtype}`,
      expected: "numbers",
      features: [`sliced variables of type ${dtype}`],
    });
  }
  if (covered !== count || parts.some(({ part }) => part.dtype !== dtype)) {
    throw new FormatError({
      format: "checkpoint",
      where,
      found: `slices of ${covered} elements in all`,
      expected: `${count} of type ${dtype}`,
    });
  }
  const whole = new Uint8Array(byteLength);
  for (const { extents, part } of parts) copySlice(whole, shape, part, extents, where);
  return { dtype, shape, data: dataFromBytes(dtype, shape, whole, where) };
}

function staticShape(entry: BundleEntryProto, where: string): Shape {
  const shape = toShape(entry.shape, where) ?? [];
  if (shape.every((size) => size >= 0) && Number.isSafeInteger(elementCount(shape))) return shape;
  throw new FormatError({
    format: "checkpoint",
    where,
    found: `shape ${formatShape(shape)}`,
    expected: "a known shape",
  });
}

function verifyChecksum(entry: BundleEntryProto, crc: number, where: string): void {
  if (maskCrc(crc) === entry.crc32c) return;
  throw new FormatError({
    format: "checkpoint",
    where,
    found: "bytes that do not match their checksum",
    remedy: "The data file is damaged: copy or save the model again",
    byteOffset: entry.offset,
  });
}

/**
 * String tensors: all lengths as varints, a masked CRC-32C over the lengths as little-endian uint32 (uint64 from 2^32
 * on), then all bytes. The checksum of the whole continues that of the lengths with everything after them.
 */
function decodeStrings(
  bytes: Uint8Array,
  count: number,
  where: string,
): { strings: StringData; crc: number } {
  const cursor = new ByteCursor(bytes, where, "checkpoint");
  if (count > cursor.left) throw cursor.malformed(`${count} strings in ${cursor.left} bytes`);
  const lengths = Array.from({ length: count }, () => cursor.varint());
  let crc = 0;
  for (const length of lengths) {
    const encoded = new DataView(new ArrayBuffer(length > 0xffffffff ? 8 : 4));
    encoded.setUint32(0, length % 2 ** 32, true);
    if (encoded.byteLength === 8) encoded.setUint32(4, Math.floor(length / 2 ** 32), true);
    crc = crc32c(new Uint8Array(encoded.buffer), crc);
  }
  const stored = cursor.uint32();
  if (stored !== maskCrc(crc)) throw cursor.malformed("lengths that do not match their checksum");
  const rest = cursor.bytes.subarray(cursor.position - 4);
  const strings = lengths.map((length) => cursor.take(length));
  return { strings, crc: crc32c(rest, crc) };
}
