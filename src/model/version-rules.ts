/**
 * Which version of a builtin operator a use of it needs, by the types, shapes and options at hand. Facts from
 * TensorFlow Lite's tools/versioning/op_version.cc and op_signature.cc as of 2.21 (a few rows for types that came with
 * 2.23 do no harm). Per operator the first row whose condition holds gives the version; without one it is 1.
 */
import type { BuiltinOperatorName } from "../formats/tflite/schema.gen.ts";
import {
  all,
  any,
  asymmetric,
  broadcastOverRank4,
  type Condition,
  eitherEnd,
  grouped,
  hasChannelScales,
  hybrid,
  input,
  not,
  type OperatorUse,
  option,
  output,
  perChannel,
  quantized,
  rankOver,
  rescalesUp,
  types,
} from "./version-conditions.ts";

type Rules = readonly (readonly [version: number, condition: Condition])[];

/** The version that this use of a builtin operator needs. Custom operators have whatever version they have. */
export function requiredVersion(use: OperatorUse): number {
  const rules = RULES[use.operator.op] ?? [];
  const row = rules.find(([, condition]) => condition(use));
  return row?.[0] ?? LEAST_VERSION[use.operator.op] ?? 1;
}

const int8Is2: Rules = [[2, input(0, "int8")]];
const int16Is3: Rules = [[3, input(0, "int16")], ...int8Is2];
const int16BothIs3: Rules = [[3, all(input(0, "int16"), output(0, "int16"))], ...int8Is2];
const int8Or16Is2: Rules = [[2, input(0, "int8", "int16")]];
const recurrent: Rules = [
  [3, all(input(1, "int8"), output(0, "float32"), asymmetric)],
  [2, all(input(1, "int8"), output(0, "float32"))],
];
const padding: Rules = [[5, input(0, "bool")], [4, rankOver(4)], ...int16Is3];
const minMax: Rules = [
  [4, all(input(0, "int16"), output(0, "int16"))],
  [3, broadcastOverRank4],
  ...int8Is2,
];
const batchSpace: Rules = [
  [4, input(0, "int16")],
  [3, ({ inputs }) => inputs[0]?.shape.length !== 4],
  ...int8Is2,
];
const argMinMax: Rules = [[3, input(0, "bool")], ...int8Is2];

/** Versions that operators without a matching row have when that is not 1. */
const LEAST_VERSION: Readonly<Partial<Record<BuiltinOperatorName, number>>> = {
  BROADCAST_TO: 2,
  WHERE: 2,
};

