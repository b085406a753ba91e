/** Normalization layers, with the formulas of Keras 3's TensorFlow backend. */
import { elementCount } from "../../../base/shape.ts";
import type { Json } from "../config.ts";
import { inputOf, type LayerCall, type Translate, unsupported, weightOf } from "../layer.ts";
import { flag, float, type NodeWriter, type Symbolic, text, zeroData } from "../node-writer.ts";

function axisOf(value: Json | undefined, rank: number): number[] {
  const list = Array.isArray(value) ? (value as readonly number[]) : [Number(value ?? -1)];
  return list.map((axis) => (axis < 0 ? axis + rank : axis));
}

/** Gamma and beta, or what stands for them where the layer has none. */
function scaleAndCenter(call: LayerCall): { gamma?: Symbolic; beta?: Symbolic; used: number } {
  const hasGamma = call.config.flag("scale", true);
  const hasBeta = call.config.flag("center", true);
  const gamma = hasGamma ? { gamma: weightOf(call, "gamma", 0) } : {};
  const beta = hasBeta ? { beta: weightOf(call, "beta", hasGamma ? 1 : 0) } : {};
  return { ...gamma, ...beta, used: Number(hasGamma) + Number(hasBeta) };
}

export const batchNormalization: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const rank = x.shape.length;
  const [axis = rank - 1] = axisOf(config.get("axis"), rank);
  const { gamma, beta, used } = scaleAndCenter(call);
  const mean = weightOf(call, "moving_mean", used, 1);
  const variance = weightOf(call, "moving_variance", used + 1, 1);
  const epsilon = config.number("epsilon", 1e-3);
  if (rank === 4 && call.kerasVersion < 3 && (axis === 3 || axis === 1)) {
    const filled = (name: string, value: number) =>
      constantVector(writer, `${path}/${name}`, mean.shape[0]!, value);
    const inputs = [x, gamma ?? filled("gamma", 1), beta ?? filled("beta", 0), mean, variance];
    const results = [{ shape: x.shape }, ...new Array(5).fill({ shape: mean.shape })];
    return writer.emitMany(`${path}/FusedBatchNormV3`, "FusedBatchNormV3", inputs, results, {
      epsilon: float(epsilon),
      is_training: flag(false),
      data_format: text(axis === 1 ? "NCHW" : "NHWC"),
    })[0]!;
  }
  return scaleBy(call, x, mean, variance, epsilon, { gamma, beta }, (name, value) =>
    axis === rank - 1 ? value : alongAxis(writer, `${path}/${name}`, value, axis, rank),
  );
};

function constantVector(writer: NodeWriter, name: string, size: number, value: number): Symbolic {
  const data = zeroData([size], name).fill(value);
  return writer.constant(name, { dtype: "float32", shape: [size], data });
}

export function alongAxis(
  writer: NodeWriter,
  name: string,
  value: Symbolic,
  axis: number,
  rank: number,
): Symbolic {
  const shape = Array.from({ length: rank }, (_, i) => (i === axis ? value.shape[0]! : 1));
  return writer.reshape(name, value, shape);
}

/** x · inv + (beta - mean · inv), inv = gamma · rsqrt(variance + epsilon). */
export function scaleBy(
  { writer, path }: LayerCall,
  x: Symbolic,
  mean: Symbolic,
  variance: Symbolic,
  epsilon: number,
  { gamma, beta }: { gamma?: Symbolic | undefined; beta?: Symbolic | undefined },
  place: (name: string, value: Symbolic) => Symbolic,
): Symbolic {
  const name = `${path}/batchnorm`;
  const shifted = writer.binary(
    `${name}/add`,
    "AddV2",
    place("variance", variance),
    writer.float(`${name}/epsilon`, epsilon),
  );
  let inverse = writer.unary(`${name}/Rsqrt`, "Rsqrt", shifted);
  if (gamma !== undefined)
    inverse = writer.binary(`${name}/mul`, "Mul", inverse, place("gamma_1", gamma));
  const scaled = writer.binary(`${name}/mul_1`, "Mul", x, inverse);
  const center = writer.binary(`${name}/mul_2`, "Mul", place("mean", mean), inverse);
  if (beta === undefined) return writer.binary(`${name}/sub`, "Sub", scaled, center);
  const offset = writer.binary(`${name}/sub`, "Sub", place("beta_1", beta), center);
  return writer.binary(`${name}/add_1`, "AddV2", scaled, offset);
}

/** Mean and variance over axes, kept. */
export function moments(
  writer: NodeWriter,
  path: string,
  x: Symbolic,
  axes: readonly number[],
): [Symbolic, Symbolic] {
  const mean = writer.reduce(`${path}/moments/mean`, "Mean", x, axes, true);
  const fixed = writer.unary(`${path}/moments/StopGradient`, "StopGradient", mean);
  const squares = writer.binary(`${path}/moments/SquaredDifference`, "SquaredDifference", x, fixed);
  return [mean, writer.reduce(`${path}/moments/variance`, "Mean", squares, axes, true)];
}

export const layerNormalization: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const rank = x.shape.length;
  const axes = axisOf(config.get("axis"), rank);
  const { gamma, beta } = scaleAndCenter(call);
  const isLast = axes.every((axis, i) => axis === rank - axes.length + i);
  const place = (name: string, value: Symbolic): Symbolic => {
    if (isLast || !(name.startsWith("gamma") || name.startsWith("beta"))) return value;
    const shape = x.shape.map((_, axis) =>
      axes.includes(axis) ? value.shape[axes.indexOf(axis)]! : 1,
    );
    return writer.reshape(`${path}/${name}`, value, shape);
  };
  const epsilon = config.number("epsilon", 1e-3);
  if (config.flag("rms_scaling", false)) return rmsScale(call, x, axes, epsilon, gamma);
  const [mean, variance] = moments(writer, path, x, axes);
  return scaleBy(call, x, mean, variance, epsilon, { gamma, beta }, place);
};

