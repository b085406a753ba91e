/**
 * RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR on images [batch, height, width, depth]. Positions are computed in float32;
 * the signed integer forms of the bilinear one use 10 fraction bits (TensorFlow Lite 2.21, kernels/internal/reference/
 * resize_bilinear.h and resize_nearest_neighbor.h).
 */
import type { DType } from "../../base/dtype.ts";
import { roundHalfAway } from "../../base/rounding.ts";
import type { Kernel, KernelNode, KernelTable, ValueOf } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { copyUnits, type Elements, integersOf, numbersOf } from "./elements.ts";

const { fround } = Math;

/** Where output pixels stand on the input. */
export interface ResizeOptions {
  readonly align_corners: boolean;
  readonly half_pixel_centers: boolean;
}

/** Height and width that the second operand asks for. */
export function requestedSize(node: KernelNode, known: ValueOf): [number, number] | undefined {
  const view = known(1);
  if (view === undefined) return undefined;
  const [height, width, ...rest] = integersOf(node, view);
  if (width === undefined || rest.length > 0 || height < 1 || width < 1) {
    throw misshapen(node, `size ${integersOf(node, view).join(", ")}`, "a height and a width");
  }
  return [height, width];
}

function resizeKernel(
  optionsFor: (node: KernelNode) => ResizeOptions,
  types: Parameters<typeof requireType>[2],
  resize: (
    options: ResizeOptions,
    from: Elements<number>,
    to: Elements<number>,
    shape: readonly number[],
    size: readonly [number, number],
    dtype: DType,
  ) => void,
): Kernel {
  return {
    check(node) {
      requireOperands(node, [2, 2]);
      requireType(node, inputAt(node, 0), types, "input");
      requireType(node, inputAt(node, 1), ["int32"], "size");
      requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
      const { align_corners, half_pixel_centers } = optionsFor(node);
      if (node.op === "RESIZE_BILINEAR" && align_corners && half_pixel_centers) {
        throw misshapen(node, "both align_corners and half_pixel_centers", "one of them at most");
      }
    },
    shapes(node, known) {
      const { shape } = inputAt(node, 0);
      requireRank(node, shape, [4, 4], "input");
      const size = requestedSize(node, known);
      return [size && [shape[0], ...size, shape[3]]];
    },
    create: (node) => (inputs, outputs) => {
      const { shape, dtype } = present(inputs[0]);
      const size = requestedSize(node, (i) => inputs[i]);
      if (size === undefined || shape[1] === 0 || shape[2] === 0) return;
      const [from, to] = [numbersOf(inputs[0]), numbersOf(outputs[0])];
      resize(optionsFor(node), from, to, shape, size, dtype);
    },
  };
}

/** The two neighbours of an output position, and the weight of the upper one out of `one`. */
export interface Tap {
  readonly lower: number;
  readonly upper: number;
  readonly weight: number;
}

/** Input pixels per output pixel. */
function scaleOf(input: number, output: number, alignCorners: boolean): number {
  return alignCorners && output > 1 ? fround((input - 1) / (output - 1)) : fround(input / output);
}

/** The taps of all output positions along one axis, for floats. */
export function floatTaps(input: number, output: number, options: ResizeOptions): Tap[] {
  const scale = scaleOf(input, output, options.align_corners);
  return Array.from({ length: output }, (_, i) => {
    const position = options.half_pixel_centers
      ? fround(fround(fround(i + 0.5) * scale) - 0.5)
      : fround(i * scale);
    const lower = Math.max(0, Math.floor(position));
    const upper = Math.min(input - 1, Math.ceil(position));
    return { lower: Math.min(lower, input - 1), upper, weight: fround(position - lower) };
  });
}

const ONE = 1024;

/** The same for signed integers, with positions and weights in units of 1/1024. */
export function integerTaps(input: number, output: number, options: ResizeOptions): Tap[] {
  const scale =
    options.align_corners && output > 1
      ? Math.trunc((ONE * (input - 1) + Math.trunc((output - 1) / 2)) / (output - 1))
      : Math.trunc((ONE * input + Math.trunc(output / 2)) / output);
  return Array.from({ length: output }, (_, i) => {
    const position = options.half_pixel_centers
      ? i * scale + Math.trunc(scale / 2) - ONE / 2
      : i * scale;
    const lower = Math.min(input - 1, Math.max(0, Math.trunc(position / ONE)));
    const upper = Math.max(0, Math.min(input - 1, Math.trunc((position + ONE - 1) / ONE)));
    return { lower, upper, weight: position - ONE * lower };
  });
}

