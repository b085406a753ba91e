/**
 * The IR to .tflite files. Only the metadata passes through the FlatBuffers builder; constant data is loaded, written
 * and let go one buffer at a time, and in pieces where it comes from another file.
 *
 * A file is the metadata, then each buffer's bytes at a multiple of 16. They are byte vectors of the flatbuffer, which
 * cannot reach further than 2 GiB; larger models have them outside of it, as `Buffer.offset` and `size`.
 */
import { assert, LimitError } from "../base/errors.ts";
import { encodeFlatbuffer, TAIL_ALIGNMENT, TailVector } from "../formats/flatbuffer/encode.ts";
import { relocateArchive } from "../formats/tflite/associated-files.ts";
import { TFLITE_SCHEMA } from "../formats/tflite/schema.gen.ts";
import type { ByteSink } from "../io/byte-source.ts";
import { type Buffer, type Model, residentBuffer } from "./ir.ts";
import { type BufferPlace, modelToRecord } from "./to-record.ts";

/** A flatbuffer's offsets are signed 32-bit numbers in its readers. */
const MAX_FLATBUFFER_BYTES = 2 ** 31 - 1;
/** Buffers in another file are copied in pieces of this size. */
const PIECE_BYTES = 2 ** 22;
/** Typed arrays beyond this exist in some engines only. */
const MAX_ARRAY_BYTES = 2 ** 32 - 1;
/** Zero bytes behind data outside the flatbuffer: readers may look a vector's width further. */
const END_PADDING = 16;
const LOCATION_NAME = "buffer_location";
const LOCATION_TEXT = "outside flatbuffers";
const NOWHERE: BufferPlace = { offset: 0n, size: 0n };

/** One stretch of constant data behind the metadata. */
interface TailItem {
  readonly buffer: Buffer;
  /** Of its first byte, counted from the end of the metadata. */
  readonly tailOffset: number;
  /** Vectors of the flatbuffer have their length, a uint32, before the first byte. */
  readonly isVector: boolean;
}

/** Where everything will stand. */
export interface WritePlan {
  /** Whether constant data is outside the flatbuffer. */
  readonly isOutside: boolean;
  readonly head: Uint8Array;
  readonly items: readonly TailItem[];
  readonly associatedFiles?: { readonly buffer: Buffer; readonly tailOffset: number };
  readonly byteLength: number;
}

export interface WriteOptions {
  /** Largest flatbuffer to write; constant data goes outside when it would become larger. Lower it only to test that. */
  readonly maxFlatbufferBytes?: number;
}

/**
 * Encodes the model as one array.
 *
 * @throws {LimitError} when the file is too long for an array on every engine; use `writeModel`
 */
export async function encodeModel(model: Model, options: WriteOptions = {}): Promise<Uint8Array> {
  const plan = planWrite(model, options);
  if (plan.byteLength > MAX_ARRAY_BYTES) {
    throw new LimitError({
      where: "encoding a model",
      found: `a file of ${plan.byteLength} bytes`,
      expected: `at most ${MAX_ARRAY_BYTES}`,
      remedy: "Write it to a file instead",
      limit: "array bytes",
      value: plan.byteLength,
      max: MAX_ARRAY_BYTES,
    });
  }
  const bytes = new Uint8Array(plan.byteLength);
  let offset = 0;
  for await (const chunk of chunksOf(plan)) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  assert(offset === plan.byteLength, "the file is as long as planned");
  return bytes;
}

