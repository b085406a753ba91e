/** Images as the evaluation sees them: bytes, rows from the top, channels last. */
import { UnsupportedError } from "../base/errors.ts";

/** uint8[height, width, channels], channels 1 (grey) or 3 (red, green, blue). */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** Names of the files that are taken for images. */
export const IMAGE_NAME: RegExp = /\.(jpe?g|png)$/i;

/**
 * Changes the number of channels: grey becomes three equal channels, colour becomes its luma
 * (0.299 red + 0.587 green + 0.114 blue, ITU-R BT.601, rounded).
 * @throws {UnsupportedError} for anything but 1 and 3
 */
export function withChannels(image: Image, channels: number): Image {
  if (image.channels === channels) return image;
  const pixels = image.width * image.height;
  const data = new Uint8Array(pixels * channels);
  if (image.channels === 1 && channels === 3) {
    for (let index = 0; index < data.length; index++) {
      data[index] = image.data[Math.floor(index / 3)] ?? 0;
    }
  } else if (image.channels === 3 && channels === 1) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      const [red = 0, green = 0, blue = 0] = image.data.subarray(pixel * 3, pixel * 3 + 3);
      data[pixel] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    }
  } else {
    throw new UnsupportedError({
      where: "image",
      found: `${channels} channels wanted from ${image.channels}`,
      expected: "1 or 3",
      features: [`images of ${channels} channels`],
    });
  }
  return { ...image, channels, data };
}

/**
 * Cuts out the central square with `fraction` (0 < fraction ≤ 1) of the shorter side: side = round(fraction × shorter
 * side), start = floor((size − side) / 2).
 */
export function centralSquare(image: Image, fraction: number): Image {
  const side = Math.max(1, Math.round(fraction * Math.min(image.width, image.height)));
  const left = Math.floor((image.width - side) / 2);
  const top = Math.floor((image.height - side) / 2);
  const rowBytes = side * image.channels;
  const data = new Uint8Array(side * rowBytes);
  for (let row = 0; row < side; row++) {
    const start = ((top + row) * image.width + left) * image.channels;
    data.set(image.data.subarray(start, start + rowBytes), row * rowBytes);
  }
  return { width: side, height: side, channels: image.channels, data };
}
