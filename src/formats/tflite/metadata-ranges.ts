/**
 * Finds out which bytes of a large .tflite file are metadata, reading little else: the root table, the list of buffers
 * and the head of each buffer. Everything outside the large buffers counts as metadata.
 */
import { FormatError, LimitError } from "../../base/errors.ts";
import type { ByteSource } from "../../io/byte-source.ts";
import { TFLITE_SCHEMA } from "./schema.gen.ts";

/** A stretch of the file; the end is exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Buffers from this size on stay in the file; smaller ones are cheaper to read along than to ask for one by one. */
const MIN_LEFT_OUT_BYTES = 65_536;
/** Metadata beyond this is no model's. */
const MAX_METADATA_BYTES = 2 ** 29;
/** As many as the decoder accepts tables. */
const MAX_BUFFERS = 1_000_000;
const PAGE_BYTES = 4096;
const MAX_KEPT_PAGES = 1024;

/**
 * The ranges to read before the metadata can be decoded, ascending.
 *
 * @throws {FormatError | LimitError} when offsets lead outside the file, or nearly nothing of it is constant data
 */
export async function findMetadata(source: ByteSource): Promise<Range[]> {
  const pages = new Pages(source);
  const model = await pages.follow(0);
  const list = await pages.field(model, slotOf("Model", "buffers"));
  const leftOut: Range[] = [];
  if (list !== undefined) {
    const vector = await pages.follow(list);
    const count = await pages.uint32(vector);
    if (count > MAX_BUFFERS) throw tooMany("buffers", count, MAX_BUFFERS, source.name);
    for (let index = 0; index < count; index++) {
      const range = await dataRange(pages, await pages.follow(vector + 4 + 4 * index));
      if (range.end - range.start >= MIN_LEFT_OUT_BYTES) leftOut.push(range);
    }
  }
  const ranges = complementOf(leftOut, source.byteLength);
  const byteLength = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  if (byteLength > MAX_METADATA_BYTES) {
    throw tooMany("metadata bytes", byteLength, MAX_METADATA_BYTES, source.name);
  }
  return ranges;
}

/** Where a buffer's data is, inside the flatbuffer or outside; empty where it has none or none in this file. */
async function dataRange(pages: Pages, table: number): Promise<Range> {
  const data = await pages.field(table, slotOf("Buffer", "data"));
  if (data !== undefined) {
    const vector = await pages.follow(data);
    return pages.within(vector + 4, await pages.uint32(vector));
  }
  const offset = await pages.field(table, slotOf("Buffer", "offset"));
  const size = await pages.field(table, slotOf("Buffer", "size"));
  if (offset === undefined || size === undefined) return { start: 0, end: 0 };
  return pages.within(Number(await pages.uint64(offset)), Number(await pages.uint64(size)));
}

function slotOf(table: string, name: string): number {
  const field = TFLITE_SCHEMA.tables[table]?.find((candidate) => candidate.name === name);
  return field?.slot ?? -1;
}

/** What lies between the ranges, which may overlap and come in any order. */
export function complementOf(ranges: readonly Range[], byteLength: number): Range[] {
  const gaps: Range[] = [];
  let position = 0;
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    if (start > position) gaps.push({ start: position, end: start });
    position = Math.max(position, end);
  }
  if (position < byteLength) gaps.push({ start: position, end: byteLength });
  return gaps;
}

function tooMany(limit: string, value: number, max: number, name: string): LimitError {
  return new LimitError({
    where: name,
    found: `${value} ${limit}`,
    expected: `at most ${max}`,
    remedy: "The file is damaged; get it again",
    limit,
    value,
    max,
  });
}

/** Checked reads at any position, a page at a time; the pages read last are kept. */
class Pages {
  readonly #source: ByteSource;
  readonly #kept = new Map<number, DataView>();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async uint32(position: number): Promise<number> {
    const { view, offset } = await this.#at(position, 4);
    return view.getUint32(offset, true);
  }

  async uint64(position: number): Promise<bigint> {
    const { view, offset } = await this.#at(position, 8);
    return view.getBigUint64(offset, true);
  }

  /** The position that the offset at `position` refers to. */
  async follow(position: number): Promise<number> {
    return position + (await this.uint32(position));
  }

  /** The position of a table's field; undefined when the table does not have it. */
  async field(table: number, slot: number): Promise<number | undefined> {
    const distance = await this.#at(table, 4);
    const vtable = table - distance.view.getInt32(distance.offset, true);
    const entry = 4 + 2 * slot;
    if (entry + 2 > (await this.#uint16(vtable))) return undefined;
    const offset = await this.#uint16(vtable + entry);
    return offset === 0 ? undefined : table + offset;
  }

  within(start: number, byteLength: number): Range {
    if (start + byteLength > this.#source.byteLength) throw this.#outside(start, byteLength);
    return { start, end: start + byteLength };
  }

  async #uint16(position: number): Promise<number> {
    const { view, offset } = await this.#at(position, 2);
    return view.getUint16(offset, true);
  }

  async #at(position: number, byteLength: number): Promise<{ view: DataView; offset: number }> {
    const end = position + byteLength;
    if (position < 0 || end > this.#source.byteLength) throw this.#outside(position, byteLength);
    const page = Math.floor(position / PAGE_BYTES);
    const start = page * PAGE_BYTES;
    if (end > start + PAGE_BYTES) return { view: await this.#read(position, end), offset: 0 };
    let view = this.#kept.get(page);
    if (view === undefined) {
      view = await this.#read(start, Math.min(start + PAGE_BYTES, this.#source.byteLength));
      if (this.#kept.size >= MAX_KEPT_PAGES) this.#kept.clear();
      this.#kept.set(page, view);
    }
    return { view, offset: position - start };
  }

  async #read(start: number, end: number): Promise<DataView> {
    const bytes = await this.#source.read(start, end);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #outside(position: number, byteLength: number): FormatError {
    return new FormatError({
      where: `${this.#source.name}, byte ${position}`,
      found: `${byteLength} bytes wanted`,
      expected: `a range within ${this.#source.byteLength} bytes`,
      remedy: "The file is damaged; get it again",
      format: "tflite",
      byteOffset: position,
    });
  }
}
