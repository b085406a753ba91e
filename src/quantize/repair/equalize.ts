/**
 * Cross-layer equalization: moves scale from channels with large weights to the next layer, so that all channels of a
 * layer use the range of one scale. The function of the model stays the same up to rounding (Nagel et al., "Data-Free
 * Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.1). Where the paper turns RELU6
 * into RELU, the limit of each channel is kept here: 6/s, as a MINIMUM behind the convolution.
 */
import { bytesOf, viewAs } from "../../base/dtype.ts";
import { makeOptions, optionsAs } from "../../formats/tflite/options.ts";
import {
  type Model,
  type Operator,
  residentBuffer,
  type Subgraph,
  type Tensor,
} from "../../model/ir.ts";
import { measureMagnitudes } from "../slices.ts";
import { type ChainLink, findChainLinks, type Layer } from "./chains.ts";
import { inputChannels, outputChannels, scaleChannels } from "./channels.ts";

/** Rounds over all links; scales settle geometrically. */
const MAX_ROUNDS = 40;
/** A round that changes no scale by more than this share is the last. */
const SETTLED = 1e-3;
/** Channels with no weights above this are left alone: there is no scale to move. */
const SMALLEST_RANGE = 1e-9;
const RELU6_LIMIT = 6;

/** The data of a layer, changed in place while scales move. */
interface LayerData {
  readonly layer: Layer;
  readonly weights: Float32Array;
  readonly bias?: Float32Array;
  /** Product of the divisors of each output channel so far. */
  readonly divisors: Float64Array;
}

/**
 * Equalizes every chain of the model. Returns the number of links as well: 0 means the model is the one given. Buffers
 * of the old weights stay in the list; `replaceBuffers` takes them out.
 */
export async function equalizeModel(model: Model): Promise<{ model: Model; links: number }> {
  let current = model;
  let count = 0;
  for (const subgraph of model.subgraphs.keys()) {
    const links = findChainLinks(current, subgraph);
    if (links.length === 0) continue;
    const data = await loadLayers(current, subgraph, links);
    moveScales(current.subgraphs[subgraph]!, links, data);
    current = storeLayers(current, subgraph, [...data.values()]);
    count += links.length;
  }
  return { model: current, links: count };
}

async function loadLayers(
  model: Model,
  subgraph: number,
  links: readonly ChainLink[],
): Promise<Map<Layer, LayerData>> {
  const { tensors } = model.subgraphs[subgraph]!;
  const load = async (tensor: number) => {
    const bytes = await model.buffers[tensors[tensor]!.buffer]!.load();
    return (viewAs("float32", bytes) as Float32Array).slice();
  };
  const data = new Map<Layer, LayerData>();
  for (const layer of new Set(links.flatMap(({ from, to }) => [from, to]))) {
    const { slices } = outputChannels(layer, tensors[layer.weights]!.shape);
    data.set(layer, {
      layer,
      weights: await load(layer.weights),
      ...(layer.bias === undefined ? {} : { bias: await load(layer.bias) }),
      divisors: new Float64Array(slices).fill(1),
    });
  }
  return data;
}

function moveScales(
  { tensors }: Subgraph,
  links: readonly ChainLink[],
  data: ReadonlyMap<Layer, LayerData>,
): void {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let largestChange = 0;
    for (const { from, to } of links) {
      const shapes = [tensors[from.weights]!.shape, tensors[to.weights]!.shape] as const;
      const change = equalizeLink(data.get(from)!, data.get(to)!, ...shapes);
      largestChange = Math.max(largestChange, change);
    }
    if (largestChange < SETTLED) return;
  }
}

/**
 * With r₁ᵢ the largest weight of output channel i and r₂ᵢ that of the next layer's input channel i: divides the first
 * by sᵢ = √(r₁ᵢ/r₂ᵢ) and multiplies the second with it, after which both are √(r₁ᵢ·r₂ᵢ). Returns the largest |sᵢ − 1|.
 */