/** x · rsqrt(mean(x²) + epsilon) · scale. */
export function rmsScale(
  { writer, path }: LayerCall,
  x: Symbolic,
  axes: readonly number[],
  epsilon: number,
  scale: Symbolic | undefined,
): Symbolic {
  const squares = writer.unary(`${path}/Square`, "Square", x);
  const mean = writer.reduce(`${path}/Mean`, "Mean", squares, axes, true);
  const shifted = writer.binary(
    `${path}/add`,
    "AddV2",
    mean,
    writer.float(`${path}/epsilon`, epsilon),
  );
  const y = writer.binary(`${path}/mul`, "Mul", x, writer.unary(`${path}/Rsqrt`, "Rsqrt", shifted));
  return scale === undefined ? y : writer.binary(`${path}/mul_1`, "Mul", y, scale);
}

export const rmsNormalization: Translate = (call) => {
  const x = inputOf(call);
  const axes = axisOf(call.config.get("axis"), x.shape.length);
  return rmsScale(call, x, axes, call.config.number("epsilon", 1e-6), weightOf(call, "scale", 0));
};

/** Channels in groups, each normalized over its positions: [.., channels, ..] → [.., groups, channels / groups, ..]. */
export const groupNormalization: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const rank = x.shape.length;
  const [axis = rank - 1] = axisOf(config.get("axis"), rank);
  const channels = x.shape[axis] ?? 0;
  const groups = config.number("groups", 32) === -1 ? channels : config.count("groups", 32);
  if (axis < 1 || groups < 1 || channels % groups !== 0 || x.shape.slice(1).some((n) => n < 0)) {
    throw unsupported(config, `GroupNormalization of [${x.shape.join(", ")}] over axis ${axis}`);
  }
  const divided = [groups, channels / groups];
  const shape = [...x.shape.slice(0, axis), ...divided, ...x.shape.slice(axis + 1)];
  const grouped = writer.reshape(`${path}/Reshape`, x, shape);
  const axes = Array.from({ length: rank }, (_, i) => i + 1).filter((i) => i !== axis);
  const [mean, variance] = moments(writer, path, grouped, axes);
  const { gamma, beta } = scaleAndCenter(call);
  const behind = new Array<number>(rank - 1 - axis).fill(1);
  const split = (name: string, value: Symbolic): Symbolic =>
    name.startsWith("gamma") || name.startsWith("beta")
      ? writer.reshape(`${path}/${name}`, value, [...divided, ...behind])
      : value;
  const epsilon = config.number("epsilon", 1e-3);
  const y = scaleBy(call, grouped, mean, variance, epsilon, { gamma, beta }, split);
  return writer.reshape(`${path}/Reshape_1`, y, x.shape);
};

export const unitNormalization: Translate = (call) => {
  const x = inputOf(call);
  const axes = axisOf(call.config.get("axis"), x.shape.length);
  return l2Normalize(call, call.path, x, axes, 1e-12);
};

/** x / ‖x‖. Keras 3: x · min(rsqrt(Σ x²), 1 / epsilon). Keras 2: x · rsqrt(max(Σ x², epsilon)). */
export function l2Normalize(
  { writer, kerasVersion }: LayerCall,
  path: string,
  x: Symbolic,
  axes: readonly number[],
  epsilon: number,
): Symbolic {
  const squares = writer.unary(`${path}/Square`, "Square", x);
  const sum = writer.reduce(`${path}/Sum`, "Sum", squares, axes, true);
  const limit = (op: string, value: Symbolic, bound: number) =>
    writer.binary(`${path}/${op}`, op, value, writer.float(`${path}/bound`, bound));
  const rsqrt = (value: Symbolic) => writer.unary(`${path}/Rsqrt`, "Rsqrt", value);
  const inverse =
    kerasVersion >= 3
      ? limit("Minimum", rsqrt(sum), 1 / epsilon)
      : rsqrt(limit("Maximum", sum, epsilon));
  return writer.binary(`${path}/normalized`, "Mul", x, inverse);
}

/**
 * (x - mean) / max(√variance, 1e-7), or with `invert` mean + x · max(√variance, 1e-7). The statistics, from the
 * configuration or from adapt(), lie along `axis` and are the same along the others.
 */
export const normalization: Translate = (call) => {
  const { config, writer, path } = call;
  const x = inputOf(call);
  const rank = x.shape.length;
  const kept = config.has("axis") ? axisOf(config.get("axis"), rank) : [];
  const along = x.shape.map((size, axis) => (kept.includes(axis) ? size : 1));
  const statistic = (name: string, index: number): Float32Array => {
    const given = config.get(name);
    if (given !== undefined) return Float32Array.from([given].flat(8) as number[]);
    return Float32Array.from(call.weights.get(name, index).data as Float32Array);
  };
  const mean = statistic("mean", 0);
  const deviation = statistic("variance", 1).map((value) => Math.max(Math.sqrt(value), 1e-7));
  const constant = (name: string, data: Float32Array) =>
    writer.constant(`${path}/${name}`, {
      dtype: "float32",
      shape: data.length === 1 ? [] : data.length === elementCount(along) ? along : [data.length],
      data,
    });
  if (config.flag("invert", false)) {
    const scaled = writer.binary(`${path}/mul`, "Mul", x, constant("deviation", deviation));
    return writer.binary(`${path}/add`, "AddV2", scaled, constant("mean", mean));
  }
  const centered = writer.binary(`${path}/sub`, "Sub", x, constant("mean", mean));
  return writer.binary(`${path}/truediv`, "RealDiv", centered, constant("deviation", deviation));
};
