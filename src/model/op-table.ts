/**
 * Every builtin operator that TensorFlow Lite 2.21 has a kernel for: names of its operands and results, the table its
 * options are in, and the greatest version that the kernels take. Pure data, for listings, messages and checks.
 *
 * Operands are written `name`, `name?` (may be left out, as index -1 or by a shorter list), `name!` (a variable that the
 * operator updates) and `name...` (any number). Order and optionality from TensorFlow Lite's kernels; versions measured
 * with its interpreter (scripts/fixtures/probe_operator_versions.py).
 */
import type { BuiltinOptions2Name, BuiltinOptionsName } from "../formats/tflite/options.ts";
import type { BuiltinOperatorName, BuiltinOptions } from "../formats/tflite/schema.gen.ts";

export interface OperandInfo {
  readonly name: string;
  readonly isOptional: boolean;
  /** Updated in place from one invocation to the next. */
  readonly isState: boolean;
  /** Stands for all operands from here on. */
  readonly isRepeated: boolean;
}

export interface OperatorInfo {
  readonly inputs: readonly OperandInfo[];
  readonly outputs: readonly OperandInfo[];
  /** Absent where the operator has no options. */
  readonly options?: BuiltinOptionsName | BuiltinOptions2Name;
  /** Least version with a kernel: 1 except where version 1 was withdrawn. */
  readonly minVersion: number;
  readonly maxVersion: number;
}

type Row = readonly [
  operands: string,
  options: BuiltinOptionsName | BuiltinOptions2Name | undefined,
  maxVersion: number,
  minVersion?: number,
];

/**
 * What is known of the operator; undefined for CUSTOM and for operators without a kernel. LSTM has other operands when
 * its options ask for the basic kernel.
 */
export function operatorInfo(
  op: BuiltinOperatorName,
  options?: BuiltinOptions,
): OperatorInfo | undefined {
  const isBasic = options?.type === "LSTMOptions" && options.value.kernel_type === "BASIC";
  const row = op === "LSTM" && isBasic ? BASIC_LSTM : ROWS[op];
  if (row === undefined) return undefined;
  const [operands, table, maxVersion, minVersion = 1] = row;
  const [inputs = "", outputs = ""] = operands.split("->");
  return {
    inputs: toOperands(inputs),
    outputs: toOperands(outputs),
    ...(table === undefined ? {} : { options: table }),
    minVersion,
    maxVersion,
  };
}

/** The operand at `index`; undefined behind the last one. Repeated operands are all the same. */
export function operandAt(
  operands: readonly OperandInfo[],
  index: number,
): OperandInfo | undefined {
  const last = operands.at(-1);
  return operands[index] ?? (last?.isRepeated === true ? last : undefined);
}

function toOperands(text: string): OperandInfo[] {
  const words = text.split(" ").filter((word) => word !== "");
  return words.map((word) => ({
    name: word.replace(/[?!.]+$/, ""),
    isOptional: word.endsWith("?"),
    isState: word.endsWith("!"),
    isRepeated: word.endsWith("..."),
  }));
}

const UNARY = "x -> y";
const BINARY = "a b -> y";
const REDUCTION = "x axes -> y";
const SEGMENTS = "x segment_ids segment_count -> y";
/** The 20 operands that newer files have, and the four for layer normalization. */
const SEQUENCE_LSTM =
  "x to_input? to_forget to_cell to_output recurrent_input? recurrent_forget recurrent_cell recurrent_output " +
  "peephole_input? peephole_forget? peephole_output? bias_input? bias_forget bias_cell bias_output " +
  "projection? projection_bias? output_state! cell_state! norm_input? norm_forget? norm_cell? norm_output? -> y";
