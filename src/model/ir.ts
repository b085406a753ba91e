/**
 * The TFLite-level IR: what a .tflite file says, as plain data that passes transform. Nothing is dropped: whatever the
 * reader does not interpret is carried along in the schema's own records. Passes return new objects; they do not change
 * the ones they were given.
 *
 * Operator options keep the spelling of the schema (`stride_w`, `fused_activation_function`), so that the schema is
 * their documentation; everything else is camelCase.
 */
import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type {
  BuiltinOperatorName,
  BuiltinOptions,
  BuiltinOptions2,
  ExternalBuffer,
  ExternalBufferGroup,
  QuantizationDetails,
  SparsityParameters,
  VariantSubType,
} from "../formats/tflite/schema.gen.ts";

/** Constant data. Large files keep theirs on disk until `load` is called; resident data has `bytes`. */
export interface Buffer {
  readonly byteLength: number;
  /** The data when it is in memory already. */
  readonly bytes?: Uint8Array;
  /** The data, from memory or from wherever it is. Callers must not change it. */
  load(): Promise<Uint8Array>;
  /** Fills `target` with the bytes from `start` on; there where the data is not in memory. */
  readonly loadInto?: (start: number, target: Uint8Array) => Promise<void>;
}

/** real = scale × (q − zeroPoint). Empty arrays mean that the table says nothing of the kind. */
export interface Quantization {
  readonly scale: Float32Array;
  /** As many as scales, or empty. int32 in practice; kept as numbers. */
  readonly zeroPoint: readonly number[];
  /** Calibrated range per tensor or channel, as some tools leave it. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  /** Axis of `scale` when it has more than one entry. */
  readonly quantizedDimension: number;
  /** Custom or block-wise quantization, as the schema has it. */
  readonly details?: QuantizationDetails;
}

export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** The shape with -1 where a dimension may be resized; absent when the file has none. */
  readonly shapeSignature?: Shape;
  /** Index into `Model.buffers`; 0 is the empty buffer. */
  readonly buffer: number;
  readonly isVariable: boolean;
  readonly quantization?: Quantization;
  readonly sparsity?: SparsityParameters;
  readonly hasRank: boolean;
  readonly variantTensors?: readonly VariantSubType[];
  /** Id of an entry of `Model.externalBuffers`; absent when the data, if any, is in this file. */
  readonly externalBuffer?: number;
}

export interface Operator {
  readonly op: BuiltinOperatorName;
  /** Name of the operator when `op` is CUSTOM. */
  readonly customCode?: string;
  readonly version: number;
  /** Tensor indices in the subgraph; -1 for an optional operand that is not there. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly intermediates?: readonly number[];
  readonly mutatingVariableInputs?: readonly boolean[];
  readonly options?: BuiltinOptions;
  readonly options2?: BuiltinOptions2;
  readonly customOptions?: Uint8Array;
  /** Custom options that the file keeps outside the flatbuffer. */
  readonly largeCustomOptions?: Buffer;
  readonly debugMetadataIndex?: number;
}

export interface Subgraph {
  readonly name: string;
  readonly tensors: readonly Tensor[];
  readonly operators: readonly Operator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly debugMetadataIndex?: number;
}

/** A signature's name for an input or output. */
export interface TensorMap {
  readonly name: string;
  readonly tensorIndex: number;
}

/** A named way to call a subgraph. */
export interface Signature {
  readonly key: string;
  readonly inputs: readonly TensorMap[];
  readonly outputs: readonly TensorMap[];
  readonly subgraphIndex: number;
}

export interface Metadata {
  readonly name: string;
  readonly buffer: number;
}

/** One entry of the file's operator table, kept so that order and unused entries survive a rewrite. */
export interface OperatorCode {
  readonly op: BuiltinOperatorName;
  readonly customCode?: string;
  readonly version: number;
}

export interface Model {
  readonly version: number;
  readonly description: string;
  readonly operatorCodes: readonly OperatorCode[];
  readonly subgraphs: readonly Subgraph[];
  readonly buffers: readonly Buffer[];
  readonly metadata: readonly Metadata[];
  /** Deprecated list of metadata buffer indices, kept when present. */
  readonly metadataBuffers?: readonly number[];
  readonly signatures: readonly Signature[];
  /** Constant data in other files, as the schema has it. */
  readonly externalBufferGroups?: readonly ExternalBufferGroup[];
  readonly externalBuffers?: readonly ExternalBuffer[];
  /**
   * The ZIP archive behind the flatbuffer in which TensorFlow Lite's metadata tools keep label files and the like.
   * Its offsets count from its own start.
   */
  readonly associatedFiles?: Buffer;
}

/** Wraps bytes that are in memory. */
export function residentBuffer(bytes: Uint8Array): Buffer {
  return { byteLength: bytes.byteLength, bytes, load: async () => bytes };
}

/** The empty buffer, index 0 of every model. */
export const EMPTY_BUFFER: Buffer = residentBuffer(new Uint8Array(0));
