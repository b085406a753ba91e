/**
 * Where the operands of the LSTM operators stand, and how they become the weights of a cell. LSTM and
 * UNIDIRECTIONAL_SEQUENCE_LSTM share one order, each direction of BIDIRECTIONAL_SEQUENCE_LSTM has its own.
 */
import { GraphError } from "../../base/errors.ts";
import type { KernelNode, KernelRun, TensorView } from "../kernel.ts";
import { inputAt, misshapen } from "../require.ts";
import { present } from "../views.ts";
import type { GateWeights, LstmMemory, LstmWeights } from "./lstm-cell.ts";
import {
  type RecurrentMath,
  requireFloats,
  requireShape,
  requireState,
  requireWeights,
  weightMatrix,
  weightVector,
} from "./recurrent-product.ts";

/** One index for each of input, forget, cell and output gate; -1 where there is no such operand. */
export type PerGate = readonly [input: number, forget: number, cell: number, output: number];

export interface LstmLayout {
  readonly input: PerGate;
  readonly recurrent: PerGate;
  readonly auxiliary: PerGate;
  readonly peephole: PerGate;
  readonly bias: PerGate;
  readonly layerNorm: PerGate;
  readonly projection: number;
  readonly projectionBias: number;
  readonly outputState: number;
  readonly cellState: number;
}

const NONE: PerGate = [-1, -1, -1, -1];

/** LSTM (full kernel) and UNIDIRECTIONAL_SEQUENCE_LSTM. */
export const UNIDIRECTIONAL: LstmLayout = {
  input: [1, 2, 3, 4],
  recurrent: [5, 6, 7, 8],
  auxiliary: NONE,
  peephole: [9, 10, -1, 11],
  bias: [12, 13, 14, 15],
  projection: 16,
  projectionBias: 17,
  outputState: 18,
  cellState: 19,
  layerNorm: [20, 21, 22, 23],
};

/** The forward and backward halves of BIDIRECTIONAL_SEQUENCE_LSTM. */
export const FORWARD: LstmLayout = {
  input: [1, 2, 3, 4],
  recurrent: [5, 6, 7, 8],
  auxiliary: [40, 41, 42, 43],
  peephole: [9, 10, -1, 11],
  bias: [12, 13, 14, 15],
  projection: 16,
  projectionBias: 17,
  outputState: 35,
  cellState: 36,
  layerNorm: NONE,
};
export const BACKWARD: LstmLayout = {
  input: [18, 19, 20, 21],
  recurrent: [22, 23, 24, 25],
  auxiliary: [44, 45, 46, 47],
  peephole: [26, 27, -1, 28],
  bias: [29, 30, 31, 32],
  projection: 33,
  projectionBias: 34,
  outputState: 37,
  cellState: 38,
  layerNorm: NONE,
};

/** Indices of all operands that are matrices of weights, where they are there. */
export function matrixOperands(layout: LstmLayout): number[] {
  const { input, recurrent, auxiliary, projection } = layout;
  return [...input, ...recurrent, ...auxiliary, projection].filter((index) => index >= 0);
}

/** Sizes of one LSTM: cells is the width of the gates, outputs that of the output state. */
export interface LstmSizes {
  readonly batch: number;
  readonly inputs: number;
  readonly cells: number;
  readonly outputs: number;
}

/** The gate whose input weights are always there. */
const FORGET = 1;

/**
 * Checks types: float activations and states, weights float or int8.
 *
 * @throws {UnsupportedError | GraphError}
 */
export function checkFloatLstm(node: KernelNode, layout: LstmLayout): void {
  const { outputState, cellState, projectionBias } = layout;
  for (const index of [...layout.input.slice(1), ...layout.recurrent.slice(1)])
    inputAt(node, index);
  for (const index of [...layout.bias.slice(1), outputState, cellState]) inputAt(node, index);
  requireInputGate(node, layout);
  requireFloats(node, [0, ...layout.bias, ...layout.layerNorm, projectionBias]);
  requireFloats(node, [outputState, cellState]);
  requireWeights(node, [...layout.input, ...layout.recurrent, ...layout.auxiliary]);
  requireWeights(node, [...layout.peephole, layout.projection]);
}

/**
 * Requires the weights of the input gate to be there all or none: without them the gate is 1 minus the forget gate.
 *
 * @throws {GraphError}
 */
export function requireInputGate(node: KernelNode, { input, recurrent, bias }: LstmLayout): void {
  const [hasInput, hasRecurrent, hasBias] = [input[0], recurrent[0], bias[0]].map((index) => {
    return node.inputs[index] !== undefined;
  });
  if (hasInput === hasRecurrent && hasInput === hasBias) return;
  throw new GraphError({
    where: node.where,
    found: "some of the input gate's weights and bias",
    expected: "all of them, or none",
    node: node.op,
  });
}

/**
 * Checks the shapes of all operands against each other.
 *
 * @throws {ShapeError}
 */
export function lstmSizes(
  node: KernelNode,
  layout: LstmLayout,
  batch: number,
  inputs: number,
  auxiliaryInputs = 0,
): LstmSizes {
  const cells = inputAt(node, layout.input[FORGET]).shape[0] ?? 0;
  const projection = node.inputs[layout.projection];
  const outputs = projection === undefined ? cells : (projection.shape[0] ?? 0);
  const each = (indices: PerGate, shape: readonly number[]) => {
    for (const index of indices) requireShape(node, node.inputs[index], shape);
  };
  each(layout.input, [cells, inputs]);
  const isDiagonal = inputAt(node, layout.recurrent[FORGET]).shape.length === 1;
  if (isDiagonal && outputs !== cells) throw misshapen(node, "diagonal weights", "no projection");
  each(layout.recurrent, isDiagonal ? [cells] : [cells, outputs]);
  each(layout.auxiliary, [cells, auxiliaryInputs]);
  each(layout.peephole, [cells]);
  each(layout.bias, [cells]);
  each(layout.layerNorm, [cells]);
  requireShape(node, projection, [outputs, cells]);
  requireShape(node, node.inputs[layout.projectionBias], [outputs]);
  requireState(node, layout.outputState, batch * outputs);
  requireState(node, layout.cellState, batch * cells);
  return { batch, inputs, cells, outputs };
}

/** The weights of a cell, from the operands of a run. */
export function lstmWeights(inputs: Parameters<KernelRun>[0], layout: LstmLayout): LstmWeights {
  const vector = (index: number) => mapPresent(inputs[index], weightVector);
  const gate = (at: 0 | 1 | 2 | 3): GateWeights => {
    const recurrent = present(inputs[layout.recurrent[at]]);
    return {
      input: weightMatrix(present(inputs[layout.input[at]])),
      recurrent:
        recurrent.shape.length === 1
          ? { diagonal: weightVector(recurrent) }
          : weightMatrix(recurrent),
      auxiliary: mapPresent(inputs[layout.auxiliary[at]], weightMatrix),
      peephole: vector(layout.peephole[at]),
      bias: vector(layout.bias[at]),
      layerNorm: vector(layout.layerNorm[at]),
    };
  };
  return {
    inputGate: inputs[layout.input[0]] === undefined ? undefined : gate(0),
    forgetGate: gate(1),
    cellGate: gate(2),
    outputGate: gate(3),
    projection: mapPresent(inputs[layout.projection], weightMatrix),
    projectionBias: vector(layout.projectionBias),
  };
}

/** Scratch for a batch. */
export function lstmMemory(
  { batch, inputs, cells, outputs }: LstmSizes,
  auxiliaryInputs: number,
  asymmetric: boolean,
  math: RecurrentMath,
): LstmMemory {
  const gate = () => new Float32Array(batch * cells);
  const vectors = (depth: number) => math.vectors(batch, depth, asymmetric);
  return {
    inputGate: gate(),
    forgetGate: gate(),
    cellGate: gate(),
    outputGate: gate(),
    activatedCell: gate(),
    input: vectors(inputs),
    auxiliary: auxiliaryInputs === 0 ? undefined : vectors(auxiliaryInputs),
    recurrent: vectors(outputs),
    hidden: vectors(cells),
    math,
  };
}

function mapPresent<Result>(
  view: TensorView | undefined,
  map: (view: TensorView) => Result,
): Result | undefined {
  return view === undefined ? undefined : map(view);
}
