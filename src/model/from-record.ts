/**
 * The schema's records to the IR: names instead of codes, operators with their code resolved, constant data as
 * `Buffer`s wherever the file keeps it. Nothing is checked here that the IR can express; see `verify.ts`.
 */
import type { DType } from "../base/dtype.ts";
import { FormatError, UnsupportedError } from "../base/errors.ts";
import { LeftOut } from "../formats/flatbuffer/byte-window.ts";
import type * as schema from "../formats/tflite/schema.gen.ts";
import { BUILTIN_OPERATOR, type TensorType } from "../formats/tflite/schema.gen.ts";
import {
  type Buffer,
  EMPTY_BUFFER,
  type Metadata,
  type Model,
  type Operator,
  type OperatorCode,
  type Quantization,
  residentBuffer,
  type Signature,
  type Subgraph,
  type Tensor,
  type TensorMap,
} from "./ir.ts";

/** The file that the records came from. */
export interface RecordFile {
  readonly name: string;
  readonly byteLength: number;
  /** Bytes of the file as a buffer; the range is inside the file. */
  range(position: number, byteLength: number): Buffer;
}

const EMPTY_FLOATS = new Float32Array(0);

/**
 * Builds the IR of a decoded file.
 *
 * @throws {UnsupportedError} when the schema's version is not 3
 * @throws {FormatError} when an operator names an operator code that is not there, or data lies outside the file
 */
export function modelFromRecord(record: schema.Model, file: RecordFile): Model {
  if (record.version !== 3) {
    throw new UnsupportedError({
      where: file.name,
      found: `schema version ${record.version}`,
      expected: "version 3",
      remedy: "Convert the original model again",
      features: [`schema version ${record.version}`],
    });
  }
  const operatorCodes = (record.operator_codes ?? []).map((code) => toOperatorCode(code, file));
  return {
    version: record.version,
    description: record.description ?? "",
    operatorCodes,
    subgraphs: (record.subgraphs ?? []).map((subgraph, index) =>
      toSubgraph(subgraph, operatorCodes, { ...file, name: `${file.name}, subgraph ${index}` }),
    ),
    buffers: toBuffers(record.buffers ?? [], file),
    metadata: (record.metadata ?? []).map(toMetadata),
    ...(record.metadata_buffer === undefined ? {} : { metadataBuffers: record.metadata_buffer }),
    signatures: (record.signature_defs ?? []).map(toSignature),
    ...(record.external_buffer_groups === undefined
      ? {}
      : { externalBufferGroups: record.external_buffer_groups }),
    ...(record.external_buffers === undefined ? {} : { externalBuffers: record.external_buffers }),
  };
}

/** Codes up to 127 stand in the old one-byte field, later ones in the new field; old writers leave the new one at 0. */
function toOperatorCode(record: schema.OperatorCode, file: RecordFile): OperatorCode {
  const code = Math.max(
    record.deprecated_builtin_code,
    BUILTIN_OPERATOR.indexOf(record.builtin_code),
  );
  const op = BUILTIN_OPERATOR[code];
  if (op === undefined) {
    throw formatError(`${file.name}, operator code`, `${code}`, "a known operator");
  }
  return {
    op,
    version: record.version,
    ...(record.custom_code === undefined ? {} : { customCode: record.custom_code }),
  };
}

function toSubgraph(
  record: schema.SubGraph,
  codes: readonly OperatorCode[],
  file: RecordFile,
): Subgraph {
  return {
    name: record.name ?? "",
    tensors: (record.tensors ?? []).map((tensor, index) => toTensor(tensor, index, file)),
    operators: (record.operators ?? []).map((operator, index) =>
      toOperator(operator, index, codes, file),
    ),
    inputs: record.inputs ?? [],
    outputs: record.outputs ?? [],
    ...(record.debug_metadata_index === -1
      ? {}
      : { debugMetadataIndex: record.debug_metadata_index }),
  };
}

/** The schema spells element types in upper case, everything else here in lower case. */
export function dtypeOf(type: TensorType): DType {
  return type.toLowerCase() as Lowercase<TensorType>;
}

function toTensor(record: schema.Tensor, index: number, file: RecordFile): Tensor {
  return {
    name: record.name ?? "",
    dtype: dtypeOf(record.type),
    shape: record.shape ?? [],
    ...(record.shape_signature === undefined ? {} : { shapeSignature: record.shape_signature }),
    buffer: record.buffer,
    isVariable: record.is_variable,
    ...(record.quantization === undefined
      ? {}
      : {
          quantization: toQuantization(record.quantization, `${file.name}, tensor ${index}`),
        }),
    ...(record.sparsity === undefined ? {} : { sparsity: record.sparsity }),
    hasRank: record.has_rank,
    ...(record.variant_tensors === undefined ? {} : { variantTensors: record.variant_tensors }),
    ...(record.external_buffer === 0 ? {} : { externalBuffer: record.external_buffer }),
  };
}

