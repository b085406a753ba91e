/**
 * The segments of a JPEG file before and between its scans: tables, the frame header, scan headers. ITU-T T.81 annex B;
 * the Adobe segment says how colours are stored (Adobe Technical Note 5116).
 */
import { FormatError, LimitError, UnsupportedError } from "../../base/errors.ts";
import { type HuffmanTable, planHuffman } from "./huffman.ts";

/** One colour component, with all of its coefficients. */
export interface Component {
  readonly id: number;
  /** Samples per unit, across and down, 1 to 4. */
  readonly across: number;
  readonly down: number;
  readonly quantizationIndex: number;
  /** Samples that belong to the image: ceil(image size × own sampling / largest sampling). */
  readonly width: number;
  readonly height: number;
  /** Blocks that belong to the image, as scans of this component alone count them. */
  readonly blocksWide: number;
  readonly blocksHigh: number;
  /** Blocks in a row of `coefficients`, padded to whole units. */
  readonly blockStride: number;
  /** int16[padded rows, blockStride, 64], in zigzag order. */
  readonly coefficients: Int16Array;
}

export interface Frame {
  readonly isProgressive: boolean;
  readonly width: number;
  readonly height: number;
  readonly components: readonly Component[];
  readonly unitsWide: number;
  readonly unitsHigh: number;
}

/** Everything that segments set and scans use. */
export interface DecoderState {
  readonly name: string;
  readonly quantization: (Uint16Array | undefined)[];
  readonly dcTables: (HuffmanTable | undefined)[];
  readonly acTables: (HuffmanTable | undefined)[];
  restartInterval: number;
  /** The Adobe segment's transform: 0 none, 1 YCbCr, 2 YCCK; undefined without the segment. */
  adobeTransform: number | undefined;
  frame: Frame | undefined;
}

/** 40 megapixels: three components of 16-bit coefficients are 240 MB. */
const MAX_PIXELS = 40_000_000;
/** The shortest code of a block is one bit, in the first scan of a progressive file. */
const MAX_BLOCKS_PER_BYTE = 8;

/** Reads one segment's contents into the state; segments that do not matter here are passed over. */
export function readSegment(
  state: DecoderState,
  marker: number,
  body: Uint8Array,
  fileBytes: number,
): void {
  if (marker === 0xdb) readQuantization(state, body);
  else if (marker === 0xc4) readHuffman(state, body);
  else if (marker === 0xdd) state.restartInterval = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
  else if (marker === 0xee && String.fromCharCode(...body.subarray(0, 5)) === "Adobe") {
    state.adobeTransform = body[11];
  } else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc8 && marker !== 0xcc) {
    state.frame = readFrame(state, marker, body, fileBytes);
  }
}

function readQuantization({ quantization, name }: DecoderState, body: Uint8Array): void {
  let position = 0;
  while (position < body.length) {
    const head = body[position++] ?? 0;
    const wide = head >> 4 !== 0;
    const end = position + (wide ? 128 : 64);
    if ((head & 15) > 3 || end > body.length) throw malformed(name, "a broken quantization table");
    const table = Uint16Array.from({ length: 64 }, (_, index) =>
      wide
        ? ((body[position + 2 * index] ?? 0) << 8) | (body[position + 2 * index + 1] ?? 0)
        : (body[position + index] ?? 0),
    );
    quantization[head & 15] = table;
    position = end;
  }
}

function readHuffman({ dcTables, acTables, name }: DecoderState, body: Uint8Array): void {
  let position = 0;
  while (position < body.length) {
    const head = body[position] ?? 0;
    const lengths = body.subarray(position + 1, position + 17);
    const count = lengths.reduce((sum, length) => sum + length, 0);
    const symbols = body.subarray(position + 17, position + 17 + count);
    const table =
      (head & 15) > 3 || symbols.length < count ? undefined : planHuffman(lengths, symbols);
    if (table === undefined) throw malformed(name, "a broken Huffman table");
    (head >> 4 === 0 ? dcTables : acTables)[head & 15] = table;
    position += 17 + count;
  }
}