const RULES: Readonly<Partial<Record<BuiltinOperatorName, Rules>>> = {
  ABS: [
    [5, input(0, "int32")],
    [3, all(input(0, "int16"), quantized(0))],
    [4, input(0, "int16")],
    [2, input(0, "int8", "uint8")],
  ],
  ADD: [
    [6, input(0, "float16")],
    [5, all(input(0, "int16"), not(quantized(0)))],
    [4, input(0, "int64")],
    [
      3,
      all(
        input(0, "int16"),
        output(0, "int16"),
        option("AddOptions", (o) => !o.pot_scale_int16),
      ),
    ],
    ...int8Is2,
  ],
  ARG_MAX: argMinMax,
  ARG_MIN: argMinMax,
  AVERAGE_POOL_2D: int16BothIs3,
  BATCH_MATMUL: [
    [3, input(0, "int16")],
    [2, input(0, "int8")],
    [4, all(hybrid(), asymmetric)],
  ],
  BATCH_TO_SPACE_ND: batchSpace,
  BIDIRECTIONAL_SEQUENCE_LSTM: recurrent,
  BIDIRECTIONAL_SEQUENCE_RNN: recurrent,
  BROADCAST_TO: [[3, input(0, "int8", "int16")]],
  CAST: [
    [8, eitherEnd("int2", "uint4")],
    [7, eitherEnd("bfloat16")],
    [6, all(input(0, "int4"), output(0, "float32"))],
    [5, eitherEnd("float64", "float16")],
    [4, eitherEnd("uint16")],
    [3, eitherEnd("int8")],
    [2, eitherEnd("uint32")],
  ],
  CONCATENATION: [[5, input(0, "int4")], [4, input(0, "uint32")], ...int16Is3],
  CONV_2D: [
    [
      8,
      all(
        types("int16", "int8", "int16"),
        option("Conv2DOptions", (o) => o.quantized_bias_type !== "FLOAT32"),
      ),
    ],
    [6, grouped],
    [4, types("int16", "int16", "int16")],
    [3, types("int8", "int8", "int8")],
    [7, types("int8", "int4", "int8")],
    [5, all(hybrid(), perChannel(1, 0))],
    [2, hybrid()],
  ],
  DEPTHWISE_CONV_2D: [
    [5, types("int16", "int16", "int16")],
    [6, all(hybrid(), perChannel(1, 3))],
    [4, hybrid()],
    [3, types("int8", "int8", "int8")],
    [7, types("int8", "int4", "int8")],
    [
      2,
      option(
        "DepthwiseConv2DOptions",
        (o) => o.dilation_w_factor !== 1 || o.dilation_h_factor !== 1,
      ),
    ],
  ],
  DEPTH_TO_SPACE: int8Is2,
  DEQUANTIZE: [
    [8, input(0, "uint4")],
    [7, input(0, "int2")],
    [6, input(0, "int4")],
    [3, input(0, "int16", "float16")],
    [5, all(input(0, "int8"), ({ inputs }) => hasChannelScales(inputs[0]))],
    [2, input(0, "int8")],
  ],
  DIV: [[2, broadcastOverRank4]],
  DYNAMIC_UPDATE_SLICE: [
    [6, input(0, "bfloat16")],
    [5, input(0, "int4")],
    [4, input(0, "int16")],
    [3, input(0, "float16")],
    [2, input(2, "int64")],
  ],
  EMBEDDING_LOOKUP: [
    [
      4,
      any(
        input(1, "int4"),
        all(perChannel(1, 0), ({ inputs }) => (inputs[1]?.quantization?.scale.length ?? 0) > 1),
      ),
    ],
    [5, input(1, "int2")],
  ],
  EQUAL: [[5, input(0, "int16")], [3, input(0, "string")], ...int8Is2],
  EXP: int8Or16Is2,
  FAKE_QUANT: [[2, option("FakeQuantOptions", (o) => o.narrow_range)]],
  FILL: [
    [4, input(1, "float16")],
    [3, input(1, "int8", "int16")],
    [2, input(1, "bool", "string")],
  ],
  FLOOR_DIV: [
    [3, input(0, "int16", "int8")],
    [2, input(0, "float32")],
  ],
  FLOOR_MOD: int8Or16Is2,
  FULLY_CONNECTED: [
    [14, input(1, "int2")],
    [13, types("int16", "int4", "int16")],
    [12, all(hybrid(), perChannel(1, 0))],
    [
      11,
      all(
        types("int16", "int8", "int16"),
        option("FullyConnectedOptions", (o) => o.quantized_bias_type !== "FLOAT32"),
      ),
    ],
    [8, ({ inputs }) => inputs[1]?.sparsity !== undefined],
    [7, types("int16", "int16", "int16")],
    [6, ({ inputs }) => inputs.length === 2],
    [5, option("FullyConnectedOptions", (o) => o.keep_num_dims)],
    [4, types("int8", "int8", "int8")],
    [10, types("int8", "int4", "int8")],
    [9, all(hybrid(), asymmetric)],
    [3, hybrid()],
    [2, option("FullyConnectedOptions", (o) => o.weights_format === "SHUFFLED4x16INT8")],
  ],
  GATHER: [
    [7, input(0, "int4")],
    [6, input(1, "int16")],
    [5, option("GatherOptions", (o) => o.batch_dims !== 0)],
    [4, input(0, "int16")],
    [3, input(0, "bool")],
    ...int8Is2,
  ],
  GATHER_ND: [
    [5, input(0, "bool")],
    [4, input(1, "int16")],
    [3, input(0, "int16")],
    [2, input(0, "string")],
  ],
  GELU: [[2, input(0, "int8", "uint8")]],
  GREATER: int8Is2,
  GREATER_EQUAL: int16Is3,
  L2_NORMALIZATION: [[2, output(0, "int8")]],
  LEAKY_RELU: [[2, input(0, "int16")]],
  LESS: int16Is3,
  LESS_EQUAL: int8Is2,
  LOG: int8Or16Is2,
  LOGISTIC: int16BothIs3,
  LOG_SOFTMAX: int8Is2,
  LSTM: [
    [
      5,
      all(
        types("int16", "int8", "int16", 2),
        option("LSTMOptions", (o) => o.kernel_type === "FULL"),
      ),
    ],
    [
      4,
      all(
        hybrid(2),
        option("LSTMOptions", (o) => o.kernel_type === "FULL"),
        asymmetric,
      ),
    ],
    [
      3,
      all(
        hybrid(2),
        option("LSTMOptions", (o) => o.kernel_type === "FULL"),
      ),
    ],
    [2, option("LSTMOptions", (o) => o.kernel_type === "BASIC")],
  ],
  MAXIMUM: minMax,
  MAX_POOL_2D: int16BothIs3,
  MEAN: int16Is3,
  MINIMUM: minMax,
  MIRROR_PAD: int16Is3,
  MUL: [
    [8, input(0, "float16")],
    [7, any(all(input(0, "int16"), not(any(quantized(0), quantized(1)))), input(0, "uint32"))],
    [6, input(0, "complex64")],
    [5, input(0, "int64")],
    [4, input(0, "int16")],
    [3, rescalesUp],
    ...int8Is2,
  ],
  NOT_EQUAL: [[4, input(0, "int16")], [3, input(0, "string")], ...int8Is2],
  PACK: [
    [2, input(0, "int8")],
    [3, all(input(0, "int16"), output(0, "int16"))],
    [4, input(0, "uint32")],
  ],
  PAD: padding,
  PADV2: padding,
  QUANTIZE: [
    [5, eitherEnd("uint4")],
    [4, eitherEnd("int4")],
    [3, ({ outputs }) => hasChannelScales(outputs[0])],
    [2, output(0, "int16")],
  ],
  RANGE: [[2, input(0, "int64")]],
  REDUCE_MAX: int16Is3,
  REDUCE_MIN: int16Is3,
  REDUCE_PROD: int8Or16Is2,
  RELU: [
    [3, input(0, "int16")],
    [2, input(0, "int8", "uint8")],
  ],
  RELU6: int16Is3,
  RESIZE_BILINEAR: [
    [4, input(0, "int16")],
    [3, option("ResizeBilinearOptions", (o) => o.half_pixel_centers)],
    ...int8Is2,
  ],
  RESIZE_NEAREST_NEIGHBOR: [
    [4, input(0, "int16")],
    [3, option("ResizeNearestNeighborOptions", (o) => o.half_pixel_centers || o.align_corners)],
    ...int8Is2,
  ],
  REVERSE_V2: [
    [3, input(0, "int8")],
    [2, input(0, "bool")],
  ],
  RNN: recurrent,
  RSQRT: int16Is3,
  SELECT: [
    [4, input(0, "uint32")],
    [3, ({ inputs }) => inputs.slice(0, 3).some((tensor) => tensor?.shape.length === 5)],
    ...int8Is2,
  ],
  SELECT_V2: [[2, input(0, "uint32")]],
  SIGN: [[2, input(0, "int32")]],
  SLICE: [
    [7, input(0, "int4")],
    [6, input(0, "uint32")],
    [5, rankOver(4)],
    [4, input(0, "int16")],
    [3, input(0, "string")],
    ...int8Is2,
  ],
  SOFTMAX: int16Is3,
  SPACE_TO_BATCH_ND: batchSpace,
  SPACE_TO_DEPTH: int8Is2,
  SPARSE_TO_DENSE: [
    [3, input(2, "int8", "uint8")],
    [2, input(2, "int64")],
  ],
  SPLIT: [
    [4, input(1, "int16")],
    [3, input(1, "int32")],
    [2, input(1, "int8")],
  ],
  SPLIT_V: int8Is2,
  SQRT: int8Or16Is2,
  SQUARED_DIFFERENCE: int8Is2,
  SQUEEZE: [[2, input(0, "string")]],
  STRIDED_SLICE: [
    [8, option("StridedSliceOptions", (o) => o.offset)],
    [7, input(0, "uint32")],
    [6, option("StridedSliceOptions", (o) => o.ellipsis_mask !== 0 || o.new_axis_mask !== 0)],
    [5, input(0, "string")],
    [4, rankOver(4)],
    [3, input(0, "bool")],
    ...int8Is2,
  ],
  SUB: [
    [
      5,
      all(
        input(0, "int16"),
        output(0, "int16"),
        option("SubOptions", (o) => !o.pot_scale_int16),
      ),
    ],
    [4, input(0, "int64")],
    [3, broadcastOverRank4],
    ...int8Is2,
  ],
  SUM: int8Is2,
  SVDF: [
    [3, input(0, "int8")],
    [4, all(hybrid(), asymmetric)],
    [2, hybrid()],
  ],
  TANH: int16BothIs3,
  TILE: [
    [3, input(0, "int8")],
    [2, input(0, "string")],
  ],
  TOPK_V2: [[3, any(input(0, "int16"), input(1, "int16"), output(1, "int16"))], ...int8Is2],
  TRANSPOSE: [
    [8, any(rankOver(6), input(0, "bfloat16"))],
    [7, input(0, "int4")],
    [6, rankOver(5)],
    [5, input(0, "int16")],
    [4, rankOver(4)],
    [3, input(0, "bool")],
    ...int8Is2,
  ],
  TRANSPOSE_CONV: [
    [
      5,
      all(
        types("int16", "int8", "int16"),
        option("TransposeConvOptions", (o) => o.quantized_bias_type !== "FLOAT32"),
      ),
    ],
    [4, option("TransposeConvOptions", (o) => o.fused_activation_function !== "NONE")],
    [3, ({ inputs }) => inputs.length === 4 && inputs[3] !== undefined],
    [2, input(1, "int8")],
  ],
  UNIDIRECTIONAL_SEQUENCE_LSTM: [
    [5, types("int16", "int8", "int16", 2)],
    [4, option("UnidirectionalSequenceLSTMOptions", (o) => o.diagonal_recurrent_tensors)],
    [3, all(hybrid(2), asymmetric)],
    [2, hybrid(2)],
  ],
  UNIDIRECTIONAL_SEQUENCE_RNN: recurrent,
  UNPACK: [
    [2, input(0, "int8", "uint8")],
    [3, input(0, "bool")],
    [4, all(input(0, "int16"), output(0, "int16"))],
    [5, input(0, "float16", "bfloat16")],
  ],
  WHERE: [[1, input(0, "bool")]],
};
