/**
 * The IR to the schema's records. Constant data is not part of the result: the caller says, per buffer, where the file
 * will have it.
 */
import { assert } from "../base/errors.ts";
import type { TailVector } from "../formats/flatbuffer/encode.ts";
import type * as schema from "../formats/tflite/schema.gen.ts";
import { BUILTIN_OPERATOR, type TensorType } from "../formats/tflite/schema.gen.ts";
import type { Model, Operator, OperatorCode, Quantization, Subgraph, Tensor } from "./ir.ts";

/** Where the file will have a buffer: right behind the flatbuffer as a part of it, outside of it, or nowhere. */
export interface BufferPlace {
  readonly data?: TailVector;
  readonly offset: bigint;
  readonly size: bigint;
}

/** Places of all constant data. */
export interface Placement {
  readonly buffers: readonly BufferPlace[];
  /** For operators with `largeCustomOptions`; the offset counts from the file's start. */
  largeCustomOptions(operator: Operator): BufferPlace;
}

/** A record of `schema.Model` in which buffers' data may be `TailVector`s. */
export type ModelRecord = Omit<schema.Model, "buffers"> & {
  readonly buffers: readonly BufferPlace[];
};

/** The last code that fits the old one-byte field; it stands there for all later codes. */
const PLACEHOLDER = BUILTIN_OPERATOR.indexOf("PLACEHOLDER_FOR_GREATER_OP_CODES");

export function modelToRecord(model: Model, placement: Placement): ModelRecord {
  const codes = operatorCodesOf(model);
  const indexOf = new Map(codes.map((code, index) => [keyOf(code), index] as const).reverse());
  return {
    version: model.version,
    operator_codes: codes.map(fromOperatorCode),
    subgraphs: model.subgraphs.map((subgraph) => fromSubgraph(subgraph, indexOf, placement)),
    description: model.description,
    buffers: placement.buffers,
    ...(model.metadataBuffers === undefined ? {} : { metadata_buffer: model.metadataBuffers }),
    metadata: model.metadata.map(({ name, buffer }) => ({ name, buffer })),
    signature_defs: model.signatures.map((signature) => ({
      inputs: signature.inputs.map(fromTensorMap),
      outputs: signature.outputs.map(fromTensorMap),
      signature_key: signature.key,
      subgraph_index: signature.subgraphIndex,
    })),
    ...(model.externalBufferGroups === undefined
      ? {}
      : { external_buffer_groups: model.externalBufferGroups }),
    ...(model.externalBuffers === undefined ? {} : { external_buffers: model.externalBuffers }),
  };
}

/** The model's operator table, with the codes behind it that its operators use and the table lacks. */
export function operatorCodesOf(model: Model): OperatorCode[] {
  const codes = [...model.operatorCodes];
  const known = new Set(codes.map(keyOf));
  for (const { operators } of model.subgraphs) {
    for (const { op, customCode, version } of operators) {
      const code = { op, version, ...(customCode === undefined ? {} : { customCode }) };
      if (known.has(keyOf(code))) continue;
      known.add(keyOf(code));
      codes.push(code);
    }
  }
  return codes;
}

function keyOf({ op, version, customCode }: OperatorCode): string {
  return customCode === undefined ? `${op} ${version}` : `${op} ${version} ${customCode}`;
}

/** Readers of before schema 3a know only the one-byte field, so both are written. */
function fromOperatorCode({ op, customCode, version }: OperatorCode): schema.OperatorCode {
  return {
    deprecated_builtin_code: Math.min(BUILTIN_OPERATOR.indexOf(op), PLACEHOLDER),
    ...(customCode === undefined ? {} : { custom_code: customCode }),
    version,
    builtin_code: op,
  };
}

function fromSubgraph(
  subgraph: Subgraph,
  codes: ReadonlyMap<string, number>,
  placement: Placement,
): schema.SubGraph {
  return {
    tensors: subgraph.tensors.map(fromTensor),
    inputs: subgraph.inputs,
    outputs: subgraph.outputs,
    operators: subgraph.operators.map((operator) => fromOperator(operator, codes, placement)),
    name: subgraph.name,
    debug_metadata_index: subgraph.debugMetadataIndex ?? -1,
  };
}

function fromTensor(tensor: Tensor): schema.Tensor {
  const { quantization, sparsity, shapeSignature, variantTensors } = tensor;
  return {
    shape: tensor.shape,
    type: tensor.dtype.toUpperCase() as TensorType,
    buffer: tensor.buffer,
    name: tensor.name,
    ...(quantization === undefined ? {} : { quantization: fromQuantization(quantization) }),
    is_variable: tensor.isVariable,
    ...(sparsity === undefined ? {} : { sparsity }),
    ...(shapeSignature === undefined ? {} : { shape_signature: shapeSignature }),
    has_rank: tensor.hasRank,
    ...(variantTensors === undefined ? {} : { variant_tensors: variantTensors }),
    external_buffer: tensor.externalBuffer ?? 0,
  };
}

function fromQuantization(quantization: Quantization): schema.QuantizationParameters {
  const { scale, zeroPoint, min, max, details, quantizedDimension } = quantization;
  return {
    ...(min.length === 0 ? {} : { min }),
    ...(max.length === 0 ? {} : { max }),
    ...(scale.length === 0 ? {} : { scale }),
    ...(zeroPoint.length === 0 ? {} : { zero_point: zeroPoint.map(BigInt) }),
    ...(details === undefined ? {} : { details }),
    quantized_dimension: quantizedDimension,
  };
}

function fromOperator(
  operator: Operator,
  codes: ReadonlyMap<string, number>,
  placement: Placement,
): schema.Operator {
  const { intermediates, mutatingVariableInputs, options, options2, customOptions } = operator;
  const index = codes.get(keyOf(operator));
  assert(index !== undefined, `operator code of ${operator.op} in the table`);
  const large =
    operator.largeCustomOptions === undefined ? undefined : placement.largeCustomOptions(operator);
  return {
    opcode_index: index,
    inputs: operator.inputs,
    outputs: operator.outputs,
    ...(options === undefined ? {} : { builtin_options: options }),
    ...(customOptions === undefined ? {} : { custom_options: customOptions }),
    custom_options_format: "FLEXBUFFERS",
    ...(mutatingVariableInputs === undefined
      ? {}
      : { mutating_variable_inputs: mutatingVariableInputs }),
    ...(intermediates === undefined ? {} : { intermediates }),
    large_custom_options_offset: large?.offset ?? 0n,
    large_custom_options_size: large?.size ?? 0n,
    ...(options2 === undefined ? {} : { builtin_options_2: options2 }),
    debug_metadata_index: operator.debugMetadataIndex ?? -1,
  };
}

function fromTensorMap(map: {
  readonly name: string;
  readonly tensorIndex: number;
}): schema.TensorMap {
  return { name: map.name, tensor_index: map.tensorIndex };
}
