/** Pooling over windows and over everything. */
import { inputOf, type LayerCall, type Translate, tensorArgument, unsupported } from "../layer.ts";
import { ints, type Symbolic, text, type } from "../node-writer.ts";
import { windowed } from "./shapes.ts";

/** Max or average over windows of two dimensions. */
export const pool2d =
  (op: "MaxPool" | "AvgPool"): Translate =>
  (call) => {
    const { config } = call;
    const size = config.sizes("pool_size", 2, 2);
    const strides = config.has("strides") ? config.sizes("strides", 2) : size;
    const channelsFirst = config.text("data_format", "channels_last") === "channels_first";
    return pool(call, op, inputOf(call), size, strides, channelsFirst);
  };

export const pool1d =
  (op: "MaxPool" | "AvgPool"): Translate =>
  (call) => {
    const { config, writer, path } = call;
    if (config.text("data_format", "channels_last") === "channels_first") {
      throw unsupported(config, "1-D pooling with channels_first");
    }
    const size = config.sizes("pool_size", 1, 2);
    const strides = config.has("strides") ? config.sizes("strides", 1) : size;
    const x = inputOf(call);
    const [batch, steps, channels] = x.shape as [number, number, number];
    const dim = writer.ints(`${path}/ExpandDims/dim`, 2);
    const wide = writer.emit(`${path}/ExpandDims`, "ExpandDims", [x, dim], {
      shape: [batch, steps, 1, channels],
    });
    const y = pool(call, op, wide, [size[0]!, 1], [strides[0]!, 1], false);
    const shape = y.shape.filter((_, axis) => axis !== 2);
    return writer.emit(`${path}/Squeeze`, "Squeeze", [y], { shape }, { squeeze_dims: ints([2]) });
  };

function pool(
  { config, writer, path }: LayerCall,
  op: string,
  x: Symbolic,
  size: readonly number[],
  strides: readonly number[],
  channelsFirst: boolean,
): Symbolic {
  const same = config.text("padding", "valid") === "same";
  const first = channelsFirst ? 2 : 1;
  const spatial = size.map((kernel, i) =>
    windowed(x.shape[first + i]!, { kernel, stride: strides[i]!, dilation: 1, same }),
  );
  const spread = (values: readonly number[]) =>
    ints(channelsFirst ? [1, 1, ...values] : [1, ...values, 1]);
  const [batch] = x.shape as [number];
  const shape = channelsFirst ? [batch, x.shape[1]!, ...spatial] : [batch, ...spatial, x.shape[3]!];
  return writer.emit(
    `${path}/${op}`,
    op,
    [x],
    { shape },
    {
      ksize: spread(size),
      strides: spread(strides),
      padding: text(same ? "SAME" : "VALID"),
      data_format: text(channelsFirst ? "NCHW" : "NHWC"),
    },
  );
}

/** Max or mean over all positions. */
export const globalPool =
  (op: "Max" | "Mean"): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const x = inputOf(call);
    const channelsFirst = config.text("data_format", "channels_last") === "channels_first";
    const first = channelsFirst ? 2 : 1;
    const axes = Array.from({ length: x.shape.length - 2 }, (_, i) => first + i);
    const mask = tensorArgument(call, "mask") ?? x.mask;
    if (mask !== undefined && op === "Mean" && axes.length === 1) return maskedMean(call, x, mask);
    return writer.reduce(`${path}/${op}`, op, x, axes, config.flag("keepdims", false));
  };

/** The mean of the steps that count: Σ x·m / Σ m. */
function maskedMean({ writer, path }: LayerCall, x: Symbolic, mask: Symbolic): Symbolic {
  const shape = [...mask.shape, 1];
  const wide = writer.reshape(`${path}/mask`, mask, shape);
  const numeric = writer.emit(
    `${path}/Cast`,
    "Cast",
    [wide],
    { shape, dtype: x.dtype },
    { DstT: type(x.dtype) },
  );
  const kept = writer.binary(`${path}/mul`, "Mul", x, numeric);
  const sum = writer.reduce(`${path}/Sum`, "Sum", kept, [1], false);
  const count = writer.reduce(`${path}/Sum_1`, "Sum", numeric, [1], false);
  return writer.binary(`${path}/truediv`, "RealDiv", sum, count);
}
