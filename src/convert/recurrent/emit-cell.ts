/**
 * A recognized cell as one node over the whole sequence. The nodes SequenceLstm and SequenceRnn are ours: they hold
 * their operands as TFLite wants them and are lowered one to one.
 */
import type { ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Matrix } from "./affine.ts";
import type { Gate, LstmWeights, RnnWeights } from "./cells.ts";

/** Adds the node; its output is the sequence of h in the order of the input. */
export function emitCell(
  name: string,
  cell: LstmWeights | RnnWeights,
  sequence: ValueRef,
  timeMajor: boolean,
  build: GraphBuilder,
): ValueRef {
  const attrs = { time_major: attr.bool(timeMajor), activation: attr.string(cell.activation) };
  if (cell.kind === "rnn") {
    return build.add(
      `${name}/rnn`,
      "SequenceRnn",
      [sequence, ...rnnOperands(name, cell, build)],
      attrs,
    );
  }
  return build.add(`${name}/lstm`, "SequenceLstm", [sequence, ...lstmOperands(name, cell, build)], {
    ...attrs,
    cell_clip: attr.float(cell.cellClip),
    proj_clip: attr.float(cell.projectionClip),
    peephole: attr.bool(peepholesOf(cell) !== undefined),
    projection: attr.bool(cell.projection !== undefined),
  });
}

function rnnOperands(name: string, { gate }: RnnWeights, build: GraphBuilder): ValueRef[] {
  return [
    matrix(`${name}/weights`, gate.x, build),
    matrix(`${name}/recurrent_weights`, gate.h, build),
    vector(`${name}/bias`, gate.bias, build),
  ];
}

/** 4 input weights, 4 recurrent weights, 4 biases, in the order i, f, c, o; then 3 peepholes and the projection if any. */
function lstmOperands(name: string, cell: LstmWeights, build: GraphBuilder): ValueRef[] {
  const gates: readonly (readonly [string, Gate])[] = [
    ["input", cell.input],
    ["forget", cell.forget],
    ["cell", cell.cell],
    ["output", cell.output],
  ];
  const peepholes = peepholesOf(cell) ?? [];
  return [
    ...gates.map(([gate, { x }]) => matrix(`${name}/input_to_${gate}_weights`, x, build)),
    ...gates.map(([gate, { h }]) => matrix(`${name}/recurrent_to_${gate}_weights`, h, build)),
    ...gates.map(([gate, { bias }]) => vector(`${name}/${gate}_bias`, bias, build)),
    ...peepholes.map((weights, i) => vector(`${name}/peephole_${i}`, weights, build)),
    ...(cell.projection ? [matrix(`${name}/projection`, cell.projection, build)] : []),
  ];
}

/** Peepholes of i, f and o; zeros for a gate without one when another has it. */
function peepholesOf({ input, forget, output }: LstmWeights): Float32Array[] | undefined {
  const gates = [input, forget, output];
  if (gates.every(({ peephole }) => peephole === undefined)) return undefined;
  return gates.map(({ peephole, bias }) => peephole ?? new Float32Array(bias.length));
}

/** [inputs, units] as TFLite's [units, inputs]. */
function matrix(name: string, { rows, columns, data }: Matrix, build: GraphBuilder): ValueRef {
  const transposed = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      transposed[column * rows + row] = data[row * columns + column] ?? 0;
    }
  }
  return build.constant(name, { dtype: "float32", shape: [columns, rows], data: transposed });
}

function vector(name: string, data: Float32Array, build: GraphBuilder): ValueRef {
  return build.constant(name, { dtype: "float32", shape: [data.length], data });
}
