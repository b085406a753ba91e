/**
 * Rows of images as dot products want them: columns side by side for each channel, as int16 of q − zero point in twos, or
 * as bytes in fours.
 *
 * A row becomes groups of neighbouring columns, each group two columns after the last one: element [group, channel, i] is
 * column 2 · group − padLeft + i, outside of the image the zero point. At stride 1 a group holds the first columns of two
 * output pixels, whose weights stand at two shifts; at stride 2 of one. Kernels of more columns go on in later groups. So a
 * row is rearranged once, whatever kernel rows read it, and no pixel is at a border.
 */
import { CHANNEL_BLOCK } from "./pack-channels.ts";

/** int16: `i32x4.dot_i16x8_s`. int8, uint8: the relaxed dot product of bytes, with activations of that type. */
export type DotType = "int16" | "int8" | "uint8";

export interface DotShape {
  readonly dot: DotType;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideWidth: 1 | 2;
}

/** Columns from one group to the next. */
export const GROUP_STEP = 2;
/** Bytes of a channel in a group. */
export const CHANNEL_BYTES = 4;
/** Bytes of a block's weights for one dot product of each channel. */
export const DOT_BYTES: number = CHANNEL_BLOCK * CHANNEL_BYTES;
/** Bytes of the sums of a block's weights, in front of weights of bytes. */
const SUMS_BYTES = CHANNEL_BLOCK * 4;
/** Bytes behind a block's weights of bytes: not 0 in an i32 where it has weights of the second set. */
const FLAG_BYTES = 16;

/** Columns of a group. */
export function groupColumns(dot: DotType): 2 | 4 {
  return dot === "int16" ? 2 : 4;
}

/** At which shifts weights stand. */
export function shiftsOf({ strideWidth }: Pick<DotShape, "strideWidth">): readonly number[] {
  return strideWidth === 1 ? [0, 1] : [0];
}

/** Groups that a row of the kernel reads, at a shift; at the largest one by default. */
export function kernelGroups(shape: DotShape, shift: number = shiftsOf(shape).length - 1): number {
  return Math.ceil((shape.kernelWidth + shift) / groupColumns(shape.dot));
}

/** From one of the groups that a row of the kernel reads to the next. */
export function kernelGroupStep(dot: DotType): number {
  return groupColumns(dot) / GROUP_STEP;
}

/** Groups of a row that `outputWidth` pixels read. */
export function rowGroups(shape: DotShape, outputWidth: number): number {
  const last = (kernelGroups(shape) - 1) * kernelGroupStep(shape.dot);
  return Math.ceil(outputWidth / shiftsOf(shape).length) + last;
}

/** Where the parts of a block of eight channels are, in bytes from its start. */
export interface BlockLayout {
  /** Sets of weights [kernelHeight, kernelGroups, shifts, 8, columns], one behind the other. */
  readonly sets: readonly number[];
  /** i32, absent for int16. */
  readonly flag?: number;
  readonly byteLength: number;
}

export function blockLayout(shape: DotShape): BlockLayout {
  const { dot, kernelHeight } = shape;
  const setBytes = kernelHeight * kernelGroups(shape) * shiftsOf(shape).length * DOT_BYTES;
  if (dot === "int16") return { sets: [0], byteLength: setBytes };
  const flag = SUMS_BYTES + 2 * setBytes;
  return { sets: [SUMS_BYTES, SUMS_BYTES + setBytes], flag, byteLength: flag + FLAG_BYTES };
}

/** Bytes of the weights of `channels` channels, a multiple of eight. */
export function dotWeightBytes(shape: DotShape, channels: number): number {
  return (channels / CHANNEL_BLOCK) * blockLayout(shape).byteLength;
}

/** What two int8 can sum up to, where the first is as near to the sum as it can be. */
const [LOWEST, HIGHEST] = [-256, 254];

/** Whether weights can be packed for dot products of bytes. */
export function fitsBytes(weights: ArrayLike<number>): boolean {
  for (let at = 0; at < weights.length; at++) {
    if (weights[at]! < LOWEST || weights[at]! > HIGHEST) return false;
  }
  return true;
}

/** Whether weights for dot products of bytes need the second set. */
export function needsSecond(weights: ArrayLike<number>): boolean {
  for (let at = 0; at < weights.length; at++) {
    if (weights[at] !== firstOf(weights[at]!)) return true;
  }
  return false;
}

/** The part of a weight in the first set. */
function firstOf(weight: number): number {
  return Math.max(-128, Math.min(127, weight));
}

/** Weights [kernelHeight, kernelWidth, channels] and the memory that they are packed into, from `address` on. */
export interface DotPacking {
  readonly weights: ArrayLike<number>;
  readonly channels: number;
  readonly buffer: ArrayBufferLike;
  readonly address: number;
}

/**
 * Packs weights for each block of eight channels. For bytes there are the int32 sums of each channel's weights in front,
 * and two sets, of which a weight is the sum. The memory is zero before.
 */
export function packDotWeights(packing: DotPacking, shape: DotShape): void {
  if (shape.dot === "int16") packWords(packing, shape);
  else packBytes(packing, shape);
}

/** Loops are plain, and write to arrays: while a model is opened, little of this is optimized. */
function packWords({ weights, channels, buffer, address }: DotPacking, shape: DotShape): void {
  const words = new Int16Array(buffer, address);
  const { byteLength } = blockLayout(shape);
  const laneWords = CHANNEL_BYTES / 2;
  for (const { tap, place } of placesOf(shape)) {
    for (let c = 0; c < channels; c++) {
      const lane = c % CHANNEL_BLOCK;
      const start = ((c - lane) / CHANNEL_BLOCK) * byteLength + place;
      words[start / 2 + lane * laneWords] = weights[tap * channels + c]!;
    }
  }
}

function packBytes({ weights, channels, buffer, address }: DotPacking, shape: DotShape): void {
  const bytes = new Int8Array(buffer, address);
  const words = new Int32Array(buffer, address);
  const { sets, flag = 0, byteLength } = blockLayout(shape);
  const [firstSet = 0, secondSet = 0] = sets;
  for (const { tap, place, shift } of placesOf(shape)) {
    for (let c = 0; c < channels; c++) {
      const lane = c % CHANNEL_BLOCK;
      const start = ((c - lane) / CHANNEL_BLOCK) * byteLength;
      const at = start + place + lane * CHANNEL_BYTES;
      const weight = weights[tap * channels + c]!;
      const part = firstOf(weight);
      bytes[at + firstSet] = part;
      if (part !== weight) {
        bytes[at + secondSet] = weight - part;
        words[(start + flag) / 4] = 1;
      }
      if (shift === 0) words[start / 4 + lane] += weight;
    }
  }
}

/** Where the weights of a tap stand in a set, at a shift, in bytes from the block's first channel. */
interface TapPlace {
  readonly tap: number;
  readonly shift: number;
  readonly place: number;
}

function placesOf(shape: DotShape): readonly TapPlace[] {
  const { kernelHeight, kernelWidth } = shape;
  const columns = groupColumns(shape.dot);
  const shifts = shiftsOf(shape);
  return Array.from({ length: kernelHeight * kernelWidth }, (_, tap) =>
    shifts.map((shift) => {
      const [y, column] = [Math.floor(tap / kernelWidth), (tap % kernelWidth) + shift];
      const group = y * kernelGroups(shape) + Math.floor(column / columns);
      const dot = group * shifts.length + shift;
      const place = dot * DOT_BYTES + (column % columns) * (CHANNEL_BYTES / columns);
      return { tap, shift, place };
    }),
  ).flat();
}
