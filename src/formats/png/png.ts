/**
 * PNG files to red, green and blue: all colour types and bit depths, interlaced or not. Transparency is dropped and 16
 * bits are cut to the upper 8, as by TensorFlow's `tf.io.decode_png(channels=3)`; gamma and colour profiles are ignored.
 * Format: ISO/IEC 15948.
 */
import { unzlibSync } from "fflate";
import { FormatError } from "../../base/errors.ts";
import { malformed, type PngChunks, type PngHeader, readChunks } from "./chunks.ts";

/** uint8[height, width, 3]. */
export interface PngImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
  readonly data: Uint8Array;
}

/** Part of the image that is stored in one piece: every `stepX`-th column from `x`, every `stepY`-th row from `y`. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
}

const WHOLE: readonly Pass[] = [{ x: 0, y: 0, stepX: 1, stepY: 1 }];
/** The seven passes of Adam M. Costello's scheme. */
const INTERLACED: readonly Pass[] = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
];
/** Deflate stores at most 258 bytes in two bits. */
const MAX_INFLATION = 1032;

/**
 * Decodes a file.
 * @throws {FormatError} for damaged and cut off files
 * @throws {UnsupportedError} for chunks that must be understood and are not
 * @throws {LimitError} beyond 40 megapixels
 */
export function parsePng(bytes: Uint8Array, name = "png"): PngImage {
  const chunks = readChunks(bytes, name);
  const { header } = chunks;
  const passes = (header.isInterlaced ? INTERLACED : WHOLE)
    .map((pass) => ({ pass, ...sizeOf(pass, header) }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
  const rawBytes = passes.reduce((sum, { rows, rowBytes }) => sum + rows * (rowBytes + 1), 0);
  const raw = inflate(chunks.compressed, rawBytes, name);
  const data = new Uint8Array(header.width * header.height * 3);
  let position = 0;
  for (const { pass, columns, rows, rowBytes } of passes) {
    let previous: Uint8Array = new Uint8Array(rowBytes);
    for (let row = 0; row < rows; row++) {
      const filter = raw[position]!;
      const current = raw.subarray(position + 1, position + 1 + rowBytes);
      if (
        !unfilter(filter, current, previous, Math.max(1, (header.samples * header.bitDepth) >> 3))
      ) {
        throw malformed(name, `filter ${filter}`);
      }
      const first = (pass.y + row * pass.stepY) * header.width + pass.x;
      writeRow(chunks, current, columns, data, first * 3, pass.stepX * 3, name);
      previous = current;
      position += 1 + rowBytes;
    }
  }
  return { width: header.width, height: header.height, channels: 3, data };
}

function sizeOf(
  { x, y, stepX, stepY }: Pass,
  { width, height, samples, bitDepth }: PngHeader,
): { columns: number; rows: number; rowBytes: number } {
  const columns = Math.ceil((width - x) / stepX);
  const rows = Math.ceil((height - y) / stepY);
  return { columns, rows, rowBytes: Math.ceil((columns * samples * bitDepth) / 8) };
}

function inflate(compressed: Uint8Array, rawBytes: number, name: string): Uint8Array {
  if (rawBytes > MAX_INFLATION * compressed.length) {
    throw malformed(name, `${compressed.length} compressed bytes for ${rawBytes} bytes of rows`);
  }
  let raw: Uint8Array;
  try {
    raw = unzlibSync(compressed, { out: new Uint8Array(rawBytes) });
  } catch (cause) {
    throw new FormatError({
      where: name,
      found: `rows that cannot be inflated (${cause instanceof Error ? cause.message : cause})`,
      expected: "a zlib stream",
      format: "png",
      cause,
    });
  }
  if (raw.length !== rawBytes) throw malformed(name, `${raw.length} of ${rawBytes} bytes of rows`);
  return raw;
}

/** Undoes a row's filter in place; `distance` is one pixel in bytes. False for a filter that does not exist. */
function unfilter(filter: number, row: Uint8Array, above: Uint8Array, distance: number): boolean {
  if (filter > 4) return false;
  if (filter === 0) return true;
  for (let index = 0; index < row.length; index++) {
    const left = index < distance ? 0 : row[index - distance]!;
    const up = above[index]!;
    const corner = index < distance ? 0 : above[index - distance]!;
    row[index]! += guessOf(filter, left, up, corner);
  }
  return true;
}

function guessOf(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  return filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
}

/** Whichever of the three lies nearest to left + up − corner. */
function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const toLeft = Math.abs(guess - left);
  const toUp = Math.abs(guess - up);
  const toCorner = Math.abs(guess - corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** Writes the pixels of one row to `data`, from `to` on in steps of `step` bytes. */
function writeRow(
  { header, palette }: PngChunks,
  row: Uint8Array,
  columns: number,
  data: Uint8Array,
  to: number,
  step: number,
  name: string,
): void {
  const { samples, bitDepth, hasPalette } = header;
  const factor = bitDepth < 8 && !hasPalette ? 255 / (2 ** bitDepth - 1) : 1;
  for (let column = 0; column < columns; column++) {
    const at = to + column * step;
    const first = sampleAt(row, column * samples, bitDepth) * factor;
    if (hasPalette) {
      if (first * 3 + 3 > palette.length)
        throw malformed(name, `colour ${first} beyond the palette`);
      data.set(palette.subarray(first * 3, first * 3 + 3), at);
    } else if (samples < 3) {
      data.fill(first, at, at + 3);
    } else {
      data[at] = first;
      data[at + 1] = sampleAt(row, column * samples + 1, bitDepth);
      data[at + 2] = sampleAt(row, column * samples + 2, bitDepth);
    }
  }
}

/** Sample number `index` of a row; of 16 bits the upper 8. Samples of less than 8 bits are packed from the left. */
function sampleAt(row: Uint8Array, index: number, bitDepth: number): number {
  if (bitDepth >= 8) return row[(index * bitDepth) >> 3]!;
  const bit = index * bitDepth;
  return (row[bit >> 3]! >> (8 - bitDepth - (bit & 7))) & (2 ** bitDepth - 1);
}