function equalizeLink(
  from: LayerData,
  to: LayerData,
  fromShape: Tensor["shape"],
  toShape: Tensor["shape"],
): number {
  const outputs = outputChannels(from.layer, fromShape);
  const inputs = inputChannels(to.layer, toShape, outputs.slices);
  const first = measureMagnitudes(from.weights, outputs).largest;
  const second = measureMagnitudes(to.weights, inputs).largest;
  const factors = first.map((range, channel) => {
    const next = second[channel]!;
    return range > SMALLEST_RANGE && next > SMALLEST_RANGE ? Math.sqrt(range / next) : 1;
  });
  const divisors = factors.map((factor) => 1 / factor);
  scaleChannels(from.weights, outputs, divisors);
  if (from.bias) scaleChannels(from.bias, { outer: 1, slices: outputs.slices, inner: 1 }, divisors);
  scaleChannels(to.weights, inputs, factors);
  factors.forEach((factor, channel) => {
    from.divisors[channel]! *= factor;
  });
  return factors.reduce((most, factor) => Math.max(most, Math.abs(factor - 1)), 0);
}

/** Puts the changed data into the model, with new limits where RELU6 was. */
function storeLayers(model: Model, subgraph: number, layers: readonly LayerData[]): Model {
  const buffers = [...model.buffers];
  const graph = model.subgraphs[subgraph]!;
  const tensors = [...graph.tensors];
  const limits = new Map<number, Operator[]>();
  const store = (values: Float32Array) => buffers.push(residentBuffer(bytesOf(values))) - 1;
  for (const { layer, weights, bias, divisors } of layers) {
    tensors[layer.weights] = { ...tensors[layer.weights]!, buffer: store(weights) };
    if (bias !== undefined && layer.bias !== undefined) {
      tensors[layer.bias] = { ...tensors[layer.bias]!, buffer: store(bias) };
    }
    if (layer.activation === "RELU6" && divisors.some((divisor) => divisor !== 1)) {
      const limit = Float32Array.from(divisors, (divisor) => RELU6_LIMIT / divisor);
      const operator = graph.operators[layer.operator]!;
      limits.set(layer.operator, limitChannels(operator, tensors, limit, store));
    }
  }
  const operators = graph.operators.flatMap((operator, index) => limits.get(index) ?? [operator]);
  const subgraphs = model.subgraphs.with(subgraph, { ...graph, tensors, operators });
  return { ...model, buffers, subgraphs };
}

/** The convolution with RELU, and a MINIMUM that limits each channel and writes the old output. */
function limitChannels(
  operator: Operator,
  tensors: Tensor[],
  limit: Float32Array,
  store: (values: Float32Array) => number,
): Operator[] {
  const output = operator.outputs[0]!;
  const { name, ...shape } = tensors[output]!;
  const unlimited = tensors.push({ ...shape, name: `${name}_unlimited` }) - 1;
  const limits =
    tensors.push({
      name: `${name}_limits`,
      dtype: "float32",
      shape: [limit.length],
      buffer: store(limit),
      isVariable: false,
      hasRank: true,
    }) - 1;
  return [
    { ...withRelu(operator), outputs: [unlimited] },
    {
      op: "MINIMUM",
      version: 1,
      inputs: [unlimited, limits],
      outputs: [output],
      options: makeOptions("MaximumMinimumOptions"),
    },
  ];
}

function withRelu(operator: Operator): Operator {
  const fused_activation_function = "RELU";
  if (operator.op === "CONV_2D") {
    const value = optionsAs(operator.options, "Conv2DOptions")!;
    const options = { ...value, fused_activation_function } as const;
    return { ...operator, options: { type: "Conv2DOptions", value: options } };
  }
  const value = optionsAs(operator.options, "DepthwiseConv2DOptions")!;
  const options = { ...value, fused_activation_function } as const;
  return { ...operator, options: { type: "DepthwiseConv2DOptions", value: options } };
}
