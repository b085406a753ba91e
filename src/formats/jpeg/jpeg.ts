/**
 * JPEG files to red, green and blue: baseline, extended and progressive Huffman coding with 8 bits a sample, grey, YCbCr,
 * RGB, CMYK and YCCK. Gives the same pixels as TensorFlow's `tf.io.decode_jpeg(channels=3)`, bit for bit, which no general
 * image library promises: the accuracy of a classifier moves by a point with the decoder. Orientation tags and colour
 * profiles are ignored. Format: ITU-T T.81, JFIF 1.02.
 */
import { type Component, type DecoderState, type Frame, malformed, readSegment } from "./frame.ts";
import { type Plane, transformComponent } from "./inverse-dct.ts";
import { readScan } from "./scan.ts";
import { upsample } from "./upsample.ts";

/** uint8[height, width, 3]. */
export interface JpegImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 3;
  readonly data: Uint8Array;
}

/** Progressive files have about ten scans; a hostile one could ask for its pixels to be visited again and again. */
const MAX_SCANS = 200;

/** Tells a JPEG file by its first bytes. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/**
 * Decodes a file.
 * @throws {FormatError} for damaged and cut off files
 * @throws {UnsupportedError} for lossless, arithmetic and 12-bit coding
 * @throws {LimitError} beyond 40 megapixels
 */
export function parseJpeg(bytes: Uint8Array, name = "jpeg"): JpegImage {
  if (!isJpeg(bytes)) throw malformed(name, "other first bytes than a JPEG file has", 0);
  const state: DecoderState = {
    name,
    quantization: [],
    dcTables: [],
    acTables: [],
    restartInterval: 0,
    adobeTransform: undefined,
    frame: undefined,
  };
  readSegments(state, bytes);
  const { frame } = state;
  if (frame === undefined) throw malformed(name, "no frame");
  const planes = frame.components.map((component) => planeOf(state, frame, component));
  const data = new Uint8Array(frame.width * frame.height * 3);
  colourConversion(state, frame)(planes, frame, data);
  return { width: frame.width, height: frame.height, channels: 3, data };
}

function readSegments(state: DecoderState, bytes: Uint8Array): void {
  const { name } = state;
  let position = 2;
  let scans = 0;
  for (;;) {
    const marker = findMarker(bytes, position);
    if (marker === undefined) throw malformed(name, "the file ends before the image", bytes.length);
    position = marker.end;
    if (marker.code === 0xd9) break;
    // Markers without contents: restart markers that were left over, and TEM.
    if ((marker.code >= 0xd0 && marker.code <= 0xd8) || marker.code === 0x01) continue;
    const length = ((bytes[position] ?? 0) << 8) | (bytes[position + 1] ?? 0);
    if (length < 2 || position + length > bytes.length) {
      throw malformed(name, `a segment of ${length} bytes`, position);
    }
    const body = bytes.subarray(position + 2, position + length);
    position += length;
    if (marker.code !== 0xda) readSegment(state, marker.code, body, bytes.length);
    else if (++scans <= MAX_SCANS) position = readScan(state, body, bytes, position);
    else throw malformed(name, `more than ${MAX_SCANS} scans`, position);
  }
  if (scans === 0) throw malformed(name, "no scan");
}

function findMarker(bytes: Uint8Array, from: number): { code: number; end: number } | undefined {
  for (let position = from; position + 1 < bytes.length; position++) {
    const code = bytes[position + 1]!;
    if (bytes[position] === 0xff && code !== 0 && code !== 0xff) return { code, end: position + 2 };
  }
  return undefined;
}

function planeOf({ name, quantization }: DecoderState, frame: Frame, component: Component): Plane {
  const steps = quantization[component.quantizationIndex];
  if (steps === undefined) throw malformed(name, `component ${component.id} without quantization`);
  const across = Math.max(...frame.components.map((other) => other.across)) / component.across;
  const down = Math.max(...frame.components.map((other) => other.down)) / component.down;
  const plane = transformComponent(component, steps);
  return upsample(plane, across, down, frame.width, frame.height);
}

type ColourConversion = (planes: readonly Plane[], frame: Frame, data: Uint8Array) => void;

/** Without an Adobe segment three components are YCbCr, unless they are named R, G and B, and four are CMYK. */
function colourConversion(
  { adobeTransform }: DecoderState,
  { components }: Frame,
): ColourConversion {
  if (components.length === 1) return fromGrey;
  if (components.length === 4) {
    return (planes, frame, data) => fromInk(planes, frame, data, adobeTransform);
  }
  const names = String.fromCharCode(...components.map(({ id }) => id));
  const isRgb = adobeTransform === undefined ? names === "RGB" : adobeTransform === 0;
  return isRgb ? fromRgb : fromLuma;
}

function fromGrey([grey]: readonly Plane[], { width, height }: Frame, data: Uint8Array): void {
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++, to += 3) {
      data.fill(grey!.samples[row * grey!.stride + column]!, to, to + 3);
    }
  }
}

function fromRgb(planes: readonly Plane[], { width, height }: Frame, data: Uint8Array): void {
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (const { samples, stride } of planes) data[to++] = samples[row * stride + column]!;
    }
  }
}

/** R = Y + 1.402 Cr, G = Y − 0.34414 Cb − 0.71414 Cr, B = Y + 1.772 Cb, in 16-bit fixed point (libjpeg's jdcolor.c). */
function fromLuma(planes: readonly Plane[], { width, height }: Frame, data: Uint8Array): void {
  const [luma, blue, red] = planes as [Plane, Plane, Plane];
  for (let row = 0, to = 0; row < height; row++) {
    for (let column = 0; column < width; column++, to += 3) {
      const y = luma.samples[row * luma.stride + column]!;
      const cb = blue.samples[row * blue.stride + column]! - 128;
      const cr = red.samples[row * red.stride + column]! - 128;
      data[to] = clamp(y + ((91881 * cr + 32768) >> 16));
      data[to + 1] = clamp(y + ((-22554 * cb - 46802 * cr + 32768) >> 16));
      data[to + 2] = clamp(y + ((116130 * cb + 32768) >> 16));
    }
  }
}

/** Cyan, magenta and yellow darkened by black, as TensorFlow mixes them; Adobe stores all four inverted. */
function fromInk(
  planes: readonly Plane[],
  frame: Frame,
  data: Uint8Array,
  adobeTransform: number | undefined,
): void {
  if (adobeTransform === 2) {
    fromLuma(planes, frame, data);
    // What YCbCr yields here is the inverse of the inks.
    for (let index = 0; index < data.length; index++) data[index] = 255 - data[index]!;
  } else {
    fromRgb(planes.slice(0, 3), frame, data);
  }
  const { samples, stride } = planes[3]!;
  const isInverted = adobeTransform !== undefined;
  for (let row = 0, to = 0; row < frame.height; row++) {
    for (let column = 0; column < frame.width; column++) {
      const black = samples[row * stride + column]!;
      for (let channel = 0; channel < 3; channel++, to++) {
        const ink = data[to]!;
        data[to] = Math.trunc(
          isInverted ? (black * ink) / 255 : ((255 - black) * (255 - ink)) / 255,
        );
      }
    }
  }
}

function clamp(value: number): number {
  return Math.min(255, Math.max(0, value));
}
