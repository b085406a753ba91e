/** Convolutions: 1-D ones are 2-D ones of height 1, as TensorFlow itself writes them. */
import { applyActivation } from "../activations.ts";
import type { Config } from "../config.ts";
import { inputOf, type LayerCall, type Translate, weightOf } from "../layer.ts";
import { type Attrs, ints, type NodeWriter, type Symbolic, text } from "../node-writer.ts";
import { padded } from "./arrangement.ts";
import { inLayout, layoutName, type Window, windowed } from "./shapes.ts";

export interface Geometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly kernel: readonly number[];
  readonly padding: string;
  readonly channelsFirst: boolean;
}

export function geometryOf(config: Config, rank: number): Geometry {
  return {
    kernel: config.sizes("kernel_size", rank),
    strides: config.sizes("strides", rank, 1),
    dilations: config.sizes("dilation_rate", rank, 1),
    padding: config.text("padding", "valid"),
    channelsFirst: config.text("data_format", "channels_last") === "channels_first",
  };
}

export function windowOf({ kernel, strides, dilations, padding }: Geometry, axis: number): Window {
  return {
    kernel: kernel[axis]!,
    stride: strides[axis]!,
    dilation: dilations[axis]!,
    same: padding === "same",
  };
}

/** Attributes of Conv2D, Conv3D and their relatives. */
export function convAttrs({ channelsFirst, dilations, padding, strides }: Geometry): Attrs {
  const spread = (values: readonly number[]) => ints(inLayout(channelsFirst, 1, values, 1));
  return {
    strides: spread(strides),
    dilations: spread(dilations),
    padding: text(padding === "same" ? "SAME" : "VALID"),
    data_format: text(layoutName(strides.length, channelsFirst)),
  };
}

/** Spatial sizes after the convolution, with `channels` in their place. */
function convShape(x: Symbolic, geometry: Geometry, channels: number): number[] {
  const { channelsFirst, kernel } = geometry;
  const first = channelsFirst ? 2 : 1;
  const spatial = kernel.map((_, i) => windowed(x.shape[first + i]!, windowOf(geometry, i)));
  return inLayout(channelsFirst, x.shape[0]!, spatial, channels);
}

export function addBias(
  call: LayerCall,
  y: Symbolic,
  index: number,
  channelsFirst: boolean,
): Symbolic {
  const { config, writer, path } = call;
  if (!config.flag("use_bias", true)) return y;
  const bias = weightOf(call, "bias", index, 1);
  const attrs = { data_format: text(channelsFirst ? "NCHW" : "NHWC") };
  return writer.emit(`${path}/BiasAdd`, "BiasAdd", [y, bias], { shape: y.shape }, attrs);
}

export function activate(call: LayerCall, y: Symbolic): Symbolic {
  return applyActivation(call.writer, call.path, y, call.config, "activation", call.kerasVersion);
}

/** Convolution in one, two or three dimensions, with bias and activation. */
export const conv =
  (rank: number): Translate =>
  (call) => {
    const geometry = geometryOf(call.config, rank);
    const x = causal(call, inputOf(call), geometry);
    const kernel = weightOf(call, "kernel", 0, rank + 2);
    const y = convolve(call.writer, call.path, x, kernel, geometry);
    return activate(call, addBias(call, y, 1, geometry.channelsFirst));
  };

/** The convolution alone. */
export function convolve(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  kernel: Symbolic,
  geometry: Geometry,
): Symbolic {
  if (geometry.kernel.length === 1) {
    const added = heightAxis(geometry);
    const wide = expand(writer, `${path}/ExpandDims`, x, added);
    const wideKernel = expand(writer, `${path}/ExpandDims_1`, kernel, 0);
    const y = convolve(writer, path, wide, wideKernel, flattened(geometry));
    return squeeze(writer, `${path}/Squeeze`, y, added);
  }
  const op = geometry.kernel.length === 3 ? "Conv3D" : "Conv2D";
  const shape = convShape(x, geometry, kernel.shape.at(-1)!);
  return writer.emit(`${path}/${op}`, op, [x, kernel], { shape }, convAttrs(geometry));
}

/** Where 1-D data gets its height of 1. */
export const heightAxis = ({ channelsFirst }: Geometry): number => (channelsFirst ? 2 : 1);

export const depthwiseConv2d: Translate = (call) => {
  const geometry = geometryOf(call.config, 2);
  const x = inputOf(call);
  const y = depthwise(call, x, depthwiseKernel(call, 4), geometry);
  return activate(call, addBias(call, y, 1, geometry.channelsFirst));
};

