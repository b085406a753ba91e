/** Transposed convolutions: the size of the result is an operand, and must be known. */
import { inputOf, type LayerCall, type Translate, unsupported, weightOf } from "../layer.ts";
import { ints, type Symbolic, text } from "../node-writer.ts";
import {
  activate,
  addBias,
  convAttrs,
  expand,
  flattened,
  type Geometry,
  geometryOf,
  squeeze,
  windowOf,
} from "./convolution.ts";
import { unwindowed } from "./shapes.ts";

export const conv1dTranspose: Translate = (call) => {
  const { writer, path } = call;
  const { x, kernel, geometry, shape } = operandsOf(call, 1);
  const wide = expand(writer, `${path}/ExpandDims`, x, 1);
  const wideKernel = expand(writer, `${path}/ExpandDims_1`, kernel, 0);
  const [batch, ...rest] = shape as [number, ...number[]];
  const y = transposed2d(call, wide, wideKernel, flattened(geometry), [batch, 1, ...rest]);
  return activate(call, addBias(call, squeeze(writer, `${path}/Squeeze`, y, 1), 1, false));
};

export const conv2dTranspose: Translate = (call) => {
  const { x, kernel, geometry, shape } = operandsOf(call, 2);
  return activate(call, addBias(call, transposed2d(call, x, kernel, geometry, shape), 1, false));
};

export const conv3dTranspose: Translate = (call) => {
  const { writer, path } = call;
  const { x, kernel, geometry, shape } = operandsOf(call, 3);
  const sizes = writer.ints(`${path}/conv3d_transpose/input_sizes`, shape);
  const attrs = {
    strides: ints([1, ...geometry.strides, 1]),
    dilations: ints([1, ...geometry.dilations, 1]),
    padding: text(geometry.padding === "same" ? "SAME" : "VALID"),
  };
  const operands = [sizes, kernel, x];
  const result = { shape, dtype: x.dtype };
  const name = `${path}/conv3d_transpose`;
  const y = writer.emit(name, "Conv3DBackpropInputV2", operands, result, attrs);
  return activate(call, addBias(call, y, 1, false));
};

interface Operands {
  readonly x: Symbolic;
  /** [kernel…, channels out, channels in]. */
  readonly kernel: Symbolic;
  readonly geometry: Geometry;
  /** Of the result. */
  readonly shape: readonly number[];
}

function operandsOf(call: LayerCall, rank: number): Operands {
  const { config, layer } = call;
  const geometry = geometryOf(call, rank);
  if (geometry.channelsFirst) throw unsupported(config, `${layer.className} with channels_first`);
  const x = inputOf(call);
  const kernel = weightOf(call, "kernel", 0, rank + 2);
  const extra = config.has("output_padding") ? config.sizes("output_padding", rank) : undefined;
  const spatial = geometry.kernel.map((_, i) =>
    unwindowed(x.shape[1 + i]!, windowOf(geometry, i), extra?.[i]),
  );
  const shape = [x.shape[0]!, ...spatial, kernel.shape[rank]!];
  if (shape.every((size) => size >= 0)) return { x, kernel, geometry, shape };
  throw unsupported(config, `${layer.className} with an open shape`, "Give the input's shape");
}

function transposed2d(
  { writer, path }: LayerCall,
  x: Symbolic,
  kernel: Symbolic,
  geometry: Geometry,
  shape: readonly number[],
): Symbolic {
  const sizes = writer.ints(`${path}/conv2d_transpose/input_sizes`, shape);
  const name = `${path}/conv2d_transpose`;
  const result = { shape, dtype: x.dtype };
  const operands = [sizes, kernel, x];
  return writer.emit(name, "Conv2DBackpropInput", operands, result, convAttrs(geometry));
}
