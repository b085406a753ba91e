/**
 * Decodes image files in Node with sharp, which is a native library and so an optional peer: it is loaded when the first
 * image is to be decoded and not before. Orientation tags and colour profiles are ignored, as TensorFlow ignores them.
 */
import { FormatError, UnsupportedError } from "../base/errors.ts";
import type { ImageDecoder } from "../evaluate/image.ts";
import { systemCode } from "./io-error.ts";

/** A page of 100 megapixels decodes to 300 MB. */
const MAX_PIXELS = 100_000_000;

type Sharp = typeof import("sharp")["default"];

/**
 * Loads sharp and returns a decoder to red, green and blue.
 * @throws {UnsupportedError} when sharp is not installed
 */
export async function openImageDecoder(): Promise<ImageDecoder> {
  const sharp = await loadSharp();
  return async (bytes, name) => {
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
  };
}

async function loadSharp(): Promise<Sharp> {
  try {
    return (await import("sharp")).default;
  } catch (cause) {
    const absent = systemCode(cause) === "ERR_MODULE_NOT_FOUND";
    throw new UnsupportedError({
      where: "images",
      found: absent ? "the package sharp is not installed" : `sharp cannot be loaded (${cause})`,
      expected: "sharp 0.33 or newer to decode them",
      remedy: "Run npm install sharp, or give the images as an .npy array",
      features: ["image decoding"],
      cause,
    });
  }
}
