/**
 * Decodes image files in Node. JPEG has a decoder of our own, because accuracy depends on its every bit; the other
 * formats, which all decoders read alike, are left to sharp. That is a native library and so an optional peer: it is
 * loaded when the first such image comes and not before. Orientation tags and colour profiles are ignored, as TensorFlow
 * ignores them.
 */
import { FormatError, UnsupportedError } from "../base/errors.ts";
import type { Image, ImageDecoder } from "../evaluate/image.ts";
import { isJpeg, parseJpeg } from "../formats/jpeg/jpeg.ts";
import { systemCode } from "./io-error.ts";

/** A page of 100 megapixels decodes to 300 MB. */
const MAX_PIXELS = 100_000_000;

type Sharp = typeof import("sharp")["default"];

/**
 * Decodes JPEG, PNG, WebP, GIF or TIFF to red, green and blue.
 * @throws {FormatError | LimitError} for what is no such image, is damaged, or too large
 * @throws {UnsupportedError} for anything but JPEG when sharp is not installed
 */
export const decodeImage: ImageDecoder = async (bytes, name) => {
  if (isJpeg(bytes)) return parseJpeg(bytes, name);
  return decodeWithSharp(await loadSharp(name), bytes, name);
};

async function decodeWithSharp(sharp: Sharp, bytes: Uint8Array, name: string): Promise<Image> {
  try {
    const { data, info } = await sharp(bytes, { limitInputPixels: MAX_PIXELS, ignoreIcc: true })
      .toColourspace("srgb")
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels, data };
  } catch (cause) {
    throw new FormatError({
      where: name,
      found: `no image that can be decoded (${cause instanceof Error ? cause.message : cause})`,
      expected: "a JPEG, PNG, WebP, GIF or TIFF file",
      format: "image",
      cause,
    });
  }
}

async function loadSharp(name: string): Promise<Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    const absent = systemCode(cause) === "ERR_MODULE_NOT_FOUND";
    throw new UnsupportedError({
      where: name,
      found: absent ? "the package sharp is not installed" : `sharp cannot be loaded (${cause})`,
      expected: "sharp 0.33 or newer to decode images other than JPEG",
      remedy: "Run npm install sharp, or give the images as JPEG files or an .npy array",
      features: ["image decoding"],
      cause,
    });
  }
}