/** Keras 2 calls it depthwise_kernel, Keras 3 kernel. */
function depthwiseKernel(call: LayerCall, rank: number): Symbolic {
  const name = call.kerasVersion >= 3 ? "kernel" : "depthwise_kernel";
  return weightOf(call, name, 0, rank);
}

export function depthwise(
  call: LayerCall,
  x: Symbolic,
  kernel: Symbolic,
  geometry: Geometry,
): Symbolic {
  const channels = kernel.shape.at(-2)! * kernel.shape.at(-1)!;
  const shape = convShape(x, geometry, channels);
  const name = `${call.path}/depthwise`;
  return call.writer.emit(
    name,
    "DepthwiseConv2dNative",
    [x, kernel],
    { shape },
    convAttrs(geometry),
  );
}

export const separableConv2d: Translate = (call) => {
  const geometry = geometryOf(call.config, 2);
  const kernel = weightOf(call, "depthwise_kernel", 0, 4);
  const pointwise = weightOf(call, "pointwise_kernel", 1, 4);
  const y = separable(call, inputOf(call), kernel, pointwise, geometry);
  return activate(call, addBias(call, y, 2, geometry.channelsFirst));
};

export const separableConv1d: Translate = (call) => {
  const geometry = geometryOf(call.config, 1);
  const { writer, path } = call;
  const added = heightAxis(geometry);
  const wide = expand(writer, `${path}/ExpandDims`, causal(call, inputOf(call), geometry), added);
  const kernel = weightOf(call, "depthwise_kernel", 0, 3);
  const pointwise = weightOf(call, "pointwise_kernel", 1, 3);
  const y = separable(
    call,
    wide,
    expand(writer, `${path}/ExpandDims_1`, kernel, 0),
    expand(writer, `${path}/ExpandDims_2`, pointwise, 0),
    squared(geometry),
  );
  const narrow = squeeze(writer, `${path}/Squeeze`, y, added);
  return activate(call, addBias(call, narrow, 2, geometry.channelsFirst));
};

function separable(
  call: LayerCall,
  x: Symbolic,
  kernel: Symbolic,
  pointwise: Symbolic,
  geometry: Geometry,
): Symbolic {
  const between = depthwise(call, x, kernel, geometry);
  const plain = {
    ...geometry,
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    padding: "valid",
  };
  const shape = convShape(between, plain, pointwise.shape[3]!);
  const name = `${call.path}/separable_conv2d`;
  return call.writer.emit(name, "Conv2D", [between, pointwise], { shape }, convAttrs(plain));
}

export const depthwiseConv1d: Translate = (call) => {
  const geometry = geometryOf(call.config, 1);
  const { writer, path } = call;
  const added = heightAxis(geometry);
  const wide = expand(writer, `${path}/ExpandDims`, causal(call, inputOf(call), geometry), added);
  const kernel = expand(writer, `${path}/ExpandDims_1`, depthwiseKernel(call, 3), 0);
  const y = depthwise(call, wide, kernel, squared(geometry));
  const narrow = squeeze(writer, `${path}/Squeeze`, y, added);
  return activate(call, addBias(call, narrow, 1, geometry.channelsFirst));
};

/** The geometry of a 1-D convolution as a 2-D one of height 1. */
export function flattened(geometry: Geometry): Geometry {
  return {
    ...geometry,
    kernel: [1, ...geometry.kernel],
    strides: [1, ...geometry.strides],
    dilations: [1, ...geometry.dilations],
    padding: geometry.padding === "causal" ? "valid" : geometry.padding,
  };
}

/** The same with one stride for both dimensions, as the depthwise operation wants it. */
export function squared(geometry: Geometry): Geometry {
  return { ...flattened(geometry), strides: [geometry.strides[0]!, geometry.strides[0]!] };
}

/** Causal: (kernel - 1) · dilation zeros in front. */
function causal({ writer, path }: LayerCall, x: Symbolic, geometry: Geometry): Symbolic {
  if (geometry.padding !== "causal") return x;
  const front = (geometry.kernel[0]! - 1) * geometry.dilations[0]!;
  const amounts: [number, number][] = [
    [0, 0],
    [0, 0],
    [0, 0],
  ];
  amounts[geometry.channelsFirst ? 2 : 1] = [front, 0];
  return padded(writer, `${path}/Pad`, x, amounts);
}

export function expand(writer: NodeWriter, name: string, x: Symbolic, axis: number): Symbolic {
  const shape = [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)];
  return writer.emit(name, "ExpandDims", [x, writer.ints(`${name}/dim`, axis)], { shape });
}

export function squeeze(writer: NodeWriter, name: string, x: Symbolic, axis: number): Symbolic {
  const shape = x.shape.filter((_, i) => i !== axis);
  return writer.emit(name, "Squeeze", [x], { shape }, { squeeze_dims: ints([axis]) });
}
