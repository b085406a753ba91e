/** Image files to pixels: chooses the decoder by the first bytes. */
import { UnsupportedError } from "../base/errors.ts";
import { isJpeg, parseJpeg } from "../formats/jpeg/jpeg.ts";
import { isPng } from "../formats/png/chunks.ts";
import { parsePng } from "../formats/png/png.ts";
import type { Image } from "./image.ts";

/**
 * Decodes a JPEG or PNG file to red, green and blue, to the same pixels as TensorFlow does.
 * @throws {FormatError | LimitError} for files that are damaged or too large
 * @throws {UnsupportedError} for other formats
 */
export function decodeImage(bytes: Uint8Array, name: string): Image {
  if (isJpeg(bytes)) return parseJpeg(bytes, name);
  if (isPng(bytes)) return parsePng(bytes, name);
  const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0"));
  throw new UnsupportedError({
    where: name,
    found: bytes.length === 0 ? "an empty file" : `a file that begins with ${start.join(" ")}`,
    expected: "a JPEG or PNG image",
    remedy: "Convert the images to PNG, or give the data as an .npy array",
    features: ["image formats other than JPEG and PNG"],
  });
}
