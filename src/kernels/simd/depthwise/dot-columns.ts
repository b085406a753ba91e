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
  return Array.from(weights).every((weight) => weight >= LOWEST && weight <= HIGHEST);
}

/** Whether weights for dot products of bytes need the second set. */
export function needsSecond(weights: ArrayLike<number>): boolean {
  return Array.from(weights).some((weight) => weight !== firstOf(weight));
}

/** The part of a weight in the first set. */
function firstOf(weight: number): number {
  return Math.max(-128, Math.min(127, weight));
}

/**
 * Packs weights [kernelHeight, kernelWidth, channels] for each block of eight channels. For bytes there are the int32 sums
 * of each channel's weights in front, and two sets, of which a weight is the sum. Bytes from `at` on are zero.
 */
export function packDotWeights(
  weights: ArrayLike<number>,
  shape: DotShape,
  channels: number,
  view: DataView<ArrayBufferLike>,
): void {
  const isWord = shape.dot === "int16";
  const { sets, flag, byteLength } = blockLayout(shape);
  const taps = shape.kernelHeight * shape.kernelWidth;
  for (let c = 0; c < channels; c++) {
    const start = Math.floor(c / CHANNEL_BLOCK) * byteLength;
    const lane = c % CHANNEL_BLOCK;
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const weight = weights[tap * channels + c] ?? 0;
      sum += weight;
      for (const shift of shiftsOf(shape)) {
        const at = start + weightOffset(shape, tap, shift, lane);
        if (isWord) {
          view.setInt16(at, weight, true);
          continue;
        }
        const first = firstOf(weight);
        for (const [set, part] of [first, weight - first].entries()) {
          view.setInt8(at + (sets[set] ?? 0), part);
        }
        if (first !== weight && flag !== undefined) view.setInt32(start + flag, 1, true);
      }
    }
    if (!isWord) view.setInt32(start + 4 * lane, sum, true);
  }
}

/** Bytes from the start of a set to a weight. */
function weightOffset(shape: DotShape, tap: number, shift: number, lane: number): number {
  const columns = groupColumns(shape.dot);
  const [y, column] = [Math.floor(tap / shape.kernelWidth), (tap % shape.kernelWidth) + shift];
  const group = y * kernelGroups(shape) + Math.floor(column / columns);
  const dot = group * shiftsOf(shape).length + shift;
  const bytes = CHANNEL_BYTES / columns;
  return dot * DOT_BYTES + lane * CHANNEL_BYTES + (column % columns) * bytes;
}
