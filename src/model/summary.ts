/**
 * What a model is made of, as plain data: operators with the way they compute, tensors, where the bytes are. For
 * `octavo inspect`; nothing here loads constant data.
 */
import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Model, Operator, Quantization, Subgraph, Tensor } from "./ir.ts";

/**
 * How an operator computes. "hybrid": integer weights, float activations, multiplied as integers. "weight_only" and
 * "float16": float arithmetic on constants that a DEQUANTIZE widens. "integer": quantized activations throughout.
 * "other": no real numbers at all (indices, shapes, strings), or a conversion between types.
 */
export type ComputeKind = "float" | "hybrid" | "weight_only" | "float16" | "integer" | "other";

export interface PortSummary {
  readonly name: string;
  readonly tensor: number;
  readonly dtype: DType;
  /** -1 where a dimension may be resized. */
  readonly shape: Shape;
  readonly quantization?: QuantizationSummary;
}

export interface QuantizationSummary {
  readonly granularity: "tensor" | "channel" | "custom";
  /** Axis of the channels. */
  readonly axis?: number;
  readonly scaleMin?: number;
  readonly scaleMax?: number;
  /** Where all channels have the same. */
  readonly zeroPoint?: number;
}

export interface TensorSummary extends PortSummary {
  readonly isVariable: boolean;
  /** Bytes of constant data; 0 for what is computed. */
  readonly byteLength: number;
}

export interface OperatorSummary {
  readonly op: string;
  readonly version: number;
  readonly kind: ComputeKind;
  /** Tensor indices; -1 for an optional operand that is not there. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Constants that it is the first to read, those behind a DEQUANTIZE included. */
  readonly constantBytes: number;
}

export interface SubgraphSummary {
  readonly name: string;
  readonly inputs: readonly PortSummary[];
  readonly outputs: readonly PortSummary[];
  readonly operators: readonly OperatorSummary[];
  readonly tensors: readonly TensorSummary[];
}

/** All operators of one name. */
export interface OpSummary {
  readonly op: string;
  readonly versions: readonly number[];
  readonly count: number;
  readonly kinds: Readonly<Partial<Record<ComputeKind, number>>>;
  readonly constantBytes: number;
}

export interface ModelSummary {
  readonly schemaVersion: number;
  readonly description: string;
  readonly operatorCount: number;
  /** By operator name, the largest in bytes first. */
  readonly operators: readonly OpSummary[];
  /** Constants by element type, the largest in bytes first. Shared data is counted once. */
  readonly constants: readonly {
    readonly dtype: DType;
    readonly count: number;
    readonly byteLength: number;
  }[];
  readonly constantBytes: number;
  readonly subgraphs: readonly SubgraphSummary[];
  readonly signatures: readonly {
    readonly key: string;
    readonly subgraph: number;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  }[];
  readonly metadata: readonly { readonly name: string; readonly byteLength: number }[];
}

/** Describes a model. */
export function summarizeModel(model: Model): ModelSummary {
  const subgraphs = model.subgraphs.map((subgraph) => summarizeSubgraph(model, subgraph));
  const constants = constantsByType(model);
  return {
    schemaVersion: model.version,
    description: model.description,
    operatorCount: subgraphs.reduce((sum, { operators }) => sum + operators.length, 0),
    operators: operatorsByName(subgraphs),
    constants,
    constantBytes: constants.reduce((sum, { byteLength }) => sum + byteLength, 0),
    subgraphs,
    signatures: model.signatures.map(({ key, subgraphIndex, inputs, outputs }) => ({
      key,
      subgraph: subgraphIndex,
      inputs: inputs.map(({ name }) => name),
      outputs: outputs.map(({ name }) => name),
    })),
    metadata: model.metadata.map(({ name, buffer }) => ({
      name,
      byteLength: model.buffers[buffer]?.byteLength ?? 0,
    })),
  };
}

function summarizeSubgraph(model: Model, subgraph: Subgraph): SubgraphSummary {
  const { name, tensors, operators } = subgraph;
  const byteLengthOf = (tensor: Tensor): number => model.buffers[tensor.buffer]?.byteLength ?? 0;
  const port = (index: number): PortSummary[] => {
    const tensor = tensors[index];
    return tensor === undefined ? [] : [portOf(tensor, index)];
  };
  const widened = new Map<number, Tensor>();
  for (const { op, inputs, outputs } of operators) {
    const source = tensors[inputs[0] ?? -1];
    if (op === "DEQUANTIZE" && source !== undefined && byteLengthOf(source) > 0) {
      widened.set(outputs[0] ?? -1, source);
    }
  }
  const counted = new Set<number>();
  return {
    name,
    inputs: subgraph.inputs.flatMap(port),
    outputs: subgraph.outputs.flatMap(port),
    operators: operators.map((operator) => ({
      op: nameOf(operator),
      version: operator.version,
      kind: kindOf(operator, tensors, widened, byteLengthOf),
      inputs: operator.inputs,
      outputs: operator.outputs,
      constantBytes: firstReadBytes(operator, tensors, widened, counted, byteLengthOf),
    })),
    tensors: tensors.map((tensor, index) => ({
      ...portOf(tensor, index),
      isVariable: tensor.isVariable,
      byteLength: byteLengthOf(tensor),
    })),
  };
}

