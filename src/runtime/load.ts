/**
 * From the model as the file has it to what the runtime works on: operators with their kernels, tensors with their
 * constants. All that this version cannot run is found here and reported at once.
 */
import type { TensorData } from "../base/dtype.ts";
import { GraphError, isOctavoError, UnsupportedError } from "../base/errors.ts";
import { elementCount } from "../base/shape.ts";
import type { Kernel, KernelNode, TensorInfo } from "../kernels/kernel.ts";
import { resultTypes } from "../kernels/result-types.ts";
import type { Model, Operator, Subgraph, Tensor } from "../model/ir.ts";
import type { KernelCatalog } from "./kernel-catalog.ts";
import { expandSparse } from "./sparse-constant.ts";
import { constantData } from "./tensor-data.ts";

export interface LoadedOperator {
  readonly kernel: Kernel;
  readonly isCustom: boolean;
  /** Name, version and options, with operands as the file describes them. */
  readonly node: KernelNode;
  /** Tensor indices; -1 for an absent operand. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly intermediates: readonly number[];
}

export interface LoadedSubgraph {
  readonly index: number;
  readonly name: string;
  readonly tensors: readonly TensorInfo[];
  /** By tensor index; undefined where a tensor is not constant. */
  readonly constants: readonly (TensorData | undefined)[];
  readonly operators: readonly LoadedOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Tensors that can be read after a run: inputs, outputs, and what signatures name, which may be neither. */
  readonly kept: readonly number[];
}

/**
 * Resolves operators and constants of all subgraphs.
 *
 * @throws {UnsupportedError} that lists every operator and combination that no kernel serves.
 * @throws {GraphError} for operators that contradict themselves, and for data that does not fit its tensor.
 */
export async function loadModel(
  model: Model,
  catalog: Pick<KernelCatalog, "reference">,
): Promise<LoadedSubgraph[]> {
  const missing = new Set<string>();
  const loaded: LoadedSubgraph[] = [];
  for (const [index, subgraph] of model.subgraphs.entries()) {
    loaded.push(await loadSubgraph(model, subgraph, index, catalog, missing));
  }
  if (missing.size > 0) {
    const features = [...missing].sort();
    throw new UnsupportedError({
      where: "model",
      found: `operators that this version does not run: ${features.join("; ")}`,
      expected: "operators with a kernel",
      remedy: remedyFor(features),
      features,
    });
  }
  return loaded;
}

/** Flex operators are TensorFlow's own: no kernel table has them. */
function remedyFor(features: readonly string[]): string {
  const isFlex = features.some((feature) => feature.startsWith("custom operator Flex"));
  return isFlex
    ? "Flex operators need TensorFlow itself: convert the model without Select TF ops, or register a kernel for each"
    : "Register a kernel for custom operators, or convert the model without these operators";
}

async function loadSubgraph(
  model: Model,
  subgraph: Subgraph,
  index: number,
  catalog: Pick<KernelCatalog, "reference">,
  missing: Set<string>,
): Promise<LoadedSubgraph> {
  const { tensors, constants } = await loadTensors(model, subgraph, index);
  const operators: LoadedOperator[] = [];
  for (const [at, operator] of subgraph.operators.entries()) {
    const node = retyped(nodeOf(operator, at, index, tensors), operator, tensors);
    const kernel = await catalog.reference(node.op, operator.op === "CUSTOM");
    if (kernel === undefined) {
      missing.add(operator.op === "CUSTOM" ? `custom operator ${node.op}` : node.op);
      continue;
    }
    collectUnsupported(() => kernel.check(node), missing);
    operators.push({
      kernel,
      isCustom: operator.op === "CUSTOM",
      node,
      inputs: operator.inputs,
      outputs: operator.outputs,
      intermediates: operator.intermediates ?? [],
    });
  }
  const { name, inputs, outputs } = subgraph;
  const named = model.signatures
    .filter(({ subgraphIndex }) => subgraphIndex === index)
    .flatMap((signature) => signature.outputs.map(({ tensorIndex }) => tensorIndex));
  const kept = [...new Set([...inputs, ...outputs, ...named])];
  return { index, name, tensors, constants, operators, inputs, outputs, kept };
}

