/** Operations of `keras.ops.nn`: windows, convolutions, normalization and attention with tensors for weights. */
import { Formula } from "../formula.ts";
import { type LayerCall, type Translate, tensorsOf, unsupported } from "../layer.ts";
import { int, madeElements, type Symbolic } from "../node-writer.ts";
import { onlyOperand, wholeAxis } from "./array-operations.ts";
import { LARGE_NEGATIVE } from "./attention-masks.ts";
import { convolve, depthwise, expand, type Geometry, squared, squeeze } from "./convolution.ts";
import { alongAxis, moments, rmsScale, scaleBy } from "./normalization.ts";
import { argumentOf, asTensor, operand, option, plainValue } from "./operations.ts";
import { pool, pool1d } from "./pooling.ts";
import { axesOf } from "./shape-operations.ts";

export const poolOperation =
  (op: "MaxPool" | "AvgPool"): Translate =>
  (call) => {
    const rank = (call.inputs[0]?.shape.length ?? 0) - 2;
    if (rank === 1) return pool1d(op)(call);
    return pool(rank === 3 ? `${op}3D` : op)(call);
  };

function geometryOf({ config }: LayerCall, kernel: Symbolic): Geometry {
  const rank = kernel.shape.length - 2;
  return {
    kernel: kernel.shape.slice(0, rank),
    strides: config.sizes("strides", rank, 1),
    dilations: config.sizes("dilation_rate", rank, 1),
    padding: config.text("padding", "valid"),
    channelsFirst: config.text("data_format", "channels_last") === "channels_first",
  };
}

function kernelOf(call: LayerCall, x: Symbolic): Symbolic {
  const kernel = asTensor(call, argumentOf(call, "kernel", 1), x);
  if (kernel.shape.length === x.shape.length) return kernel;
  throw call.config.wrong(`a kernel of ${kernel.shape.length} dimensions`, `${x.shape.length}`);
}

export const convOperation: Translate = (call) => {
  const x = asTensor(call, operand(call, 0, ["inputs"]), undefined);
  const kernel = kernelOf(call, x);
  return convolve(call.writer, call.path, x, kernel, geometryOf(call, kernel));
};

export const depthwiseConvOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const x = asTensor(call, operand(call, 0, ["inputs"]), undefined);
  const kernel = kernelOf(call, x);
  const geometry = geometryOf(call, kernel);
  if (x.shape.length === 4) return depthwise(call, x, kernel, geometry);
  if (x.shape.length !== 3) throw unsupported(config, "depthwise_conv of this rank");
  const added = geometry.channelsFirst ? 2 : 1;
  const wide = expand(writer, `${path}/ExpandDims`, x, added);
  const deep = expand(writer, `${path}/ExpandDims_1`, kernel, 0);
  return squeeze(writer, `${path}/Squeeze`, depthwise(call, wide, deep, squared(geometry)), added);
};

/** An argument that may be left out or be null. */
function optional(
  call: LayerCall,
  name: string,
  index: number,
  like: Symbolic,
): Symbolic | undefined {
  const given = argumentOf(call, name, index);
  return given === undefined || plainValue(given) === null
    ? undefined
    : asTensor(call, given, like);
}

export const layerNormOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const axes = axesOf(call, x, -1);
  const [gamma, beta] = ["gamma", "beta"].map((name, i) => optional(call, name, i + 1, x));
  const epsilon = Number(option(call, "epsilon") ?? 1e-7);
  const isLast = axes.every((axis, i) => axis === x.shape.length - axes.length + i);
  if (option(call, "rms_scaling") === true || (!isLast && (gamma ?? beta) !== undefined))
    throw unsupported(call.config, "layer_normalization over other than the last axes");
  const [mean, variance] = moments(call.writer, call.path, x, axes);
  return scaleBy(call, x, mean, variance, epsilon, { gamma, beta }, (_, value) => value);
};

export const rmsNormOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const epsilon = Number(option(call, "epsilon") ?? 1e-7);
  return rmsScale(call, x, axesOf(call, x, -1), epsilon, optional(call, "scale", 1, x));
};

