/** What has to be known of an image before its strips are prepared, for each kind of DEPTHWISE_CONV_2D. */
import type { EmittedFunction, FastPlace } from "../fast-kernel.ts";
import { bindAsymmetric, RANGE_FUNCTION } from "./activation-pass.ts";

/** What an image tells. */
export interface ImageNumbers {
  /** real = scale × prepared. */
  readonly scale: number;
  /** The last arguments of `StripsFunction`. */
  readonly numbers: readonly number[];
}

export interface StripPreparation {
  readonly functions: readonly EmittedFunction[];
  /** Makes the function that looks at `count` elements at `source`. `scratch`: PASS_SCRATCH_BYTES bytes. */
  bind(place: FastPlace, scratch: number): (source: number, count: number) => ImageNumbers;
}

/** Floats, which are quantized by their range. */
export const QUANTIZED: StripPreparation = {
  functions: [RANGE_FUNCTION],
  bind(place, scratch) {
    const parametersOf = bindAsymmetric(place, scratch);
    return (source, count) => {
      const { scale, inverse, low, high } = parametersOf(source, count);
      return { scale, numbers: [inverse, low, high] };
    };
  },
};

/** Elements that are prepared alike in all images. */
export function fixedNumbers(...numbers: readonly number[]): StripPreparation {
  const image = { scale: 1, numbers };
  return { functions: [], bind: () => () => image };
}
