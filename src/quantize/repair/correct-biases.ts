/**
 * Bias correction: quantized weights ŵ shift the mean of every output channel by Σ (ŵ − w)·E[x]; the bias takes that
 * shift back (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019,
 * section 4.2). E[x] is the estimate of `expected-activations.ts`.
 */
import { bytesOf, viewAs } from "../../base/dtype.ts";
import { type Model, type Operator, residentBuffer, type Tensor } from "../../model/ir.ts";
import { findFloatConstants } from "../constants.ts";
import type { ConstantPlan, SubgraphPlan } from "../plan.ts";
import type { WeightStore } from "../store.ts";
import { type ChannelMoments, estimateActivations } from "./expected-activations.ts";
import { restoreValues } from "./restore-values.ts";

const CORRECTED: ReadonlySet<string> = new Set(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"]);

/**
 * Returns the float model with biases that fit the stored weights; to be rewritten with the same plans. Operators
 * without a bias get one.
 */
export async function correctBiases(
  model: Model,
  plans: readonly SubgraphPlan[],
  store: WeightStore,
): Promise<{ model: Model; corrected: number }> {
  let current = model;
  let corrected = 0;
  for (const [subgraph, plan] of plans.entries()) {
    const moments = await estimateActivations(model, subgraph);
    for (const constant of plan.constants) {
      for (const [operator, shifts] of await shiftsOf(model, constant, store, moments)) {
        current = await subtractFromBias(current, subgraph, operator, shifts);
        corrected++;
      }
    }
  }
  return { model: current, corrected };
}

/** Mean shifts of the output channels of every operator that reads the constant as quantized weights. */
async function shiftsOf(
  model: Model,
  { constant, forms }: ConstantPlan,
  store: WeightStore,
  moments: ReadonlyMap<number, ChannelMoments>,
): Promise<[number, Float64Array][]> {
  const found: [number, Float64Array][] = [];
  const { operators } = model.subgraphs[constant.subgraph]!;
  for (const { format, direct, dequantized } of forms) {
    for (const { operator, operand } of [...direct, ...dequantized]) {
      const node = operators[operator]!;
      const input = moments.get(node.inputs[0] ?? -1);
      const stored = store.find(constant, format);
      if (!CORRECTED.has(node.op) || operand !== 1 || !input || !stored) continue;
      const { shape } = constant.tensor;
      const bytes = await model.buffers[constant.tensor.buffer]!.load();
      const errors = restoreValues(stored, shape, format);
      const values = viewAs("float32", bytes) as Float32Array;
      for (let index = 0; index < errors.length; index++) errors[index]! -= values[index]!;
      found.push([operator, shiftsFrom(node, errors, shape, input)]);
    }
  }
  return found;
}

function shiftsFrom(
  { op }: Operator,
  errors: Float32Array,
  shape: Tensor["shape"],
  input: ChannelMoments,
): Float64Array {
  const depthwise = op === "DEPTHWISE_CONV_2D";
  const outputs = (depthwise ? shape.at(-1) : shape[0]) ?? 0;
  const row = errors.length / outputs;
  const shifts = new Float64Array(outputs);
  for (let index = 0; index < errors.length; index++) {
    const output = depthwise ? index % outputs : Math.floor(index / row);
    const channel = depthwise
      ? Math.floor((output * input.length) / outputs)
      : index % input.length;
    shifts[output]! += errors[index]! * input[channel]!.mean;
  }
  return shifts;
}

async function subtractFromBias(
  model: Model,
  subgraph: number,
  operator: number,
  shifts: Float64Array,
): Promise<Model> {
  const graph = model.subgraphs[subgraph]!;
  const node = graph.operators[operator]!;
  const index = node.inputs[2] ?? -1;
  const bias = graph.tensors[index];
  const constant = findFloatConstants(model, subgraph).get(index);
  if (bias !== undefined && constant === undefined) return model;
  const bytes = bias && (await model.buffers[bias.buffer]!.load());
  const values = bytes
    ? (viewAs("float32", bytes) as Float32Array).slice()
    : new Float32Array(shifts.length);
  if (values.length !== shifts.length) return model;
  for (let channel = 0; channel < values.length; channel++) values[channel]! -= shifts[channel]!;
  const buffer = model.buffers.length;
  const corrected: Tensor = {
    name: bias?.name ?? `${graph.tensors[node.outputs[0]!]!.name}_bias`,
    dtype: "float32",
    shape: [values.length],
    buffer,
    isVariable: false,
    hasRank: true,
  };
  const own = bias !== undefined && constant?.uses.length === 1 && !constant.isBoundary;
  const at = own ? index : graph.tensors.length;
  const tensors = own ? graph.tensors.with(index, corrected) : [...graph.tensors, corrected];
  const inputs = [node.inputs[0]!, node.inputs[1]!, at];
  const operators = graph.operators.with(operator, { ...node, inputs });
  return {
    ...model,
    buffers: [...model.buffers, residentBuffer(bytesOf(values))],
    subgraphs: model.subgraphs.with(subgraph, { ...graph, tensors, operators }),
  };
}