/** Writes the model to `sink` and commits it; aborts the sink when anything fails. */
export async function writeModel(
  model: Model,
  sink: ByteSink,
  options: WriteOptions = {},
): Promise<void> {
  try {
    for await (const chunk of chunksOf(planWrite(model, options))) await sink.write(chunk);
    await sink.commit();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/** Lays the file out. Pure: loads no buffer. */
export function planWrite(model: Model, options: WriteOptions = {}): WritePlan {
  const { maxFlatbufferBytes = MAX_FLATBUFFER_BYTES } = options;
  const dataBytes = model.buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (dataBytes <= maxFlatbufferBytes) {
    const plan = planInside(withoutLocation(model));
    if (plan.byteLength <= maxFlatbufferBytes) return plan;
  }
  return planOutside(withLocation(model));
}

function planInside(model: Model): WritePlan {
  const tail = new Tail();
  const places = new Map<Buffer, BufferPlace>();
  const buffers = model.buffers.map((buffer) => {
    if (buffer.byteLength === 0) return NOWHERE;
    const known = places.get(buffer);
    if (known !== undefined) return known;
    const data = new TailVector(tail.add(buffer, true), buffer.byteLength);
    const place = { data, offset: 0n, size: 0n };
    places.set(buffer, place);
    return place;
  });
  return finishPlan(model, tail, false, () => buffers);
}

function planOutside(model: Model): WritePlan {
  const tail = new Tail();
  const offsets = new Map<Buffer, number>();
  for (const buffer of model.buffers) {
    if (buffer.byteLength > 0 && !offsets.has(buffer)) offsets.set(buffer, tail.add(buffer, false));
  }
  return finishPlan(model, tail, true, (headBytes) =>
    model.buffers.map((buffer) => {
      const tailOffset = offsets.get(buffer);
      return tailOffset === undefined ? NOWHERE : placeOutside(headBytes + tailOffset, buffer);
    }),
  );
}

/**
 * Encodes the metadata. Positions from the file's start depend on its length, and its length not on them (they are
 * 64-bit fields that are never the default), so where there are any it is encoded twice.
 */
function finishPlan(
  model: Model,
  tail: Tail,
  isOutside: boolean,
  placesFor: (headBytes: number) => readonly BufferPlace[],
): WritePlan {
  const large = new Map<Buffer, number>();
  for (const { operators } of model.subgraphs) {
    for (const { largeCustomOptions } of operators) {
      if (largeCustomOptions !== undefined && !large.has(largeCustomOptions)) {
        large.set(largeCustomOptions, tail.add(largeCustomOptions, false));
      }
    }
  }
  const encode = (headBytes: number): Uint8Array =>
    encodeFlatbuffer(
      TFLITE_SCHEMA,
      modelToRecord(model, {
        buffers: placesFor(headBytes),
        largeCustomOptions: ({ largeCustomOptions }) => {
          const tailOffset = largeCustomOptions && large.get(largeCustomOptions);
          assert(
            largeCustomOptions !== undefined && tailOffset !== undefined,
            "custom options placed",
          );
          return placeOutside(headBytes + tailOffset, largeCustomOptions);
        },
      }),
    );
  const first = encode(0);
  const head = isOutside || large.size > 0 ? encode(first.byteLength) : first;
  assert(head.byteLength === first.byteLength, "metadata keeps its length");
  const end = head.byteLength + tail.byteLength + (isOutside ? END_PADDING : 0);
  const { associatedFiles } = model;
  return {
    isOutside,
    head,
    items: tail.items,
    ...(associatedFiles === undefined
      ? {}
      : { associatedFiles: { buffer: associatedFiles, tailOffset: end - head.byteLength } }),
    byteLength: end + (associatedFiles?.byteLength ?? 0),
  };
}

/** Hands out aligned stretches behind the metadata. */
class Tail {
  readonly items: TailItem[] = [];
  byteLength = 0;

  /** Returns the offset of the first byte; the first stretch leaves room for a count before it. */
  add(buffer: Buffer, isVector: boolean): number {
    const tailOffset = alignUp(this.byteLength + 4, TAIL_ALIGNMENT);
    this.items.push({ buffer, tailOffset, isVector });
    this.byteLength = tailOffset + buffer.byteLength;
    return tailOffset;
  }
}

function placeOutside(position: number, buffer: Buffer): BufferPlace {
  return { offset: BigInt(position), size: BigInt(buffer.byteLength) };
}

function withLocation(model: Model): Model {
  if (model.metadata.some(({ name }) => name === LOCATION_NAME)) return model;
  return {
    ...model,
    buffers: [...model.buffers, residentBuffer(new TextEncoder().encode(LOCATION_TEXT))],
    metadata: [...model.metadata, { name: LOCATION_NAME, buffer: model.buffers.length }],
  };
}

/** Takes back the remark that data is outside, which a larger ancestor of the model may have had. */
function withoutLocation(model: Model): Model {
  return { ...model, metadata: model.metadata.filter(({ name }) => name !== LOCATION_NAME) };
}

async function* chunksOf(plan: WritePlan): AsyncGenerator<Uint8Array> {
  yield plan.head;
  let tailOffset = 0;
  for (const { buffer, tailOffset: start, isVector } of plan.items) {
    yield gap(start - tailOffset, isVector ? buffer.byteLength : undefined);
    yield* piecesOf(buffer);
    tailOffset = start + buffer.byteLength;
  }
  const end =
    plan.byteLength - plan.head.byteLength - (plan.associatedFiles?.buffer.byteLength ?? 0);
  if (end > tailOffset) yield new Uint8Array(end - tailOffset);
  if (plan.associatedFiles !== undefined) {
    const archive = await loadExactly(plan.associatedFiles.buffer);
    yield relocateArchive(archive, plan.head.byteLength + plan.associatedFiles.tailOffset);
  }
}

/** Zero bytes up to the next stretch, the last four its count. */
function gap(byteLength: number, count: number | undefined): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  if (count !== undefined) new DataView(bytes.buffer).setUint32(byteLength - 4, count, true);
  return bytes;
}

/** A buffer in memory at once; one that is elsewhere through a window, which is used again for the next piece. */
async function* piecesOf(buffer: Buffer): AsyncGenerator<Uint8Array> {
  const { bytes, byteLength, loadInto } = buffer;
  if (bytes !== undefined || loadInto === undefined || byteLength <= PIECE_BYTES) {
    yield await loadExactly(buffer);
    return;
  }
  const window = new Uint8Array(PIECE_BYTES);
  for (let start = 0; start < byteLength; start += PIECE_BYTES) {
    const piece = window.subarray(0, Math.min(PIECE_BYTES, byteLength - start));
    await loadInto(start, piece);
    yield piece;
  }
}

async function loadExactly(buffer: Buffer): Promise<Uint8Array> {
  const bytes = await buffer.load();
  assert(bytes.byteLength === buffer.byteLength, "a buffer loads as many bytes as it says");
  return bytes;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