function nameOf({ op, customCode }: Operator): string {
  return op === "CUSTOM" ? (customCode ?? op) : op;
}

function portOf(tensor: Tensor, index: number): PortSummary {
  const quantization = summarizeQuantization(tensor.quantization);
  return {
    name: tensor.name,
    tensor: index,
    dtype: tensor.dtype,
    shape: tensor.shapeSignature ?? tensor.shape,
    ...(quantization === undefined ? {} : { quantization }),
  };
}

function summarizeQuantization(
  quantization: Quantization | undefined,
): QuantizationSummary | undefined {
  if (quantization === undefined) return undefined;
  const { scale, zeroPoint, quantizedDimension, details } = quantization;
  if (scale.length === 0) return details === undefined ? undefined : { granularity: "custom" };
  const [first] = zeroPoint;
  const isShared = first !== undefined && zeroPoint.every((value) => value === first);
  return {
    ...(scale.length === 1
      ? { granularity: "tensor" }
      : { granularity: "channel", axis: quantizedDimension }),
    scaleMin: scale.reduce((least, value) => Math.min(least, value)),
    scaleMax: scale.reduce((most, value) => Math.max(most, value)),
    ...(isShared ? { zeroPoint: first } : {}),
  };
}

type ByteLengthOf = (tensor: Tensor) => number;

/** Types that stand for real numbers when they have a scale. */
const INTEGER_TYPES: ReadonlySet<DType> = new Set([
  "int8",
  "uint8",
  "int16",
  "int4",
  "uint4",
  "int2",
]);

function kindOf(
  { op, inputs, outputs }: Operator,
  tensors: readonly Tensor[],
  widened: ReadonlyMap<number, Tensor>,
  byteLengthOf: ByteLengthOf,
): ComputeKind {
  if (op === "DEQUANTIZE" || op === "QUANTIZE" || op === "CAST") return "other";
  const operands = [...inputs, ...outputs].flatMap((index) => tensors[index] ?? []);
  const isQuantized = ({ dtype, quantization }: Tensor): boolean =>
    INTEGER_TYPES.has(dtype) && summarizeQuantization(quantization) !== undefined;
  const computesFloats = operands.some(
    (tensor) => tensor.dtype === "float32" && byteLengthOf(tensor) === 0,
  );
  if (!computesFloats) {
    if (operands.some(isQuantized)) return "integer";
    return operands.some(({ dtype }) => dtype === "float32") ? "float" : "other";
  }
  const sources = inputs.flatMap((index) => widened.get(index)?.dtype ?? []);
  if (sources.some((dtype) => INTEGER_TYPES.has(dtype))) return "weight_only";
  if (sources.includes("float16")) return "float16";
  const hasIntegerWeights = inputs
    .flatMap((index) => tensors[index] ?? [])
    .some((tensor) => isQuantized(tensor) && byteLengthOf(tensor) > 0);
  return hasIntegerWeights ? "hybrid" : "float";
}

function firstReadBytes(
  { op, inputs }: Operator,
  tensors: readonly Tensor[],
  widened: ReadonlyMap<number, Tensor>,
  counted: Set<number>,
  byteLengthOf: ByteLengthOf,
): number {
  let bytes = 0;
  for (const index of inputs) {
    const tensor = widened.get(index) ?? tensors[index];
    // What DEQUANTIZE reads belongs to whoever reads its result.
    if (tensor === undefined || op === "DEQUANTIZE" || counted.has(tensor.buffer)) continue;
    counted.add(tensor.buffer);
    bytes += byteLengthOf(tensor);
  }
  return bytes;
}

function operatorsByName(subgraphs: readonly SubgraphSummary[]): OpSummary[] {
  const byName = new Map<string, OperatorSummary[]>();
  for (const operator of subgraphs.flatMap(({ operators }) => operators)) {
    const group = byName.get(operator.op);
    if (group === undefined) byName.set(operator.op, [operator]);
    else group.push(operator);
  }
  return [...byName]
    .map(([op, group]): OpSummary => {
      const kinds: Partial<Record<ComputeKind, number>> = {};
      for (const { kind } of group) kinds[kind] = (kinds[kind] ?? 0) + 1;
      return {
        op,
        versions: [...new Set(group.map(({ version }) => version))].sort((a, b) => a - b),
        count: group.length,
        kinds,
        constantBytes: group.reduce((sum, { constantBytes }) => sum + constantBytes, 0),
      };
    })
    .sort((a, b) => b.constantBytes - a.constantBytes || b.count - a.count);
}

function constantsByType({ subgraphs, buffers }: Model): ModelSummary["constants"] {
  const dtypes = new Map<number, DType>();
  for (const { buffer, dtype } of subgraphs.flatMap(({ tensors }) => tensors)) {
    if ((buffers[buffer]?.byteLength ?? 0) > 0) dtypes.set(buffer, dtype);
  }
  const totals = new Map<DType, { count: number; byteLength: number }>();
  for (const [buffer, dtype] of dtypes) {
    const total = totals.get(dtype) ?? { count: 0, byteLength: 0 };
    total.count++;
    total.byteLength += buffers[buffer]?.byteLength ?? 0;
    totals.set(dtype, total);
  }
  return [...totals]
    .map(([dtype, total]) => ({ dtype, ...total }))
    .sort((a, b) => b.byteLength - a.byteLength);
}
