/** Transposed convolutions: the size of the result is an operand, and must be known. */
import { inputOf, type LayerCall, type Translate, unsupported, weightOf } from "../layer.ts";
import type { Symbolic } from "../node-writer.ts";
import {
  activate,
  addBias,
  convAttrs,
  expand,
  flattened,
  type Geometry,
  geometryOf,
  heightAxis,
  squeeze,
  windowOf,
} from "./convolution.ts";
import { inLayout, unwindowed } from "./shapes.ts";

/** Transposed convolution in one, two or three dimensions, with bias and activation. */
export const convTranspose =
  (rank: number): Translate =>
  (call) => {
    const { x, kernel, geometry, spatial } = operandsOf(call, rank);
    const y = transposed(call, x, kernel, geometry, spatial);
    return activate(call, addBias(call, y, 1, geometry.channelsFirst));
  };

interface Operands {
  readonly x: Symbolic;
  /** [kernel…, channels out, channels in]. */
  readonly kernel: Symbolic;
  readonly geometry: Geometry;
  /** Of the result. */
  readonly spatial: readonly number[];
}

function operandsOf(call: LayerCall, rank: number): Operands {
  const { config, layer } = call;
  const geometry = geometryOf(config, rank);
  const x = inputOf(call);
  const kernel = weightOf(call, "kernel", 0, rank + 2);
  const extra = config.has("output_padding") ? config.sizes("output_padding", rank) : undefined;
  const first = geometry.channelsFirst ? 2 : 1;
  const spatial = geometry.kernel.map((_, i) =>
    unwindowed(x.shape[first + i]!, windowOf(geometry, i), extra?.[i]),
  );
  if ([x.shape[0]!, ...spatial].every((size) => size >= 0)) return { x, kernel, geometry, spatial };
  throw unsupported(config, `${layer.className} with an open shape`, "Give the input's shape");
}

function transposed(
  call: LayerCall,
  x: Symbolic,
  kernel: Symbolic,
  geometry: Geometry,
  spatial: readonly number[],
): Symbolic {
  const { writer, path } = call;
  if (spatial.length === 1) {
    const added = heightAxis(geometry);
    const wide = expand(writer, `${path}/ExpandDims`, x, added);
    const wideKernel = expand(writer, `${path}/ExpandDims_1`, kernel, 0);
    const y = transposed(call, wide, wideKernel, flattened(geometry), [1, ...spatial]);
    return squeeze(writer, `${path}/Squeeze`, y, added);
  }
  const shape = inLayout(geometry.channelsFirst, x.shape[0]!, spatial, kernel.shape.at(-2)!);
  const [name, op] =
    spatial.length === 3
      ? [`${path}/conv3d_transpose`, "Conv3DBackpropInputV2"]
      : [`${path}/conv2d_transpose`, "Conv2DBackpropInput"];
  const sizes = writer.ints(`${name}/input_sizes`, shape);
  const result = { shape, dtype: x.dtype };
  return writer.emit(name, op, [sizes, kernel, x], result, convAttrs(geometry));
}
