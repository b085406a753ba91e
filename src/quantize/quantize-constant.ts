/**
 * Quantizes a constant piece by piece as its data arrives, so that of a large tensor only a piece is in memory beside
 * the result. Rows that have scales of their own do not know of each other; a tensor with one scale is read twice,
 * first for its largest magnitude. What needs all values at once is loaded whole.
 */
import { byteLengthOf, bytesOf, viewAs } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import { elementCount, type Shape } from "../base/shape.ts";
import type { Buffer } from "../model/ir.ts";
import { addTally, newErrorTally } from "./error-tally.ts";
import type { FastRun } from "./fast-symmetric.ts";
import {
  type PartOptions,
  type QuantizedWeight,
  quantizeWeight,
  type Unquantizable,
} from "./quantize-weight.ts";
import { type Magnitudes, measureMagnitudes, tensorSlices } from "./slices.ts";
import { storedOnDemand } from "./stored-on-demand.ts";
import type { WeightFormat } from "./weight-format.ts";

/** Elements of a piece: 1 MB of floats, which processors hold close. Even, so that pieces of int4 end with a byte. */
const PIECE = 1 << 18;

/** Elements from which on integers are not kept but made again when they are written. */
const ON_DEMAND = 1 << 22;

/** Stores the float32 data of `buffer`, which must be as long as `shape` says, in the given format. */
export async function quantizeConstant(
  buffer: Buffer,
  shape: Shape,
  format: WeightFormat,
  fastRun?: FastRun,
): Promise<QuantizedWeight | Unquantizable> {
  const stored = await quantizePieces(buffer, shape, format, fastRun);
  if (stored.bytes === undefined || !("repeatAlong" in format)) return stored;
  const { repeatAlong = 0 } = format;
  const count = shape[repeatAlong] ?? 1;
  return {
    ...stored,
    scale: new Float32Array(count).fill(stored.scale[0]!),
    zeroPoint: new Array<number>(count).fill(0),
    quantizedDimension: repeatAlong,
  };
}

async function quantizePieces(
  buffer: Buffer,
  shape: Shape,
  format: WeightFormat,
  fastRun: FastRun | undefined,
): Promise<QuantizedWeight | Unquantizable> {
  const row = independentRow(shape, format);
  const rows = row === 0 ? 0 : elementCount(shape) / row;
  const evenRows = Math.floor(PIECE / Math.max(1, row) / 2) * 2;
  if (row > 0 && evenRows > 0 && rows > evenRows) {
    const pieces = new Pieces(buffer, evenRows * row);
    const shapeOf = (count: number) => [count / row, ...rowShape(shape, format)];
    return quantizeEach(pieces, shapeOf, format, { fastRun });
  }
  if (isOneRange(format) && elementCount(shape) > PIECE) {
    const pieces = new Pieces(buffer, PIECE);
    const known = await measurePieces(pieces);
    return known.infinite > 0
      ? { infinite: known.infinite }
      : quantizeEach(pieces, (count) => [count], format, { fastRun, known });
  }
  return quantizeWeight(asFloats(await buffer.load()), shape, format, { fastRun });
}

/** Elements that can be stored without looking at any others; 0 where there is no such unit. */
function independentRow(shape: Shape, format: WeightFormat): number {
  if (format.dtype === "float16") return 1;
  if (format.dtype === "uint8" || format.granularity.kind === "tensor") return 0;
  if (format.granularity.kind === "block") return shape.at(-1) ?? 0;
  return format.granularity.axis === 0 ? elementCount(shape.slice(1)) : 0;
}

/** The dimensions of such a unit. */
function rowShape(shape: Shape, format: WeightFormat): Shape {
  if (format.dtype === "float16") return [];
  const isBlock = "granularity" in format && format.granularity.kind === "block";
  return isBlock ? shape.slice(-1) : shape.slice(1);
}

/** One scale, from the largest magnitude alone. */
function isOneRange(format: WeightFormat): boolean {
  return (
    "granularity" in format &&
    format.granularity.kind === "tensor" &&
    (format.method === "min_max" || format.method === "r1.13")
  );
}

/** The data of a buffer, a piece at a time. */
class Pieces {
  readonly length: number;
  readonly buffer: Buffer;
  readonly #size: number;

  constructor(buffer: Buffer, size: number) {
    this.length = buffer.byteLength / 4;
    this.buffer = buffer;
    this.#size = size;
  }

