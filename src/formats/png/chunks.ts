/** The chunks of a PNG file: header, palette, and the compressed rows in one piece. ISO/IEC 15948, clauses 5 and 11. */
import { FormatError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { crc32 } from "../checksum/crc.ts";

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  readonly bitDepth: number;
  /** Samples per pixel in the file: 1 grey or palette, 2 grey and alpha, 3 colour, 4 colour and alpha. */
  readonly samples: number;
  readonly hasPalette: boolean;
  readonly isInterlaced: boolean;
}

export interface PngChunks {
  readonly header: PngHeader;
  /** Red, green and blue of each entry. */
  readonly palette: Uint8Array;
  /** A zlib stream. */
  readonly compressed: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Colour types: samples per pixel and the bit depths that are allowed. */
const COLOUR_TYPES: Readonly<Record<number, { samples: number; depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};
/** The limit of the JPEG decoder, too. */
const MAX_PIXELS = 40_000_000;

/** Tells a PNG file by its first bytes. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => bytes[index] === byte);
}

/**
 * Takes the file apart and checks every checksum. Chunks that only describe the image are passed over.
 * @throws {FormatError | UnsupportedError | LimitError}
 */
export function readChunks(bytes: Uint8Array, name: string): PngChunks {
  if (!isPng(bytes)) throw malformed(name, "other first bytes than a PNG file has", 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces: Uint8Array[] = [];
  let palette = new Uint8Array(0);
  let header: PngHeader | undefined;
  for (let position = 8; ; ) {
    if (position + 12 > bytes.length)
      throw malformed(name, "the file ends inside the image", position);
    const length = view.getUint32(position);
    if (length > bytes.length - position - 12) {
      throw malformed(name, `a chunk of ${length} bytes`, position);
    }
    const type = String.fromCharCode(...bytes.subarray(position + 4, position + 8));
    const body = bytes.subarray(position + 8, position + 8 + length);
    if (
      crc32(bytes.subarray(position + 4, position + 8 + length)) !==
      view.getUint32(position + 8 + length)
    ) {
      throw malformed(name, `a wrong checksum of chunk ${JSON.stringify(type)}`, position);
    }
    position += 12 + length;
    if ((header === undefined) !== (type === "IHDR")) {
      throw malformed(name, `chunk ${JSON.stringify(type)} out of place`, position);
    }
    if (type === "IHDR") header = parseHeader(body, name);
    else if (type === "PLTE") palette = body.slice();
    else if (type === "IDAT") pieces.push(body);
    else if (type === "IEND") break;
    else if (type.charCodeAt(0) < 0x61) throw unknownChunk(name, type);
  }
  return { header: header!, palette, compressed: concat(pieces) };
}

function parseHeader(body: Uint8Array, name: string): PngHeader {
  if (body.length !== 13) throw malformed(name, `a header of ${body.length} bytes`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [bitDepth = 0, colourType = 0, compression = 0, filter = 0, interlace = 0] =
    body.subarray(8);
  const type = COLOUR_TYPES[colourType];
  const isValid = type?.depths.includes(bitDepth) && compression + filter === 0 && interlace < 2;
  if (type === undefined || !isValid || width === 0 || height === 0) {
    const found = `a header of ${width} x ${height}, colour type ${colourType}, ${bitDepth} bits`;
    throw malformed(name, found);
  }
  if (width * height > MAX_PIXELS) {
    throw new LimitError({
      where: name,
      found: `${width * height} pixels`,
      expected: `at most ${MAX_PIXELS}`,
      limit: "PNG pixels",
      value: width * height,
      max: MAX_PIXELS,
    });
  }
  return {
    width,
    height,
    bitDepth,
    samples: type.samples,
    hasPalette: colourType === 3,
    isInterlaced: interlace === 1,
  };
}

/** The error for a file that breaks the format's rules. */
export function malformed(name: string, found: string, byteOffset?: number): FormatError {
  return new FormatError({
    where: name,
    found,
    expected: "a valid PNG file",
    format: "png",
    ...(byteOffset === undefined ? {} : { byteOffset }),
  });
}

function unknownChunk(name: string, type: string): UnsupportedError {
  return new UnsupportedError({
    where: name,
    found: `chunk ${JSON.stringify(type)}, without which the image cannot be shown`,
    expected: "the chunks of ISO/IEC 15948",
    features: [`PNG chunk ${type}`],
  });
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