/** Mixes four pixels at each output place: `mix` gets the corner values and the two weights. */
function forEachMix(
  from: Elements<number>,
  to: Elements<number>,
  [batch, height, width, depth]: readonly number[],
  rows: readonly Tap[],
  columns: readonly Tap[],
  mix: (corners: readonly [number, number, number, number], y: number, x: number) => number,
): void {
  let target = 0;
  for (let b = 0; b < batch; b++) {
    for (const y of rows) {
      const top = (b * height + y.lower) * width;
      const bottom = (b * height + y.upper) * width;
      for (const x of columns) {
        for (let c = 0; c < depth; c++) {
          const at = (pixel: number) => from[pixel * depth + c];
          to[target++] = mix(
            [at(top + x.lower), at(top + x.upper), at(bottom + x.lower), at(bottom + x.upper)],
            y.weight,
            x.weight,
          );
        }
      }
    }
  }
}

/** Σ corner·weight with both weights in 1/1024, rounded half away from zero. */
function integerMix(corners: readonly number[], y: number, x: number): number {
  const sum =
    corners[0] * (ONE - y) * (ONE - x) +
    corners[1] * (ONE - y) * x +
    corners[2] * y * (ONE - x) +
    corners[3] * y * x;
  return Math.trunc((sum + (sum > 0 ? 2 ** 19 : -(2 ** 19))) / 2 ** 20);
}

function floatMix(corners: readonly number[], y: number, x: number): number {
  return (
    corners[0] * (1 - y) * (1 - x) +
    corners[1] * (1 - y) * x +
    corners[2] * y * (1 - x) +
    corners[3] * y * x
  );
}

/** uint8 is mixed in float32, each step rounded; the result is rounded half up when it is stored. */
function roundedMix(corners: readonly number[], y: number, x: number): number {
  const [aboveY, aboveX] = [fround(1 - y), fround(1 - x)];
  const weights = [aboveY * aboveX, aboveY * x, y * aboveX, y * x];
  let sum = 0;
  corners.forEach((corner, k) => {
    sum = fround(sum + fround(corner * fround(weights[k])));
  });
  return Math.floor(fround(sum + 0.5));
}

const RESIZE_BILINEAR = resizeKernel(
  (node) => optionsOf(node, "ResizeBilinearOptions"),
  ["float32", "int8", "uint8", "int16"],
  (options, from, to, shape, [height, width], dtype) => {
    const isInteger = dtype === "int8" || dtype === "int16";
    const taps = isInteger ? integerTaps : floatTaps;
    const rows = taps(shape[1], height, options);
    const columns = taps(shape[2], width, options);
    const mix = isInteger ? integerMix : dtype === "uint8" ? roundedMix : floatMix;
    forEachMix(from, to, shape, rows, columns, mix);
  },
);

/** The input place nearest to each output place. */
function nearestPlaces(input: number, output: number, options: ResizeOptions): number[] {
  const scale = scaleOf(input, output, options.align_corners);
  const offset = options.half_pixel_centers ? 0.5 : 0;
  return Array.from({ length: output }, (_, i) => {
    const position = fround(fround(i + offset) * scale);
    const place = options.align_corners ? roundHalfAway(position) : Math.floor(position);
    return Math.max(0, Math.min(input - 1, place));
  });
}

const RESIZE_NEAREST_NEIGHBOR = resizeKernel(
  (node) => optionsOf(node, "ResizeNearestNeighborOptions"),
  ["float32", "int8", "uint8", "int16"],
  (options, from, to, [batch, inputHeight, inputWidth, depth], [height, width]) => {
    const rows = nearestPlaces(inputHeight, height, options);
    const columns = nearestPlaces(inputWidth, width, options);
    let target = 0;
    for (let b = 0; b < batch; b++) {
      for (const y of rows) {
        for (const x of columns) {
          const pixel = (b * inputHeight + y) * inputWidth + x;
          copyUnits(from, pixel * depth, to, target, depth);
          target += depth;
        }
      }
    }
  },
);

export const RESIZING: KernelTable = { RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR };
