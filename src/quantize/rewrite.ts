/**
 * Puts stored constants into the graph: retypes tensors, duplicates those that other operators go on reading as
 * floats, and adds the DEQUANTIZE operators. Indices of existing tensors do not change, so inputs, outputs and
 * signatures stay as they are.
 */
import { bytesOf } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import {
  type Buffer,
  type Model,
  type Operator,
  type Quantization,
  residentBuffer,
  type Subgraph,
  type Tensor,
} from "../model/ir.ts";
import { withAsymmetricInputs } from "./asymmetric-inputs.ts";
import type { FloatConstant, Use } from "./constants.ts";
import { sinkDequantize } from "./operator-order.ts";
import type { ConstantPlan, PlannedForm, SubgraphPlan } from "./plan.ts";
import type { QuantizedWeight } from "./quantize-weight.ts";
import { splitActivation } from "./split-activation.ts";
import type { WeightStore } from "./store.ts";

/** Applies the plans. Every planned form must be in the store. Buffers without readers stay; see `replaceBuffers`. */
export function rewriteModel(
  model: Model,
  plans: readonly SubgraphPlan[],
  store: WeightStore,
): Model {
  const buffers = new NewBuffers(model.buffers.length);
  const subgraphs = model.subgraphs.map((graph, index) =>
    rewriteSubgraph(graph, plans[index]!, store, buffers),
  );
  return { ...model, subgraphs, buffers: [...model.buffers, ...buffers.added] };
}

/** Buffers that the rewrite adds, one for each stored constant however often it is used. */
class NewBuffers {
  readonly added: Buffer[] = [];
  readonly #first: number;
  readonly #index = new Map<object, number>();

  constructor(first: number) {
    this.#first = first;
  }

  indexOf(bytes: Uint8Array, onDemand?: Buffer): number {
    const key = onDemand ?? bytes.buffer;
    const known = this.#index.get(key);
    if (known !== undefined) return known;
    const index = this.#first + this.added.length;
    this.added.push(onDemand ?? residentBuffer(bytes));
    this.#index.set(key, index);
    return index;
  }
}

/** The subgraph under construction. */
interface Draft {
  readonly tensors: Tensor[];
  readonly inputs: number[][];
  readonly dequantize: Operator[];
  readonly names: Set<string>;
}

function rewriteSubgraph(
  graph: Subgraph,
  plan: SubgraphPlan,
  store: WeightStore,
  buffers: NewBuffers,
): Subgraph {
  const draft: Draft = {
    tensors: [...graph.tensors],
    inputs: graph.operators.map(({ inputs }) => [...inputs]),
    dequantize: [],
    names: new Set(graph.tensors.map(({ name }) => name)),
  };
  for (const constant of plan.constants) {
    for (const [position, form] of constant.forms.entries()) {
      placeForm(draft, constant, form, position, store, buffers);
    }
  }
  const readsBlocks = findBlockReaders(plan);
  const operators = graph.operators.flatMap((operator, index): readonly Operator[] => {
    const flag = plan.asymmetricInputs.get(index);
    const rewired = { ...operator, inputs: draft.inputs[index]! };
    const flagged = flag === undefined ? rewired : withAsymmetricInputs(rewired, flag);
    return readsBlocks.has(index) ? splitActivation(flagged, draft.tensors) : [flagged];
  });
  const { tensors, dequantize } = draft;
  const integer = dequantize.filter(({ inputs }) => tensors[inputs[0]!]!.dtype !== "float16");
  // CALL_ONCE prepares the variables of a graph, so it stays in front of everything.
  const start = operators.findIndex(({ op }) => op !== "CALL_ONCE");
  const ordered = operators.toSpliced(Math.max(0, start), 0, ...dequantize);
  return sinkDequantize({ ...graph, tensors, operators: ordered }, integer);
}

/** Operators whose weights have a scale for every block. */
function findBlockReaders({ constants }: SubgraphPlan): Set<number> {
  const forms = constants.flatMap((constant) => constant.forms);
  const blocks = forms.filter(
    ({ format }) => "granularity" in format && format.granularity.kind === "block",
  );
  return new Set(blocks.flatMap(({ direct }) => direct.map(({ operator }) => operator)));
}

function placeForm(
  draft: Draft,
  { constant, kept }: ConstantPlan,
  form: PlannedForm,
  position: number,
  store: WeightStore,
  buffers: NewBuffers,
): void {
  const stored = store.find(constant, form.format);
  assert(stored !== undefined, `tensor ${constant.index} has no stored form`);
  const { tensor, index } = constant;
  const replaces = position === 0 && kept.length === 0;
  const quantized: Tensor = {
    ...withoutQuantization(tensor),
    name: replaces ? tensor.name : uniqueName(draft, `${tensor.name}_${form.format.dtype}`),
    dtype: form.format.dtype,
    buffer: buffers.indexOf(stored.bytes, stored.onDemand),
    ...quantizationOf(draft, constant, stored, buffers),
  };
  const at = replaces ? index : append(draft, quantized);
  if (replaces) draft.tensors[index] = quantized;
  rewire(draft, form.direct, at);
  if (form.dequantized.length === 0) return;
  const floats = append(draft, {
    ...withoutQuantization(tensor),
    name: uniqueName(draft, `${tensor.name}_dequantize`),
    buffer: 0,
  });
  draft.dequantize.push({ op: "DEQUANTIZE", version: 1, inputs: [at], outputs: [floats] });
  rewire(draft, form.dequantized, floats);
}

function rewire(draft: Draft, uses: readonly Use[], tensor: number): void {
  for (const { operator, operand } of uses) draft.inputs[operator]![operand] = tensor;
}

function append(draft: Draft, tensor: Tensor): number {
  draft.names.add(tensor.name);
  return draft.tensors.push(tensor) - 1;
}

function uniqueName({ names }: Draft, wanted: string): string {
  if (!names.has(wanted)) return wanted;
  let suffix = 1;
  while (names.has(`${wanted}_${suffix}`)) suffix++;
  return `${wanted}_${suffix}`;
}

/** A calibrated range belongs to the floats that were. */
function withoutQuantization({ quantization: _, ...tensor }: Tensor): Tensor {
  return tensor;
}

function quantizationOf(
  draft: Draft,
  { tensor }: FloatConstant,
  stored: QuantizedWeight,
  buffers: NewBuffers,
): { quantization?: Quantization } {
  const { scale, zeroPoint, quantizedDimension, blocks } = stored;
  if (scale.length === 0 && blocks === undefined) return {};
  const none = new Float32Array(0);
  const quantization = { scale, zeroPoint, min: none, max: none, quantizedDimension };
  if (blocks === undefined) return { quantization };
  const columns = tensor.shape.at(-1) ?? 0;
  const scales = append(draft, {
    ...withoutQuantization(tensor),
    name: uniqueName(draft, `${tensor.name}_scales`),
    dtype: "float16",
    shape: [...tensor.shape.slice(0, -1), columns / blocks.size],
    buffer: buffers.indexOf(bytesOf(blocks.scales)),
  });
  const value = { scales, zero_points: -1, block_size: blocks.size };
  return { quantization: { ...quantization, details: { type: "BlockwiseQuantization", value } } };
}