export const batchNormOperation: Translate = (call) => {
  const x = onlyOperand(call);
  const rank = x.shape.length;
  const axis = wholeAxis(call, option(call, "axis") ?? -1, rank);
  const statistic = (name: string, index: number): Symbolic => {
    const value = optional(call, name, index, x);
    if (value !== undefined) return value;
    throw call.config.wrong(`no ${name}`, "a tensor");
  };
  const [mean, variance] = [statistic("mean", 1), statistic("variance", 2)];
  const [beta, gamma] = ["offset", "scale"].map((name, i) => optional(call, name, i + 3, x));
  const epsilon = Number(option(call, "epsilon") ?? 1e-3);
  return scaleBy(call, x, mean, variance, epsilon, { gamma, beta }, (name, value) =>
    axis === rank - 1 ? value : alongAxis(call.writer, `${call.path}/${name}`, value, axis, rank),
  );
};

/** softmax(query · keyᵀ · scale + bias) · value over [batch, positions, heads, features]. */
export const attentionOperation: Translate = (call) => {
  const { config, writer, path } = call;
  const f = new Formula(call);
  const [query, key, value] = ["query", "key", "value"].map((name, i) =>
    asTensor(call, operand(call, i, [name]), undefined),
  ) as [Symbolic, Symbolic, Symbolic];
  const heads = [query, key, value].map(({ shape }) => shape[2]);
  if (query.shape.length !== 4 || heads.some((count) => count !== heads[0]))
    throw unsupported(config, "dot_product_attention with heads that differ");
  if (option(call, "attn_logits_soft_cap") !== undefined)
    throw unsupported(config, "attn_logits_soft_cap");
  const scale = Number(option(call, "scale") ?? 1 / Math.sqrt(key.shape[3]!));
  const products = writer.einsum(`${path}/Einsum`, "bqhd,bkhd->bhqk", [query, key]);
  let scores = f.of("Mul", products, scale);
  const bias = optional(call, "bias", 3, scores);
  if (bias !== undefined) scores = f.of("AddV2", scores, bias);
  const [mask] = tensorsOf(argumentOf(call, "mask", 4));
  if (mask !== undefined) scores = f.where(f.cast(mask, "bool"), scores, LARGE_NEGATIVE);
  if (option(call, "is_causal") === true)
    scores = f.where(causal(call, scores), scores, LARGE_NEGATIVE);
  const weights = f.of("Softmax", scores);
  return writer.einsum(`${path}/Einsum_1`, "bhqk,bkhd->bqhd", [weights, value]);
};

function causal({ config, writer, path }: LayerCall, scores: Symbolic): Symbolic {
  const [from = -1, to = -1] = scores.shape.slice(2);
  if (from < 0 || to < 0) throw unsupported(config, "a causal mask over an open dimension");
  const length = madeElements([from, to], config.where);
  const data = Uint8Array.from({ length }, (_, i) => Number(i % to <= Math.floor(i / to)));
  return writer.constant(`${path}/mask`, { dtype: "bool", shape: [from, to], data });
}

/** Channels to blocks of pixels, or back. */
export const blockOperation =
  (op: "DepthToSpace" | "SpaceToDepth"): Translate =>
  (call) => {
    const { config, writer, path } = call;
    const x = onlyOperand(call);
    if (x.shape.length !== 4) throw unsupported(config, `${op} of another rank`);
    const layout = option(call, "data_format") ?? "NHWC";
    if (layout !== "NHWC" && layout !== "channels_last")
      throw unsupported(config, `${op} of ${String(layout)}`);
    const block = Number(option(call, "block_size"));
    const factor = op === "DepthToSpace" ? block : 1 / block;
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const scaled = (size: number, by: number) => (size < 0 ? -1 : Math.round(size * by));
    const shape = [
      batch,
      scaled(height, factor),
      scaled(width, factor),
      scaled(channels, 1 / factor ** 2),
    ];
    return writer.emit(`${path}/${op}`, op, [x], { shape }, { block_size: int(block) });
  };