function toQuantization(record: schema.QuantizationParameters, where: string): Quantization {
  return {
    scale: record.scale ?? EMPTY_FLOATS,
    zeroPoint: (record.zero_point ?? []).map((value) => toNumber(value, `${where}, zero point`)),
    min: record.min ?? EMPTY_FLOATS,
    max: record.max ?? EMPTY_FLOATS,
    quantizedDimension: record.quantized_dimension,
    ...(record.details === undefined ? {} : { details: record.details }),
  };
}

function toOperator(
  record: schema.Operator,
  index: number,
  codes: readonly OperatorCode[],
  file: RecordFile,
): Operator {
  const where = `${file.name}, operator ${index}`;
  const code = codes[record.opcode_index];
  if (code === undefined) {
    throw formatError(
      where,
      `operator code index ${record.opcode_index}`,
      `less than ${codes.length}`,
    );
  }
  return {
    ...code,
    inputs: record.inputs ?? [],
    outputs: record.outputs ?? [],
    ...(record.intermediates === undefined ? {} : { intermediates: record.intermediates }),
    ...(record.mutating_variable_inputs === undefined
      ? {}
      : { mutatingVariableInputs: record.mutating_variable_inputs }),
    ...(record.builtin_options === undefined ? {} : { options: record.builtin_options }),
    ...(record.builtin_options_2 === undefined ? {} : { options2: record.builtin_options_2 }),
    ...(record.custom_options === undefined ? {} : { customOptions: record.custom_options }),
    ...largeCustomOptions(record, where, file),
    ...(record.debug_metadata_index === -1
      ? {}
      : { debugMetadataIndex: record.debug_metadata_index }),
  };
}

function largeCustomOptions(
  record: schema.Operator,
  where: string,
  file: RecordFile,
): { readonly largeCustomOptions?: Buffer } {
  const { large_custom_options_offset: offset, large_custom_options_size: size } = record;
  return isOutside(offset)
    ? { largeCustomOptions: outsideRange(offset, size, `${where}, custom options`, file) }
    : {};
}

/** A model without any constant may leave out even the empty buffer. Entries that share their data stay shared. */
function toBuffers(records: readonly schema.Buffer[], file: RecordFile): Buffer[] {
  if (records.length === 0) return [EMPTY_BUFFER];
  const known = new Map<Uint8Array | string, Buffer>();
  return records.map((record, index) => {
    const place = `${record.offset} ${record.size}`;
    const key = isOutside(record.offset) ? place : (record.data ?? place);
    const buffer = known.get(key) ?? toBuffer(record, index, file);
    known.set(key, buffer);
    return buffer;
  });
}

function toBuffer(record: schema.Buffer, index: number, file: RecordFile): Buffer {
  if (isOutside(record.offset)) {
    return outsideRange(record.offset, record.size, `${file.name}, buffer ${index}`, file);
  }
  const data: unknown = record.data;
  if (data instanceof LeftOut) return file.range(data.position, data.byteLength);
  return record.data === undefined || record.data.byteLength === 0
    ? EMPTY_BUFFER
    : residentBuffer(record.data);
}

/** Offsets 0 and 1 mean that the data is not outside the flatbuffer. */
function isOutside(offset: bigint): boolean {
  return offset > 1n;
}

function outsideRange(offset: bigint, size: bigint, where: string, file: RecordFile): Buffer {
  if (offset + size > BigInt(file.byteLength)) {
    throw formatError(
      where,
      `bytes ${offset} to ${offset + size}`,
      `a range within the file's ${file.byteLength} bytes`,
    );
  }
  return file.range(Number(offset), Number(size));
}

function toMetadata(record: schema.Metadata): Metadata {
  return { name: record.name ?? "", buffer: record.buffer };
}

function toSignature(record: schema.SignatureDef): Signature {
  return {
    key: record.signature_key ?? "",
    inputs: (record.inputs ?? []).map(toTensorMap),
    outputs: (record.outputs ?? []).map(toTensorMap),
    subgraphIndex: record.subgraph_index,
  };
}

function toTensorMap(record: schema.TensorMap): TensorMap {
  return { name: record.name ?? "", tensorIndex: record.tensor_index };
}

function toNumber(value: bigint, where: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw formatError(where, `${value}`, "at most 53 bits");
  }
  return number;
}

function formatError(where: string, found: string, expected: string): FormatError {
  return new FormatError({
    where,
    found,
    expected,
    remedy: "The file is damaged; get it again",
    format: "tflite",
  });
}
