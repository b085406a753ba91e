/** Finds convolutions that feed each other channel by channel: what equalization can move scales between. */
import { optionsAs } from "../../formats/tflite/options.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { Model, Operator, Subgraph } from "../../model/ir.ts";
import { findFloatConstants } from "../constants.ts";

/** A convolution with float weights of its own. */
export interface Layer {
  readonly operator: number;
  readonly kind: "conv" | "depthwise";
  readonly weights: number;
  /** Absent where the convolution adds nothing. */
  readonly bias?: number;
  readonly activation: ActivationFunctionType;
}

/** Two layers with nothing between them but operators that scale with their input. */
export interface ChainLink {
  readonly from: Layer;
  readonly to: Layer;
}

/** Zero padding and pooling: f(s·x) = s·f(x) for every channel by itself, s > 0. */
const HOMOGENEOUS: ReadonlySet<string> = new Set(["PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D"]);
/** Activations for which the same holds, RELU6 with a limit that scales along. */
const SCALABLE: ReadonlySet<string> = new Set(["NONE", "RELU", "RELU6"]);

/** The links of one subgraph, in the order of execution. */
export function findChainLinks(model: Model, subgraph: number): ChainLink[] {
  const graph = model.subgraphs[subgraph]!;
  const layers = findLayers(model, subgraph);
  const readers = readersByTensor(graph);
  const links: ChainLink[] = [];
  for (const from of layers.values()) {
    if (!SCALABLE.has(from.activation)) continue;
    const next = followHomogeneous(graph, readers, graph.operators[from.operator]!.outputs[0]!);
    const to = next === undefined ? undefined : layers.get(next);
    if (to !== undefined && fits(graph, from, to)) links.push({ from, to });
  }
  return links;
}

/** The second layer reads as many channels as the first one makes. */
function fits({ tensors }: Subgraph, from: Layer, to: Layer): boolean {
  const made = tensors[from.weights]!.shape[from.kind === "conv" ? 0 : 3]!;
  const read = tensors[to.weights]!.shape[3]!;
  return to.kind === "conv" ? read === made : made > 0 && read % made === 0;
}

/** Convolutions whose weights and bias are dense float constants that nobody else reads, by operator index. */
function findLayers(model: Model, subgraph: number): Map<number, Layer> {
  const graph = model.subgraphs[subgraph]!;
  const constants = findFloatConstants(model, subgraph);
  const isOwn = (tensor: number | undefined): tensor is number => {
    const constant = constants.get(tensor ?? -1);
    if (constant === undefined || constant.tensor.sparsity !== undefined) return false;
    return constant.uses.length === 1 && !constant.isBoundary;
  };
  const layers = new Map<number, Layer>();
  for (const [index, operator] of graph.operators.entries()) {
    const shape = convolutionOf(graph, operator);
    const [, weights, bias = -1] = operator.inputs;
    if (shape === undefined || !isOwn(weights)) continue;
    if (graph.tensors[weights]!.shape.length !== 4) continue;
    if (bias >= 0 && !isOwn(bias)) continue;
    layers.set(index, { operator: index, ...shape, weights, ...(bias >= 0 ? { bias } : {}) });
  }
  return layers;
}

function convolutionOf(
  graph: Subgraph,
  { op, options, inputs }: Operator,
): Pick<Layer, "kind" | "activation"> | undefined {
  if (op === "DEPTHWISE_CONV_2D") {
    const depthwise = optionsAs(options, "DepthwiseConv2DOptions");
    return depthwise && { kind: "depthwise", activation: depthwise.fused_activation_function };
  }
  if (op !== "CONV_2D") return undefined;
  const conv = optionsAs(options, "Conv2DOptions");
  // Grouped convolutions read a part of the channels only: their weights are laid out differently.
  const inputChannels = graph.tensors[inputs[0]!]?.shape.at(-1);
  const isDense = graph.tensors[inputs[1]!]?.shape.at(-1) === inputChannels;
  return conv && isDense ? { kind: "conv", activation: conv.fused_activation_function } : undefined;
}

function readersByTensor(graph: Subgraph): Map<number, number[]> {
  const readers = new Map<number, number[]>();
  for (const [operator, { inputs }] of graph.operators.entries()) {
    for (const tensor of inputs) readers.set(tensor, [...(readers.get(tensor) ?? []), operator]);
  }
  return readers;
}

/** The operator that alone reads the tensor, as its first operand, past any homogeneous operators. */
function followHomogeneous(
  graph: Subgraph,
  readers: ReadonlyMap<number, readonly number[]>,
  tensor: number,
): number | undefined {
  for (let current = tensor; !graph.outputs.includes(current); ) {
    const [reader, ...others] = readers.get(current) ?? [];
    if (reader === undefined || others.length > 0) return undefined;
    const operator = graph.operators[reader]!;
    if (operator.inputs[0] !== current) return undefined;
    if (!HOMOGENEOUS.has(operator.op) || hasActivation(operator)) return reader;
    current = operator.outputs[0]!;
  }
  return undefined;
}

function hasActivation({ op, options }: Operator): boolean {
  if (op === "PAD") return false;
  return optionsAs(options, "Pool2DOptions")?.fused_activation_function !== "NONE";
}