  /** Whether the data is read from where it lies, and can be read again. */
  get isDeferred(): boolean {
    return this.buffer.bytes === undefined && this.buffer.loadInto !== undefined;
  }

  /** Each piece is good until the next one is asked for. */
  async *read(): AsyncGenerator<Float32Array> {
    const { loadInto } = this.buffer;
    const whole = loadInto === undefined ? await this.buffer.load() : undefined;
    const place = new Float32Array(whole === undefined ? this.#size : 0);
    for (let start = 0; start < this.length; start += this.#size) {
      const end = Math.min(start + this.#size, this.length);
      if (loadInto === undefined) yield asFloats(whole!.subarray(4 * start, 4 * end));
      else {
        const piece = place.subarray(0, end - start);
        await loadInto(4 * start, bytesOf(piece));
        yield piece;
      }
    }
  }
}

async function measurePieces(pieces: Pieces): Promise<Magnitudes> {
  const found = { largest: new Float64Array(1), nan: 0, infinite: 0 };
  for await (const values of pieces.read()) {
    const { largest, nan, infinite } = measureMagnitudes(values, tensorSlices([values.length]));
    found.largest[0] = Math.max(found.largest[0]!, largest[0]!);
    found.nan += nan;
    found.infinite += infinite;
  }
  return found;
}

async function quantizeEach(
  pieces: Pieces,
  shapeOf: (count: number) => Shape,
  format: WeightFormat,
  shared: Omit<PartOptions, "into">,
): Promise<QuantizedWeight | Unquantizable> {
  const isOnDemand =
    pieces.isDeferred &&
    pieces.length >= ON_DEMAND &&
    format.dtype === "int8" &&
    format.method !== "r1.13";
  const kept = isOnDemand ? Math.min(PIECE, pieces.length) : pieces.length;
  const bytes = new Uint8Array(byteLengthOf(format.dtype, kept)!);
  const stored: QuantizedWeight[] = [];
  let infinite = 0;
  let offset = 0;
  for await (const values of pieces.read()) {
    const into = bytes.subarray(offset, offset + byteLengthOf(format.dtype, values.length)!);
    if (!isOnDemand) offset += into.length;
    const piece = quantizeWeight(values, shapeOf(values.length), format, { ...shared, into });
    if (piece.bytes === undefined) infinite += piece.infinite;
    else if (infinite === 0) stored.push(piece);
  }
  if (infinite > 0) return { infinite };
  const whole = join(stored, shared.known);
  if (!isOnDemand) return { ...whole, bytes };
  assert(whole.divisors !== undefined, "scales of symmetric integers");
  const onDemand = storedOnDemand(pieces.buffer, whole.divisors, shared.fastRun);
  return { ...whole, bytes: new Uint8Array(0), onDemand };
}

/** What is to be said about the whole; with `known` all pieces have the same scale. */
function join(pieces: readonly QuantizedWeight[], known?: Magnitudes): QuantizedWeight {
  const [first] = pieces;
  assert(first !== undefined, "a constant has at least one piece");
  const tally = newErrorTally();
  for (const piece of pieces) addTally(tally, piece.tally);
  const scale = known
    ? first.scale
    : concat(
        pieces.map((piece) => piece.scale),
        (length) => new Float32Array(length),
      );
  const blocks = first.blocks && {
    size: first.blocks.size,
    scales: concat(
      pieces.map((piece) => piece.blocks!.scales),
      (length) => new Uint16Array(length),
    ),
  };
  const divisors =
    known || first.divisors === undefined
      ? first.divisors
      : concat(
          pieces.map((piece) => piece.divisors!),
          (length) => new Float64Array(length),
        );
  return {
    ...first,
    scale,
    ...(divisors === undefined ? {} : { divisors }),
    ...(blocks === undefined ? {} : { blocks }),
    zeroPoint: new Array<number>(scale.length).fill(0),
    tally,
    nan: known?.nan ?? pieces.reduce((sum, { nan }) => sum + nan, 0),
    infinite: pieces.reduce((sum, { infinite }) => sum + infinite, 0),
  };
}

function concat<T extends Uint16Array | Float32Array | Float64Array>(
  parts: readonly T[],
  allocate: (length: number) => T,
): T {
  const whole = allocate(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function asFloats(bytes: Uint8Array): Float32Array {
  return viewAs("float32", bytes) as Float32Array;
}
