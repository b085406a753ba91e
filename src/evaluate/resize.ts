/**
 * Resampling of images. Both methods work on real numbers and return them: what is rounded, and when, is decided where
 * the model's input is written.
 */
import type { Image } from "./image.ts";

/**
 * `antialiased`: a triangle filter as wide as the reduction, so that every source pixel counts (Pillow's BILINEAR,
 * TensorFlow's `tf.image.resize(antialias=True)`). `corner`: two by two pixels, sampled from the top left corner
 * (TensorFlow 1's `ResizeBilinear` without aligned corners, which TensorFlow Lite's accuracy tools use).
 */
export type ResizeMethod = "antialiased" | "corner";

/** For one output position: the first source position and the weights of it and those that follow; they add up to 1. */
interface Tap {
  readonly start: number;
  readonly weights: Float64Array;
}

/** Resizes to float32[height, width, channels], in the image's own units (0..255). */
export function resize(
  image: Image,
  width: number,
  height: number,
  method: ResizeMethod,
): Float32Array {
  if (image.width === width && image.height === height) return Float32Array.from(image.data);
  const plan = method === "antialiased" ? planTriangle : planCorner;
  const columns = plan(image.width, width);
  const rows = plan(image.height, height);
  return mixRows(mixColumns(image, columns), width * image.channels, rows);
}

/**
 * Output position i looks at source position c = (i + 1/2) × from / to, and weighs pixel j by 1 − |j + 1/2 − c| / r
 * where that is positive; r = max(1, from / to).
 */
function planTriangle(from: number, to: number): Tap[] {
  const ratio = from / to;
  const radius = Math.max(1, ratio);
  return Array.from({ length: to }, (_, index) => {
    const center = (index + 0.5) * ratio;
    const start = Math.max(0, Math.floor(center - radius));
    const end = Math.min(from, Math.ceil(center + radius));
    const weights = Float64Array.from({ length: end - start }, (__, tap) =>
      Math.max(0, 1 - Math.abs(start + tap + 0.5 - center) / radius),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}

/** Output position i lies at source position i × from / to, between the pixel there and the next, if there is one. */
function planCorner(from: number, to: number): Tap[] {
  return Array.from({ length: to }, (_, index) => {
    const position = index * (from / to);
    const start = Math.floor(position);
    const fraction = position - start;
    const weights = start + 1 < from ? [1 - fraction, fraction] : [1];
    return { start, weights: Float64Array.from(weights) };
  });
}

/** uint8[height, width, channels] to float64[height, columns, channels]. */
function mixColumns(image: Image, columns: readonly Tap[]): Float64Array {
  const { channels, data, height } = image;
  const mixed = new Float64Array(height * columns.length * channels);
  let to = 0;
  for (let row = 0; row < height; row++) {
    const rowStart = row * image.width * channels;
    for (const { start, weights } of columns) {
      for (let channel = 0; channel < channels; channel++) {
        let from = rowStart + start * channels + channel;
        let sum = 0;
        for (const weight of weights) {
          sum += weight * data[from]!;
          from += channels;
        }
        mixed[to++] = sum;
      }
    }
  }
  return mixed;
}

/** float64[height, rowLength] to float32[rows, rowLength]. */
function mixRows(source: Float64Array, rowLength: number, rows: readonly Tap[]): Float32Array {
  const mixed = new Float32Array(rows.length * rowLength);
  let to = 0;
  for (const { start, weights } of rows) {
    for (let column = 0; column < rowLength; column++) {
      let from = start * rowLength + column;
      let sum = 0;
      for (const weight of weights) {
        sum += weight * source[from]!;
        from += rowLength;
      }
      mixed[to++] = sum;
    }
  }
  return mixed;
}