const BASIC_LSTM: Row = [
  "x previous_activation weights bias previous_state -> activation state concat_temp activation_temp",
  "LSTMOptions",
  4,
];
const BIDIRECTIONAL_LSTM =
  "x fw_to_input? fw_to_forget fw_to_cell fw_to_output " +
  "fw_recurrent_input? fw_recurrent_forget fw_recurrent_cell fw_recurrent_output " +
  "fw_peephole_input? fw_peephole_forget? fw_peephole_output? " +
  "fw_bias_input? fw_bias_forget fw_bias_cell fw_bias_output fw_projection? fw_projection_bias? " +
  "bw_to_input? bw_to_forget bw_to_cell bw_to_output " +
  "bw_recurrent_input? bw_recurrent_forget bw_recurrent_cell bw_recurrent_output " +
  "bw_peephole_input? bw_peephole_forget? bw_peephole_output? " +
  "bw_bias_input? bw_bias_forget bw_bias_cell bw_bias_output bw_projection? bw_projection_bias? " +
  "fw_output_state! fw_cell_state! bw_output_state! bw_cell_state! aux_x? " +
  "fw_aux_to_input? fw_aux_to_forget? fw_aux_to_cell? fw_aux_to_output? " +
  "bw_aux_to_input? bw_aux_to_forget? bw_aux_to_cell? bw_aux_to_output? -> fw_y bw_y?";
const BIDIRECTIONAL_RNN =
  "x fw_weights fw_recurrent fw_bias fw_state! bw_weights bw_recurrent bw_bias bw_state! " +
  "aux_x? fw_aux_weights? bw_aux_weights? -> fw_y bw_y?";

