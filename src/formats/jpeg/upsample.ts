/**
 * Brings colour components to the size of the image. Halved ones are interpolated with weights 3/4 and 1/4, alternately
 * rounded up and down; others are repeated. Bit-exact with libjpeg-turbo's "fancy" upsampling (jdsample.c).
 */
import type { Plane } from "./inverse-dct.ts";

/** Enlarges a plane by whole factors to at least `width` × `height`. */
export function upsample(
  plane: Plane,
  across: number,
  down: number,
  width: number,
  height: number,
): Plane {
  if (across === 1 && down === 1) return plane;
  // Interpolation needs neighbours: libjpeg repeats planes of one or two columns.
  const isSmooth = plane.width > 2;
  if (across === 2 && down === 1 && isSmooth) return doubleWidth(plane);
  if (across === 2 && down === 2 && isSmooth) return doubleBoth(plane);
  if (across === 1 && down === 2) return doubleHeight(plane);
  return repeat(plane, across, down, width, height);
}

function repeat(plane: Plane, across: number, down: number, width: number, height: number): Plane {
  const samples = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const from = Math.floor(row / down) * plane.stride;
    for (let column = 0; column < width; column++) {
      samples[row * width + column] = plane.samples[from + Math.floor(column / across)]!;
    }
  }
  return { samples, stride: width, width, height };
}

/** left = (3 × own + left neighbour + 1) / 4, right = (3 × own + right neighbour + 2) / 4; the ends stay. */
function doubleWidth({ samples, stride, width, height }: Plane): Plane {
  const doubled = new Uint8Array(2 * width * height);
  for (let row = 0; row < height; row++) {
    const from = row * stride;
    const to = row * 2 * width;
    for (let column = 0; column < width; column++) {
      const own = samples[from + column]!;
      const left = column === 0 ? own : samples[from + column - 1]!;
      const right = column === width - 1 ? own : samples[from + column + 1]!;
      doubled[to + 2 * column] = column === 0 ? own : (3 * own + left + 1) >> 2;
      doubled[to + 2 * column + 1] = column === width - 1 ? own : (3 * own + right + 2) >> 2;
    }
  }
  return { samples: doubled, stride: 2 * width, width: 2 * width, height };
}

/** upper = (3 × own + row above + 1) / 4, lower = (3 × own + row below + 2) / 4; beyond the edge the edge row counts. */
function doubleHeight({ samples, stride, width, height }: Plane): Plane {
  const doubled = new Uint8Array(width * 2 * height);
  for (let row = 0; row < 2 * height; row++) {
    const own = row >> 1;
    const isLower = row & 1;
    const other = Math.min(height - 1, Math.max(0, isLower ? own + 1 : own - 1));
    const bias = isLower ? 2 : 1;
    for (let column = 0; column < width; column++) {
      const near = samples[own * stride + column]!;
      const far = samples[other * stride + column]!;
      doubled[row * width + column] = (3 * near + far + bias) >> 2;
    }
  }
  return { samples: doubled, stride: width, width, height: 2 * height };
}

/** First down, kept in two more bits: sum = 3 × near row + far row; then across: (3 × own + neighbour + 8 or 7) / 16. */
function doubleBoth({ samples, stride, width, height }: Plane): Plane {
  const doubled = new Uint8Array(4 * width * height);
  const sums = new Int32Array(width);
  for (let row = 0; row < 2 * height; row++) {
    const near = (row >> 1) * stride;
    const far = Math.min(height - 1, Math.max(0, (row >> 1) + (row & 1 ? 1 : -1))) * stride;
    for (let column = 0; column < width; column++) {
      sums[column] = 3 * samples[near + column]! + samples[far + column]!;
    }
    const to = row * 2 * width;
    for (let column = 0; column < width; column++) {
      const own = sums[column]!;
      const left = sums[Math.max(0, column - 1)]!;
      const right = sums[Math.min(width - 1, column + 1)]!;
      doubled[to + 2 * column] = (3 * own + left + 8) >> 4;
      doubled[to + 2 * column + 1] = (3 * own + right + 7) >> 4;
    }
  }
  return { samples: doubled, stride: 2 * width, width: 2 * width, height: 2 * height };
}
