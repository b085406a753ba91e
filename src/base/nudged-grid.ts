/** The grid that simulated quantization rounds to: a range, moved so that 0 is on the grid. */
import { roundHalfAway } from "./rounding.ts";

/** Real values min, min + scale … max, all of them float32. */
export interface NudgedGrid {
  readonly scale: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The grid for a range of float32 values of 2^bits steps, or one less with `narrow`. Every operation is rounded to
 * float32, as in TensorFlow's fake_quant_ops_functor.h and TensorFlow Lite's quantization_util.h. Around a range that
 * leaves 0 out the grid starts or ends at 0 and keeps the width of the range, as theirs does.
 */
export function nudgedGrid(min: number, max: number, bits: number, narrow: boolean): NudgedGrid {
  const { fround } = Math;
  const [lowest, highest] = [narrow ? 1 : 0, 2 ** bits - 1];
  const scale = fround(fround(max - min) / (highest - lowest));
  const zero = fround(lowest - fround(min / scale));
  const nudged = zero < lowest ? lowest : zero > highest ? highest : roundHalfAway(zero);
  return {
    scale,
    min: fround((lowest - nudged) * scale),
    max: fround((highest - nudged) * scale),
  };
}
