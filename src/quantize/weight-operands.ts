/**
 * Which operands are weights, what TensorFlow Lite's kernels can read directly, and along which axis their channels
 * lie. Sources: compiler/mlir/lite/ir/tfl_ops.td (quantizable operands, kernel support, axis) for the operators that
 * the official converter knows; kernels/basic_rnn.cc and kernels/bidirectional_sequence_rnn.cc for the two it leaves out.
 */
import type { BuiltinOperatorName, BuiltinOptions } from "../formats/tflite/schema.gen.ts";
import type { Operator } from "../model/ir.ts";

export interface WeightRule {
  /** Operand indices that are weights. */
  readonly operands: readonly number[];
  /** Axis of the output channels; absent where the kernels know one scale per tensor only. */
  readonly axis?: number;
  /**
   * "hybrid": the kernel multiplies int8 weights with activations that it quantizes on the fly.
   * "table": the kernel looks values up and scales them, so int8 is read directly even where activations stay float.
   * "none": the weights must go through DEQUANTIZE.
   */
  readonly kernel: "hybrid" | "table" | "none";
  /** The kernel wants all of its weights in one type. */
  readonly together?: true;
  /** The option table with `asymmetric_quantize_inputs`, where the operator has that choice. */
  readonly flagIn?: BuiltinOptions["type"];
  /** The kernel reads int4 weights beside float activations. */
  readonly int4?: true;
  /**
   * The kernel reads block-wise int4 weights of at least so many rows. With fewer, FULLY_CONNECTED falls back to code
   * that takes the missing scales for 0.
   */
  readonly blocksFromRows?: number;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
}

/** Input, recurrent and peephole weights (1–11) and projection (16); biases, states and layer norm stay float. */
const LSTM_OPERANDS = [...range(1, 11), 16];
/** The same for both directions, and the weights of the auxiliary input (40–47). */
const BIDIRECTIONAL_LSTM_OPERANDS = [...LSTM_OPERANDS, ...range(18, 28), 33, ...range(40, 47)];

const WEIGHT_RULES: Readonly<Partial<Record<BuiltinOperatorName, WeightRule>>> = {
  CONV_2D: { operands: [1], axis: 0, kernel: "hybrid", int4: true },
  DEPTHWISE_CONV_2D: { operands: [1], axis: 3, kernel: "hybrid" },
  // Folded by a pattern of its own, also where the rest of the model is weight-only.
  TRANSPOSE_CONV: { operands: [1], axis: 0, kernel: "table" },
  FULLY_CONNECTED: {
    operands: [1],
    axis: 0,
    kernel: "hybrid",
    flagIn: "FullyConnectedOptions",
    int4: true,
    blocksFromRows: 4,
  },
  BATCH_MATMUL: { operands: [1], kernel: "hybrid", flagIn: "BatchMatMulOptions" },
  EMBEDDING_LOOKUP: { operands: [1], axis: 0, kernel: "table", int4: true, blocksFromRows: 1 },
  GATHER: { operands: [0], kernel: "none" },
  SVDF: { operands: [1, 2], kernel: "hybrid", together: true, flagIn: "SVDFOptions" },
  RNN: { operands: [1, 2], kernel: "hybrid", together: true, flagIn: "RNNOptions" },
  UNIDIRECTIONAL_SEQUENCE_RNN: {
    operands: [1, 2],
    kernel: "hybrid",
    together: true,
    flagIn: "SequenceRNNOptions",
  },
  BIDIRECTIONAL_SEQUENCE_RNN: {
    operands: [1, 2, 5, 6, 10, 11],
    kernel: "hybrid",
    together: true,
    flagIn: "BidirectionalSequenceRNNOptions",
  },
  LSTM: { operands: LSTM_OPERANDS, kernel: "hybrid", together: true, flagIn: "LSTMOptions" },
  UNIDIRECTIONAL_SEQUENCE_LSTM: {
    operands: LSTM_OPERANDS,
    kernel: "hybrid",
    together: true,
    flagIn: "UnidirectionalSequenceLSTMOptions",
  },
  BIDIRECTIONAL_SEQUENCE_LSTM: {
    operands: BIDIRECTIONAL_LSTM_OPERANDS,
    kernel: "hybrid",
    together: true,
    flagIn: "BidirectionalSequenceLSTMOptions",
  },
};

/** The basic LSTM kernel (data, previous activation, weights, biases, previous state) multiplies floats only. */
const BASIC_LSTM: WeightRule = { operands: [2], kernel: "none" };

/** In time-major order the hybrid kernel runs over the whole sequence once for every step: its results are wrong. */
const TIME_MAJOR_BIDIRECTIONAL_RNN: WeightRule = { operands: [1, 2, 5, 6, 10, 11], kernel: "none" };

/** The rule of one operator; undefined where none of its operands is a weight. */
export function weightRuleOf(operator: Operator): WeightRule | undefined {
  const { op, options } = operator;
  if (op === "LSTM" && options?.type === "LSTMOptions" && options.value.kernel_type === "BASIC") {
    return BASIC_LSTM;
  }
  if (options?.type === "BidirectionalSequenceRNNOptions" && options.value.time_major) {
    return TIME_MAJOR_BIDIRECTIONAL_RNN;
  }
  return WEIGHT_RULES[op];
}
