/**
 * What values each channel of an activation has on average, worked out from the weights alone: inputs are taken as
 * uniform in −1 … 1, values of different channels and places as independent, and sums as normal, which clipping then
 * changes. Operators whose effect is not known end the estimate; nothing is claimed about what follows them.
 */
import { viewAs } from "../../base/dtype.ts";
import { optionsAs } from "../../formats/tflite/options.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { Model, Operator, Subgraph } from "../../model/ir.ts";
import { isConstant } from "../constants.ts";
import { clipNormal, type Moments } from "./normal.ts";

/** Moments of the channels of a tensor: its last axis. */
export type ChannelMoments = readonly Moments[];

/** Mean 0, variance 1/3: uniform in −1 … 1. */
const INPUT: Moments = { mean: 0, variance: 1 / 3 };

/** A constant's values; undefined where the operand is none. */
type Values = (tensor: number | undefined) => Promise<Float32Array | undefined>;

/** Operators that keep or pick values of a channel: its moments stay about the same. */
const PRESERVING: ReadonlySet<string> = new Set([
  "AVERAGE_POOL_2D",
  "MAX_POOL_2D",
  "MEAN",
  "PAD",
  "RESHAPE",
  "SQUEEZE",
  "EXPAND_DIMS",
]);

const LIMITS: Readonly<Partial<Record<string, readonly [number, number]>>> = {
  RELU: [0, Number.POSITIVE_INFINITY],
  RELU6: [0, 6],
  RELU_N1_TO_1: [-1, 1],
};

/** Moments of the activations of a subgraph, by tensor index, as far as they can be told. */
export async function estimateActivations(
  model: Model,
  subgraph: number,
): Promise<Map<number, ChannelMoments>> {
  const graph = model.subgraphs[subgraph]!;
  const moments = new Map<number, ChannelMoments>();
  for (const input of graph.inputs) {
    const { dtype, shape } = graph.tensors[input]!;
    const channels = shape.at(-1);
    if (dtype === "float32" && channels !== undefined) {
      moments.set(input, new Array<Moments>(channels).fill(INPUT));
    }
  }
  const values: Values = async (index) => {
    const tensor = graph.tensors[index ?? -1];
    if (tensor?.dtype !== "float32" || tensor.sparsity !== undefined) return undefined;
    if (!isConstant(model, tensor)) return undefined;
    return viewAs("float32", await model.buffers[tensor.buffer]!.load()) as Float32Array;
  };
  for (const operator of graph.operators) {
    const output = operator.outputs[0];
    const estimate = await estimateOperator(graph, operator, moments, values);
    if (output !== undefined && estimate !== undefined) moments.set(output, estimate);
  }
  return moments;
}

async function estimateOperator(
  graph: Subgraph,
  operator: Operator,
  moments: ReadonlyMap<number, ChannelMoments>,
  values: Values,
): Promise<ChannelMoments | undefined> {
  const { op, inputs, outputs } = operator;
  const input = moments.get(inputs[0] ?? -1);
  if (input === undefined) return undefined;
  const limits = LIMITS[op];
  if (limits !== undefined) return input.map((channel) => clipNormal(channel, ...limits));
  const weights = await values(inputs[1]);
  switch (op) {
    case "CONV_2D":
    case "FULLY_CONNECTED":
    case "DEPTHWISE_CONV_2D": {
      if (weights === undefined) return undefined;
      const bias = await values(inputs[2]);
      const sums = op === "DEPTHWISE_CONV_2D" ? depthwiseSums : denseSums;
      return activate(operator, addBias(sums(input, weights, graph, operator), bias));
    }
    case "ADD": {
      const other = moments.get(inputs[1] ?? -1);
      if (weights !== undefined) return activate(operator, addBias(input, weights));
      return other?.length === input.length ? activate(operator, add(input, other)) : undefined;
    }
    case "MINIMUM":
      return weights?.length === input.length
        ? input.map((channel, index) =>
            clipNormal(channel, Number.NEGATIVE_INFINITY, weights[index]!),
          )
        : undefined;
    default:
      return PRESERVING.has(op)
        ? spread(input, graph.tensors[outputs[0]!]?.shape.at(-1))
        : undefined;
  }
}

/** Rows of weights float32[out, …, in] times inputs: mean Σ w·µ, variance Σ w²·σ². */
function denseSums(
  input: ChannelMoments,
  weights: Float32Array,
  graph: Subgraph,
  operator: Operator,
): ChannelMoments {
  const outputs = graph.tensors[operator.inputs[1]!]!.shape[0] ?? 0;
  const row = weights.length / outputs;
  return Array.from({ length: outputs }, (_, output): Moments => {
    let mean = 0;
    let variance = 0;
    for (let index = 0; index < row; index++) {
      const weight = weights[output * row + index]!;
      const channel = input[index % input.length]!;
      mean += weight * channel.mean;
      variance += weight * weight * channel.variance;
    }
    return { mean, variance };
  });
}

/** Columns of weights float32[1, h, w, out]; output channel o reads input channel ⌊o·in/out⌋. */
function depthwiseSums(
  input: ChannelMoments,
  weights: Float32Array,
  graph: Subgraph,
  operator: Operator,
): ChannelMoments {
  const outputs = graph.tensors[operator.inputs[1]!]!.shape.at(-1) ?? 0;
  return Array.from({ length: outputs }, (_, output): Moments => {
    const channel = input[Math.floor((output * input.length) / outputs)]!;
    let sum = 0;
    let squares = 0;
    for (let index = output; index < weights.length; index += outputs) {
      sum += weights[index]!;
      squares += weights[index]! * weights[index]!;
    }
    return { mean: sum * channel.mean, variance: squares * channel.variance };
  });
}

function addBias(sums: ChannelMoments, bias: Float32Array | undefined): ChannelMoments {
  if (bias === undefined || bias.length === 0) return sums;
  return sums.map(({ mean, variance }, channel) => ({
    mean: mean + bias[channel % bias.length]!,
    variance,
  }));
}

function add(a: ChannelMoments, b: ChannelMoments): ChannelMoments {
  return a.map(({ mean, variance }, channel) => ({
    mean: mean + b[channel]!.mean,
    variance: variance + b[channel]!.variance,
  }));
}

function activate(operator: Operator, sums: ChannelMoments): ChannelMoments | undefined {
  const activation = activationOf(operator);
  if (activation === "NONE") return sums;
  const limits = LIMITS[activation];
  return limits && sums.map((channel) => clipNormal(channel, ...limits));
}

function activationOf({ op, options }: Operator): ActivationFunctionType {
  const fused =
    op === "CONV_2D"
      ? optionsAs(options, "Conv2DOptions")
      : op === "DEPTHWISE_CONV_2D"
        ? optionsAs(options, "DepthwiseConv2DOptions")
        : op === "FULLY_CONNECTED"
          ? optionsAs(options, "FullyConnectedOptions")
          : optionsAs(options, "AddOptions");
  return fused?.fused_activation_function ?? "NONE";
}

/** Flattening puts the channels of all places side by side, again and again in the same order. */
function spread(input: ChannelMoments, channels: number | undefined): ChannelMoments | undefined {
  if (channels === undefined || channels % input.length !== 0) return undefined;
  return Array.from({ length: channels }, (_, channel) => input[channel % input.length]!);
}