const ROWS: Readonly<Partial<Record<BuiltinOperatorName, Row>>> = {
  ABS: [UNARY, "AbsOptions", 5],
  ADD: [BINARY, "AddOptions", 5],
  ADD_N: ["x... -> y", "AddNOptions", 1],
  ARG_MAX: ["x axis -> y", "ArgMaxOptions", 3],
  ARG_MIN: ["x axis -> y", "ArgMinOptions", 3],
  ASSIGN_VARIABLE: ["resource value ->", "AssignVariableOptions", 1],
  ATAN2: [BINARY, "ATan2Options", 1],
  AVERAGE_POOL_2D: [UNARY, "Pool2DOptions", 3],
  BATCH_MATMUL: [BINARY, "BatchMatMulOptions", 4],
  BATCH_TO_SPACE_ND: ["x block_shape crops -> y", "BatchToSpaceNDOptions", 4],
  BIDIRECTIONAL_SEQUENCE_LSTM: [BIDIRECTIONAL_LSTM, "BidirectionalSequenceLSTMOptions", 3],
  BIDIRECTIONAL_SEQUENCE_RNN: [BIDIRECTIONAL_RNN, "BidirectionalSequenceRNNOptions", 3],
  BITCAST: [UNARY, "BitcastOptions", 1],
  BITWISE_XOR: [BINARY, "BitwiseXorOptions", 1],
  BROADCAST_ARGS: ["shape_a shape_b -> shape", undefined, 1],
  BROADCAST_TO: ["x shape -> y", "BroadcastToOptions", 3, 2],
  BUCKETIZE: [UNARY, "BucketizeOptions", 1],
  CALL_ONCE: ["->", "CallOnceOptions", 1],
  CAST: [UNARY, "CastOptions", 8],
  CEIL: [UNARY, undefined, 1],
  COMPLEX_ABS: [UNARY, undefined, 1],
  CONCATENATION: ["x... -> y", "ConcatenationOptions", 5],
  CONV_2D: ["x filter bias? -> y", "Conv2DOptions", 8],
  CONV_3D: ["x filter bias? -> y", "Conv3DOptions", 1],
  CONV_3D_TRANSPOSE: ["output_shape filter x bias? -> y", "Conv3DOptions", 1],
  COS: [UNARY, "CosOptions", 1],
  CUMSUM: ["x axis -> y", "CumsumOptions", 1],
  DENSIFY: [UNARY, "DensifyOptions", 1],
  DEPTHWISE_CONV_2D: ["x filter bias? -> y", "DepthwiseConv2DOptions", 7],
  DEPTH_TO_SPACE: [UNARY, "DepthToSpaceOptions", 2],
  DEQUANTIZE: [UNARY, "DequantizeOptions", 7],
  DILATE: ["x dilations padding_value -> y", "DilateOptions", 1],
  DIV: [BINARY, "DivOptions", 2],
  DYNAMIC_UPDATE_SLICE: ["x update start_indices -> y", "DynamicUpdateSliceOptions", 5],
  ELU: [UNARY, undefined, 1],
  EMBEDDING_LOOKUP: ["ids table -> y", undefined, 5],
  EMBEDDING_LOOKUP_SPARSE: [
    "ids indices dense_shape weights table -> y",
    "EmbeddingLookupSparseOptions",
    1,
  ],
  EQUAL: [BINARY, "EqualOptions", 5],
  EXP: [UNARY, "ExpOptions", 2],
  EXPAND_DIMS: ["x axis -> y", "ExpandDimsOptions", 1],
  FAKE_QUANT: [UNARY, "FakeQuantOptions", 2],
  FILL: ["shape value -> y", "FillOptions", 4],
  FLOOR: [UNARY, undefined, 1],
  FLOOR_DIV: [BINARY, "FloorDivOptions", 3],
  FLOOR_MOD: [BINARY, "FloorModOptions", 2],
  FULLY_CONNECTED: ["x weights bias? -> y shuffled_x?", "FullyConnectedOptions", 14],
  GATHER: ["x indices -> y", "GatherOptions", 7],
  GATHER_ND: ["x indices -> y", "GatherNdOptions", 5],
  GELU: [UNARY, "GeluOptions", 2],
  GREATER: [BINARY, "GreaterOptions", 2],
  GREATER_EQUAL: [BINARY, "GreaterEqualOptions", 3],
  HARD_SWISH: [UNARY, "HardSwishOptions", 1],
  HASHTABLE: ["-> table", "HashtableOptions", 1],
  HASHTABLE_FIND: ["table keys default -> values", "HashtableFindOptions", 1],
  HASHTABLE_IMPORT: ["table keys values ->", "HashtableImportOptions", 1],
  HASHTABLE_LOOKUP: ["lookup keys values -> y hits", undefined, 1],
  HASHTABLE_SIZE: ["table -> size", "HashtableSizeOptions", 1],
  IF: ["condition x... -> y...", "IfOptions", 1],
  IMAG: [UNARY, undefined, 1],
  L2_NORMALIZATION: [UNARY, "L2NormOptions", 2],
  L2_POOL_2D: [UNARY, "Pool2DOptions", 1],
  LEAKY_RELU: [UNARY, "LeakyReluOptions", 2],
  LESS: [BINARY, "LessOptions", 3],
  LESS_EQUAL: [BINARY, "LessEqualOptions", 2],
  LOCAL_RESPONSE_NORMALIZATION: [UNARY, "LocalResponseNormalizationOptions", 1],
  LOG: [UNARY, undefined, 2],
  LOGICAL_AND: [BINARY, "LogicalAndOptions", 1],
  LOGICAL_NOT: [UNARY, "LogicalNotOptions", 1],
  LOGICAL_OR: [BINARY, "LogicalOrOptions", 1],
  LOGISTIC: [UNARY, undefined, 3],
  LOG_SOFTMAX: [UNARY, "LogSoftmaxOptions", 2],
  LSH_PROJECTION: ["hash x weight? -> y", "LSHProjectionOptions", 1],
  LSTM: [SEQUENCE_LSTM, "LSTMOptions", 4],
  MATRIX_DIAG: [UNARY, "MatrixDiagOptions", 1],
  MATRIX_SET_DIAG: ["x diagonal -> y", "MatrixSetDiagOptions", 1],
  MAXIMUM: [BINARY, "MaximumMinimumOptions", 4],
  MAX_POOL_2D: [UNARY, "Pool2DOptions", 3],
  MEAN: [REDUCTION, "ReducerOptions", 3],
  MINIMUM: [BINARY, "MaximumMinimumOptions", 4],
  MIRROR_PAD: ["x paddings -> y", "MirrorPadOptions", 3],
  MUL: [BINARY, "MulOptions", 7],
  MULTINOMIAL: ["logits count -> y", "RandomOptions", 1],
  NEG: [UNARY, "NegOptions", 1],
  NON_MAX_SUPPRESSION_V4: [
    "boxes scores max_count iou_threshold score_threshold -> indices count",
    "NonMaxSuppressionV4Options",
    1,
  ],
  NON_MAX_SUPPRESSION_V5: [
    "boxes scores max_count iou_threshold score_threshold soft_nms_sigma -> indices scores count",
    "NonMaxSuppressionV5Options",
    1,
  ],
  NOT_EQUAL: [BINARY, "NotEqualOptions", 4],
  ONE_HOT: ["indices depth on_value off_value -> y", "OneHotOptions", 1],
  PACK: ["x... -> y", "PackOptions", 4],
  PAD: ["x paddings -> y", "PadOptions", 5],
  PADV2: ["x paddings value -> y", "PadV2Options", 5],
  POW: [BINARY, "PowOptions", 1],
  PRELU: ["x alpha -> y", undefined, 1],
  QUANTIZE: [UNARY, "QuantizeOptions", 4],
  RANDOM_STANDARD_NORMAL: ["shape -> y", "RandomOptions", 1],
  RANDOM_UNIFORM: ["shape -> y", "RandomOptions", 1],
  RANGE: ["start limit delta -> y", "RangeOptions", 2],
  RANK: [UNARY, "RankOptions", 1],
  READ_VARIABLE: ["resource -> value", "ReadVariableOptions", 1],
  REAL: [UNARY, undefined, 1],
  REDUCE_ALL: [REDUCTION, "ReducerOptions", 1],
  REDUCE_ANY: [REDUCTION, "ReducerOptions", 1],
  REDUCE_MAX: [REDUCTION, "ReducerOptions", 3],
  REDUCE_MIN: [REDUCTION, "ReducerOptions", 3],
  REDUCE_PROD: [REDUCTION, "ReducerOptions", 2],
  REDUCE_WINDOW: [
    "x init_value window_shape strides base_dilations window_dilations -> y",
    "ReduceWindowOptions",
    1,
  ],
  RELU: [UNARY, undefined, 3],
  RELU6: [UNARY, undefined, 3],
  RELU_0_TO_1: [UNARY, undefined, 1],
  RELU_N1_TO_1: [UNARY, undefined, 1],
  RESHAPE: ["x shape? -> y", "ReshapeOptions", 1],
  RESIZE_BILINEAR: ["x size -> y", "ResizeBilinearOptions", 4],
  RESIZE_NEAREST_NEIGHBOR: ["x size -> y", "ResizeNearestNeighborOptions", 4],
  REVERSE_SEQUENCE: ["x lengths -> y", "ReverseSequenceOptions", 1],
  REVERSE_V2: ["x axes -> y", "ReverseV2Options", 3],
  RFFT2D: ["x fft_length -> y", "Rfft2dOptions", 1],
  RIGHT_SHIFT: [BINARY, "RightShiftOptions", 1],
  RNN: ["x weights recurrent bias state! -> y", "RNNOptions", 3],
  ROUND: [UNARY, undefined, 1],
  RSQRT: [UNARY, undefined, 3],
  SCATTER_ND: ["indices updates shape -> y", "ScatterNdOptions", 1],
  SEGMENT_SUM: ["x segment_ids -> y", "SegmentSumOptions", 1],
  SELECT: ["condition a b -> y", "SelectOptions", 4],
  SELECT_V2: ["condition a b -> y", "SelectV2Options", 2],
  SHAPE: [UNARY, "ShapeOptions", 1],
  SIGN: [UNARY, "SignOptions", 2],
  SIN: [UNARY, undefined, 1],
  SKIP_GRAM: [UNARY, "SkipGramOptions", 1],
  SLICE: ["x begin size -> y", "SliceOptions", 7],
  SOFTMAX: [UNARY, "SoftmaxOptions", 3],
  SPACE_TO_BATCH_ND: ["x block_shape paddings -> y", "SpaceToBatchNDOptions", 4],
  SPACE_TO_DEPTH: [UNARY, "SpaceToDepthOptions", 2],
  SPARSE_TO_DENSE: ["indices shape values default -> y", "SparseToDenseOptions", 3],
  SPLIT: ["axis x -> y...", "SplitOptions", 4],
  SPLIT_V: ["x sizes axis -> y...", "SplitVOptions", 2],
  SQRT: [UNARY, undefined, 2],
  SQUARE: [UNARY, "SquareOptions", 1],
  SQUARED_DIFFERENCE: [BINARY, "SquaredDifferenceOptions", 2],
  SQUEEZE: [UNARY, "SqueezeOptions", 2],
  STABLEHLO_ADD: [BINARY, undefined, 1],
  STABLEHLO_AND: [BINARY, undefined, 1],
  STABLEHLO_CASE: ["branch x... -> y...", "StablehloCaseOptions", 1],
  STABLEHLO_COMPOSITE: ["x... -> y...", "StableHLOCompositeOptions", 1],
  STABLEHLO_GATHER: ["x start_indices -> y", "StablehloGatherOptions", 1],
  STABLEHLO_MAXIMUM: [BINARY, undefined, 1],
  STABLEHLO_MINIMUM: [BINARY, undefined, 1],
  STABLEHLO_MULTIPLY: [BINARY, undefined, 1],
  STABLEHLO_PAD: ["x padding_value -> y", "StablehloPadOptions", 1],
  STABLEHLO_REDUCE_WINDOW: ["x init_value -> y", "StablehloReduceWindowOptions", 1],
  STABLEHLO_RNG_BIT_GENERATOR: ["state -> next_state y", "StablehloRngBitGeneratorOptions", 1],
  STABLEHLO_SCATTER: ["x indices updates -> y", "StablehloScatterOptions", 1],
  STABLEHLO_SHIFT_LEFT: [BINARY, "StablehloShiftLeftOptions", 1],
  STRIDED_SLICE: ["x begin end strides -> y", "StridedSliceOptions", 8],
  SUB: [BINARY, "SubOptions", 5],
  SUM: [REDUCTION, "ReducerOptions", 2],
  SVDF: ["x feature_weights time_weights bias? state! -> y", "SVDFOptions", 4],
  TANH: [UNARY, undefined, 3],
  TILE: ["x multiples -> y", "TileOptions", 3],
  TOPK_V2: ["x k -> values indices", "TopKV2Options", 3],
  TRANSPOSE: ["x permutation -> y", "TransposeOptions", 7],
  TRANSPOSE_CONV: ["output_shape filter x bias? -> y", "TransposeConvOptions", 5],
  UNIDIRECTIONAL_SEQUENCE_LSTM: [SEQUENCE_LSTM, "UnidirectionalSequenceLSTMOptions", 4],
  UNIDIRECTIONAL_SEQUENCE_RNN: ["x weights recurrent bias state! -> y", "SequenceRNNOptions", 3],
  UNIQUE: ["x -> y indices", "UniqueOptions", 1],
  UNPACK: ["x -> y...", "UnpackOptions", 4],
  UNSORTED_SEGMENT_MAX: [SEGMENTS, "UnsortedSegmentMaxOptions", 1],
  UNSORTED_SEGMENT_MIN: [SEGMENTS, "UnsortedSegmentMinOptions", 1],
  UNSORTED_SEGMENT_PROD: [SEGMENTS, "UnsortedSegmentProdOptions", 1],
  UNSORTED_SEGMENT_SUM: [SEGMENTS, "UnsortedSegmentSumOptions", 1],
  VAR_HANDLE: ["-> resource", "VarHandleOptions", 1],
  WHERE: ["condition -> indices", "WhereOptions", 2],
  WHILE: ["x... -> y...", "WhileOptions", 1],
  ZEROS_LIKE: [UNARY, "ZerosLikeOptions", 1],
};