function readFrame(
  state: DecoderState,
  marker: number,
  body: Uint8Array,
  fileBytes: number,
): Frame {
  const { name } = state;
  const precision = body[0] ?? 0;
  if (marker > 0xc2 || precision !== 8) {
    throw new UnsupportedError({
      where: name,
      found: `JPEG process ${marker - 0xc0} with ${precision} bits`,
      expected: "baseline, extended or progressive Huffman coding with 8 bits",
      remedy: "Save the image again as an ordinary JPEG or PNG file",
      features: ["JPEG processes beyond 2"],
    });
  }
  if (state.frame !== undefined) throw malformed(name, "a second frame");
  const height = ((body[1] ?? 0) << 8) | (body[2] ?? 0);
  const width = ((body[3] ?? 0) << 8) | (body[4] ?? 0);
  const count = body[5] ?? 0;
  if (width === 0 || height === 0 || body.length < 6 + 3 * count || ![1, 3, 4].includes(count)) {
    throw malformed(name, `a frame of ${width} x ${height} with ${count} components`);
  }
  if (width * height > MAX_PIXELS) {
    throw new LimitError({
      where: name,
      found: `${width * height} pixels`,
      expected: `at most ${MAX_PIXELS}`,
      limit: "JPEG pixels",
      value: width * height,
      max: MAX_PIXELS,
    });
  }
  const headers = Array.from({ length: count }, (_, index) => {
    const [id = 0, sampling = 0, quantizationIndex = 0] = body.subarray(6 + 3 * index);
    // The units of an image with one component are single blocks, whatever its sampling says.
    const [across, down] = count === 1 ? [1, 1] : [sampling >> 4, sampling & 15];
    if (across < 1 || across > 4 || down < 1 || down > 4 || quantizationIndex > 3) {
      throw malformed(name, `component ${id} with sampling ${across} x ${down}`);
    }
    return { id, across, down, quantizationIndex };
  });
  return planFrame({ name, width, height, isProgressive: marker === 0xc2 }, headers, fileBytes);
}

type ComponentHeader = Pick<Component, "id" | "across" | "down" | "quantizationIndex">;

function planFrame(
  image: { name: string; width: number; height: number; isProgressive: boolean },
  headers: readonly ComponentHeader[],
  fileBytes: number,
): Frame {
  const { name, width, height, isProgressive } = image;
  const across = Math.max(...headers.map((header) => header.across));
  const down = Math.max(...headers.map((header) => header.down));
  const unitsWide = Math.ceil(width / (8 * across));
  const unitsHigh = Math.ceil(height / (8 * down));
  const perUnit = headers.reduce((sum, header) => sum + header.across * header.down, 0);
  if (unitsWide * unitsHigh * perUnit > MAX_BLOCKS_PER_BYTE * fileBytes) {
    throw malformed(name, `${width} x ${height} pixels in a file of ${fileBytes} bytes`);
  }
  const components = headers.map((header): Component => {
    const componentWidth = Math.ceil((width * header.across) / across);
    const componentHeight = Math.ceil((height * header.down) / down);
    const blockStride = unitsWide * header.across;
    return {
      ...header,
      width: componentWidth,
      height: componentHeight,
      blocksWide: Math.ceil(componentWidth / 8),
      blocksHigh: Math.ceil(componentHeight / 8),
      blockStride,
      coefficients: new Int16Array(blockStride * unitsHigh * header.down * 64),
    };
  });
  return { isProgressive, width, height, components, unitsWide, unitsHigh };
}

/** The error for a file that breaks the format's rules. */
export function malformed(name: string, found: string, byteOffset?: number): FormatError {
  return new FormatError({
    where: name,
    found,
    expected: "a valid JPEG file",
    format: "jpeg",
    ...(byteOffset === undefined ? {} : { byteOffset }),
  });
}
