/** Pooling over windows and over everything. */
import { inputOf, type LayerCall, type Translate, tensorArgument } from "../layer.ts";
import { ints, type Symbolic, text, type } from "../node-writer.ts";
import { firstAxis } from "./arrangement.ts";
import { expand, squeeze } from "./convolution.ts";
import { inLayout, layoutName, windowed } from "./shapes.ts";

/** Max or average over windows of two or three dimensions. */
export const pool =
  (op: "MaxPool" | "AvgPool" | "MaxPool3D" | "AvgPool3D"): Translate =>
  (call) => {
    const { config } = call;
    const rank = op.endsWith("3D") ? 3 : 2;
    const size = config.sizes("pool_size", rank, 2);
    const strides = config.has("strides") ? config.sizes("strides", rank) : size;
    return windows(call, op, inputOf(call), size, strides);
  };

/** Over windows of one dimension: of two, of which the second is 1. */
export const pool1d =
  (op: "MaxPool" | "AvgPool"): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const [size] = config.sizes("pool_size", 1, 2) as [number];
    const [stride] = config.has("strides") ? (config.sizes("strides", 1) as [number]) : [size];
    const x = inputOf(call);
    const added = firstAxis(call) + 1;
    const wide = expand(writer, `${path}/ExpandDims`, x, added);
    const y = windows(call, op, wide, [size, 1], [stride, 1]);
    return squeeze(writer, `${path}/Squeeze`, y, added);
  };

function windows(
  call: LayerCall,
  op: string,
  x: Symbolic,
  size: readonly number[],
  strides: readonly number[],
): Symbolic {
  const same = call.config.text("padding", "valid") === "same";
  return emitWindows(call, op, x, { size, strides, same, channelsFirst: firstAxis(call) === 2 });
}

/** Over windows of one to three dimensions that lie inside, channels last. `op` is MaxPool or AvgPool. */
export function overWindows(
  call: LayerCall,
  op: string,
  x: Symbolic,
  size: readonly number[],
  strides: readonly number[],
): Symbolic {
  const { writer, path } = call;
  const pool = (y: Symbolic, kernel: readonly number[], steps: readonly number[]): Symbolic =>
    emitWindows(call, kernel.length === 3 ? `${op}3D` : op, y, {
      size: kernel,
      strides: steps,
      same: false,
      channelsFirst: false,
    });
  if (size.length > 1) return pool(x, size, strides);
  const wide = expand(writer, `${path}/ExpandDims`, x, 2);
  return squeeze(writer, `${path}/Squeeze`, pool(wide, [...size, 1], [...strides, 1]), 2);
}

interface Windowing {
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly same: boolean;
  readonly channelsFirst: boolean;
}

function emitWindows(
  { writer, path }: LayerCall,
  op: string,
  x: Symbolic,
  { size, strides, same, channelsFirst }: Windowing,
): Symbolic {
  const first = channelsFirst ? 2 : 1;
  const spatial = size.map((kernel, i) =>
    windowed(x.shape[first + i]!, { kernel, stride: strides[i]!, dilation: 1, same }),
  );
  const spread = (values: readonly number[]) => ints(inLayout(channelsFirst, 1, values, 1));
  const channels = x.shape[channelsFirst ? 1 : size.length + 1]!;
  const shape = inLayout(channelsFirst, x.shape[0]!, spatial, channels);
  const attrs = {
    ksize: spread(size),
    strides: spread(strides),
    padding: text(same ? "SAME" : "VALID"),
    data_format: text(layoutName(size.length, channelsFirst)),
  };
  return writer.emit(`${path}/${op}`, op, [x], { shape }, attrs);
}

/** Max or mean over all positions. */
export const globalPool =
  (op: "Max" | "Mean"): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const x = inputOf(call);
    const first = firstAxis(call);
    const axes = Array.from({ length: x.shape.length - 2 }, (_, i) => first + i);
    const mask = tensorArgument(call, "mask") ?? x.mask;
    if (mask !== undefined && op === "Mean" && axes.length === 1)
      return maskedMean(call, x, mask, first);
    return writer.reduce(`${path}/${op}`, op, x, axes, config.flag("keepdims", false));
  };

/** The mean of the steps that count: Σ x·m / Σ m. */
function maskedMean(call: LayerCall, x: Symbolic, mask: Symbolic, steps: number): Symbolic {
  const { config, writer, path } = call;
  const shape = steps === 1 ? [...mask.shape, 1] : [mask.shape[0]!, 1, mask.shape[1]!];
  const wide = writer.reshape(`${path}/mask`, mask, shape);
  const result = { shape, dtype: x.dtype };
  const numeric = writer.emit(`${path}/Cast`, "Cast", [wide], result, { DstT: type(x.dtype) });
  const kept = writer.binary(`${path}/mul`, "Mul", x, numeric);
  const keep = config.flag("keepdims", false);
  const sum = writer.reduce(`${path}/Sum`, "Sum", kept, [steps], keep);
  const count = writer.reduce(`${path}/Sum_1`, "Sum", numeric, [steps], keep);
  return writer.binary(`${path}/truediv`, "RealDiv", sum, count);
}
