/** The channels of convolution weights: which element belongs to which output or input channel. */
import type { Shape } from "../../base/shape.ts";
import { axisSlices, type Slices } from "../slices.ts";
import type { Layer } from "./chains.ts";

/** Output channels: the first axis of float32[out, h, w, in], the last of float32[1, h, w, in × multiplier]. */
export function outputChannels({ kind }: Pick<Layer, "kind">, shape: Shape): Slices {
  return axisSlices(shape, kind === "conv" ? 0 : 3);
}

/**
 * Input channels. Those of a depthwise convolution are runs of its last axis: with multiplier m, output channels
 * m·i … m·i + m − 1 read input channel i.
 */
export function inputChannels({ kind }: Pick<Layer, "kind">, shape: Shape, count: number): Slices {
  if (kind === "conv") return axisSlices(shape, 3);
  const [, height = 1, width = 1, outputs = 1] = shape;
  return { outer: height * width, slices: count, inner: outputs / count };
}

/** Multiplies every element by the factor of its channel, in place. */
export function scaleChannels(
  values: Float32Array,
  { outer, slices, inner }: Slices,
  factors: Float64Array,
): void {
  for (let o = 0, index = 0; o < outer; o++) {
    for (let s = 0; s < slices; s++) {
      const factor = factors[s]!;
      for (let i = 0; i < inner; i++, index++) values[index]! *= factor;
    }
  }
}
