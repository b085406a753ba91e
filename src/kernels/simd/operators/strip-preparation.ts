/** What has to be known of an image before its strips are prepared, for each kind of DEPTHWISE_CONV_2D. */
import type { EmittedFunction, FastPlace } from "../fast-kernel.ts";
import { bindAsymmetric, RANGE_FUNCTION } from "./activation-pass.ts";

/** real = scale × (q − zeroPoint). */
export interface ImageNumbers {
  /** 1 for what was quantized before. */
  readonly scale: number;
  readonly zeroPoint: number;
  /** For what is quantized on the fly, to int8: q − zeroPoint = clamp(round(v × inverse), low, high). */
  readonly inverse: number;
  readonly low: number;
  readonly high: number;
}

export interface StripPreparation {
  readonly functions: readonly EmittedFunction[];
  /** Makes the function that looks at `count` elements at `source`. `scratch`: PASS_SCRATCH_BYTES bytes. */
  bind(place: FastPlace, scratch: number): (source: number, count: number) => ImageNumbers;
}

/** Floats, which are quantized by their range. */
export const QUANTIZED: StripPreparation = { functions: [RANGE_FUNCTION], bind: bindAsymmetric };

/** Numbers of images that are read as they are. */
export const PLAIN_NUMBERS: ImageNumbers = { scale: 1, zeroPoint: 0, inverse: 0, low: 0, high: 0 };

/** Elements that have one zero point in all images. */
export function centered(zeroPoint: number): StripPreparation {
  const image = { ...PLAIN_NUMBERS, zeroPoint };
  return { functions: [], bind: () => () => image };
}
