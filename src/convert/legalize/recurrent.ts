/** The fused recurrent nodes. States are variable tensors that start at zero. */

import { makeOptions } from "../../formats/tflite/options.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import { boolAttr, floatAttr, stringAttr } from "../../graph/attrs.ts";
import type { LegalizationRow, Lowering } from "./lowering.ts";

const OMITTED = -1;

const activationOf = (lowering: Lowering): ActivationFunctionType =>
  stringAttr(lowering.node, "activation") as ActivationFunctionType;

/** Batch size of the sequence operand. */
function batchOf(lowering: Lowering): number {
  const batch = lowering.type(0).shape?.[boolAttr(lowering.node, "time_major") ? 1 : 0] ?? -1;
  return batch < 0 ? lowering.fail("unknown batch size") : batch;
}

const rowsOf = (lowering: Lowering, input: number): number => lowering.type(input).shape?.[0] ?? 0;

/** Operands: sequence, weights [u, d], recurrent weights [u, u], bias [u], hidden state [batch, u]. */
const sequenceRnn: LegalizationRow = (lowering) => {
  const state = lowering.variable(
    "float32",
    [batchOf(lowering), rowsOf(lowering, 1)],
    "hidden_state",
  );
  lowering.emit(
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    [...lowering.inputs(), state],
    makeOptions("SequenceRNNOptions", {
      time_major: boolAttr(lowering.node, "time_major"),
      fused_activation_function: activationOf(lowering),
    }),
  );
};

/** A direction's 17 operands after the sequence; what a cell does not have is left out. */
interface LstmOperands {
  readonly weights: readonly number[];
  /** Width of the gates, and of the output. */
  readonly units: number;
  readonly outputs: number;
}

/** `first` is the index of the direction's first input, `count` how many it has: see emit-cell.ts. */
function lstmOperands(
  lowering: Lowering,
  first: number,
  count: number,
  hasPeephole: boolean,
  hasProjection: boolean,
): LstmOperands {
  const operands = lowering.inputs().slice(first, first + count);
  const peepholes = hasPeephole ? operands.slice(12, 15) : [OMITTED, OMITTED, OMITTED];
  const projection = hasProjection ? (operands.at(-1) ?? OMITTED) : OMITTED;
  const units = rowsOf(lowering, first);
  return {
    weights: [...operands.slice(0, 8), ...peepholes, ...operands.slice(8, 12), projection, OMITTED],
    units,
    outputs: hasProjection ? rowsOf(lowering, first + count - 1) : units,
  };
}

/** UNIDIRECTIONAL_SEQUENCE_LSTM has 24 operands. */
const sequenceLstm: LegalizationRow = (lowering) => {
  const { node } = lowering;
  const { weights, units, outputs } = lstmOperands(
    lowering,
    1,
    lowering.inputCount - 1,
    boolAttr(node, "peephole"),
    boolAttr(node, "projection"),
  );
  const batch = batchOf(lowering);
  lowering.emit(
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    [
      lowering.input(0),
      ...weights,
      lowering.variable("float32", [batch, outputs], "output_state"),
      lowering.variable("float32", [batch, units], "cell_state"),
      ...new Array<number>(4).fill(OMITTED),
    ],
    makeOptions("UnidirectionalSequenceLSTMOptions", {
      fused_activation_function: activationOf(lowering),
      cell_clip: floatAttr(node, "cell_clip"),
      proj_clip: floatAttr(node, "proj_clip"),
      time_major: boolAttr(node, "time_major"),
    }),
  );
};

/** BIDIRECTIONAL_SEQUENCE_LSTM has 48 operands, of which the last nine are for an auxiliary input. */
const bidirectionalLstm: LegalizationRow = (lowering) => {
  const { node } = lowering;
  const count = (lowering.inputCount - 1) / 2;
  const directions = [1, 1 + count].map((first) =>
    lstmOperands(lowering, first, count, boolAttr(node, "peephole"), boolAttr(node, "projection")),
  );
  const batch = batchOf(lowering);
  lowering.emit(
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    [
      lowering.input(0),
      ...directions.flatMap(({ weights }) => weights),
      ...directions.flatMap(({ units, outputs }) => [
        lowering.variable("float32", [batch, outputs], "output_state"),
        lowering.variable("float32", [batch, units], "cell_state"),
      ]),
      ...new Array<number>(9).fill(OMITTED),
    ],
    makeOptions("BidirectionalSequenceLSTMOptions", {
      fused_activation_function: activationOf(lowering),
      cell_clip: floatAttr(node, "cell_clip"),
      proj_clip: floatAttr(node, "proj_clip"),
      time_major: boolAttr(node, "time_major"),
      merge_outputs: boolAttr(node, "merge"),
    }),
  );
};

/** Operands of a direction: weights, recurrent weights, bias, hidden state; then three for an auxiliary input. */
const bidirectionalRnn: LegalizationRow = (lowering) => {
  const inputs = lowering.inputs();
  const direction = (first: number): number[] => [
    ...inputs.slice(first, first + 3),
    lowering.variable("float32", [batchOf(lowering), rowsOf(lowering, first)], "hidden_state"),
  ];
  lowering.emit(
    "BIDIRECTIONAL_SEQUENCE_RNN",
    [lowering.input(0), ...direction(1), ...direction(4), OMITTED, OMITTED, OMITTED],
    makeOptions("BidirectionalSequenceRNNOptions", {
      time_major: boolAttr(lowering.node, "time_major"),
      fused_activation_function: activationOf(lowering),
      merge_outputs: boolAttr(lowering.node, "merge"),
    }),
  );
};

export const RECURRENT_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["SequenceRnn", sequenceRnn],
  ["SequenceLstm", sequenceLstm],
  ["BidirectionalRnn", bidirectionalRnn],
  ["BidirectionalLstm", bidirectionalLstm],
]);
