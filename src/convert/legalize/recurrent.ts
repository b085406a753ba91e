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

/** The 24 operands of UNIDIRECTIONAL_SEQUENCE_LSTM; what a cell does not have is left out. */
const sequenceLstm: LegalizationRow = (lowering) => {
  const { node } = lowering;
  const operands = lowering.inputs();
  const hasPeephole = boolAttr(node, "peephole");
  const hasProjection = boolAttr(node, "projection");
  const peepholes = hasPeephole ? operands.slice(13, 16) : [OMITTED, OMITTED, OMITTED];
  const projection = hasProjection ? (operands.at(-1) ?? OMITTED) : OMITTED;
  const units = rowsOf(lowering, 1);
  const outputs = hasProjection ? rowsOf(lowering, operands.length - 1) : units;
  const batch = batchOf(lowering);
  lowering.emit(
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    [
      ...operands.slice(0, 9),
      ...peepholes,
      ...operands.slice(9, 13),
      projection,
      OMITTED,
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

export const RECURRENT_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["SequenceRnn", sequenceRnn],
  ["SequenceLstm", sequenceLstm],
]);