function collectUnsupported(check: () => void, missing: Set<string>): void {
  try {
    check();
  } catch (error) {
    if (!isOctavoError(error, "UnsupportedError")) throw error;
    for (const feature of error.features) missing.add(feature);
  }
}

async function loadTensors(
  model: Model,
  subgraph: Subgraph,
  index: number,
): Promise<{ tensors: TensorInfo[]; constants: LoadedSubgraph["constants"] }> {
  const fedFromOutside = new Set([
    ...subgraph.inputs,
    ...subgraph.operators.flatMap((operator) => operator.outputs),
  ]);
  const tensors: TensorInfo[] = [];
  const constants: (TensorData | undefined)[] = [];
  for (const [at, tensor] of subgraph.tensors.entries()) {
    const { name, dtype, shape, shapeSignature, isVariable, quantization } = tensor;
    const buffer = model.buffers[tensor.buffer];
    const hasData = buffer !== undefined && buffer.byteLength > 0;
    const isEmptyConstant = !fedFromOutside.has(at) && !isVariable && elementCount(shape) === 0;
    const isConstant = (hasData && !fedFromOutside.has(at)) || isEmptyConstant;
    const where = `subgraph ${index}, tensor ${at} ${JSON.stringify(name)}`;
    tensors.push({
      name,
      dtype,
      shape,
      isConstant,
      isVariable,
      ...(shapeSignature === undefined ? {} : { shapeSignature }),
      ...(quantization === undefined ? {} : { quantization }),
    });
    const bytes = hasData && isConstant ? await buffer.load() : new Uint8Array(0);
    constants.push(isConstant ? denseData(where, tensor, bytes) : undefined);
  }
  return { tensors, constants };
}

/** Kernels see dense constants only: sparse ones are expanded here. */
function denseData(where: string, tensor: Tensor, bytes: Uint8Array): TensorData {
  const { dtype, shape, sparsity } = tensor;
  const isSparse = sparsity !== undefined && bytes.byteLength > 0;
  const dense = isSparse ? expandSparse(where, dtype, shape, sparsity, bytes) : bytes;
  return constantData(where, dtype, shape, dense);
}

function nodeOf(
  operator: Operator,
  at: number,
  subgraphIndex: number,
  tensors: readonly TensorInfo[],
): KernelNode {
  const op = operator.op === "CUSTOM" ? (operator.customCode ?? "") : operator.op;
  const where = `subgraph ${subgraphIndex}, operator ${at} (${op})`;
  return {
    op,
    where,
    version: operator.version,
    ...(operator.options === undefined ? {} : { options: operator.options }),
    ...(operator.options2 === undefined ? {} : { options2: operator.options2 }),
    ...(operator.customOptions === undefined ? {} : { customOptions: operator.customOptions }),
    inputs: operator.inputs.map((index) =>
      index < 0 ? undefined : tensorAt(tensors, index, where),
    ),
    outputs: operator.outputs.map((index) => tensorAt(tensors, index, where)),
    intermediates: (operator.intermediates ?? []).map((index) => tensorAt(tensors, index, where)),
  };
}

/** The node with its results in the types that the operator gives them; `tensors` follow, for the operators to come. */
function retyped(node: KernelNode, operator: Operator, tensors: TensorInfo[]): KernelNode {
  if (operator.op === "CUSTOM") return node;
  const types = resultTypes(node);
  const outputs = node.outputs.map((output, position) => {
    const dtype = types[position] ?? output.dtype;
    if (dtype === output.dtype) return output;
    const changed = { ...output, dtype };
    tensors[operator.outputs[position]!] = changed;
    return changed;
  });
  return { ...node, outputs };
}

function tensorAt(tensors: readonly TensorInfo[], index: number, where: string): TensorInfo {
  const tensor = tensors[index];
  if (tensor !== undefined) return tensor;
  throw new GraphError({
    where,
    found: `tensor index ${index}`,
    expected: `an index below ${tensors.length}`,
  });
}
