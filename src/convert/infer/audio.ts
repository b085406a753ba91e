/** Types of the audio operations: shapes as in tensorflow/core/ops/audio_ops.cc. */
import { intAttr } from "../../graph/attrs.ts";
import { inputShape, one, type TypeRule, unknownDims } from "./typed-node.ts";

/** audio[samples, channels] to [channels, frames, frequencies]: half of a power of two that holds a window, and one. */
const spectrogram: TypeRule = (typed) => {
  const [samples = -1, channels = -1] = inputShape(typed, 0) ?? [];
  const window = intAttr(typed.node, "window_size");
  const stride = intAttr(typed.node, "stride");
  if (window < 2 || stride < 1) return one("float32", unknownDims(3));
  const frames = samples < window ? 0 : 1 + Math.floor((samples - window) / stride);
  const frequencies = 1 + 2 ** Math.ceil(Math.log2(window)) / 2;
  return one("float32", [channels, samples < 0 ? -1 : frames, frequencies]);
};

const mfcc: TypeRule = (typed) => {
  const [channels = -1, frames = -1] = inputShape(typed, 0) ?? [];
  return one("float32", [channels, frames, intAttr(typed.node, "dct_coefficient_count")]);
};

export const AUDIO_TYPES: ReadonlyMap<string, TypeRule> = new Map([
  ["AudioSpectrogram", spectrogram],
  ["Mfcc", mfcc],
]);
