/**
 * One step of a long short-term memory, on a batch, in float32; weights float or hybrid. With x the input, a an auxiliary
 * input, h the output state, c the cell state, ⊙ element by element:
 *
 *   i = σ(Wi·x + Ai·a + Ri·h + pi⊙c + bi)      (without Wi: i = 1 − f, "CIFG")
 *   f = σ(Wf·x + Af·a + Rf·h + pf⊙c + bf)
 *   g = act(Wc·x + Ac·a + Rc·h + bc)
 *   c ← clip(f⊙c + i⊙g)
 *   o = σ(Wo·x + Ao·a + Ro·h + po⊙c + bo)
 *   h ← o⊙act(c), or clip(P·(o⊙act(c)) + bp) with a projection
 *
 * With layer normalization a gate is normalized, multiplied by its coefficients, and only then gets its bias.
 * TensorFlow Lite 2.21 kernels/lstm_eval.cc.
 */

import {
  fillRows,
  type RecurrentMath,
  type VectorBatch,
  type WeightMatrix,
} from "./recurrent-product.ts";
import type { ScalarFunction } from "./vector-activation.ts";
import { clipInPlace, sigmoid } from "./vector-activation.ts";

/** What one gate needs; what an LSTM does not have is undefined. */
export interface GateWeights {
  readonly input: WeightMatrix;
  readonly recurrent: RecurrentWeights;
  readonly auxiliary: WeightMatrix | undefined;
  readonly peephole: Float32Array | undefined;
  readonly bias: Float32Array | undefined;
  readonly layerNorm: Float32Array | undefined;
}

/** A full matrix, or its diagonal only. */
export type RecurrentWeights = WeightMatrix | { readonly diagonal: Float32Array };

export interface LstmWeights {
  /** Undefined with CIFG. */
  readonly inputGate: GateWeights | undefined;
  readonly forgetGate: GateWeights;
  readonly cellGate: GateWeights;
  readonly outputGate: GateWeights;
  readonly projection: WeightMatrix | undefined;
  readonly projectionBias: Float32Array | undefined;
}

export interface LstmSettings {
  readonly activation: ScalarFunction;
  /** 0: no limit. */
  readonly cellClip: number;
  readonly projectionClip: number;
}

/** Memory of one LSTM for a batch; the gates are scratch. */
export interface LstmMemory {
  /** float32[batch, cells] each; the last is for the activation of the cell state. */
  readonly inputGate: Float32Array;
  readonly forgetGate: Float32Array;
  readonly cellGate: Float32Array;
  readonly outputGate: Float32Array;
  readonly activatedCell: Float32Array;
  readonly input: VectorBatch;
  readonly auxiliary: VectorBatch | undefined;
  readonly recurrent: VectorBatch;
  readonly hidden: VectorBatch;
  readonly math: RecurrentMath;
}

/**
 * Advances one step. `memory.input` (and `auxiliary`) hold the step's vectors; `outputState` float32[batch, outputs] and
 * `cellState` float32[batch, cells] are read and replaced.
 */
export function lstmStep(
  weights: LstmWeights,
  settings: LstmSettings,
  memory: LstmMemory,
  outputState: Float32Array,
  cellState: Float32Array,
): void {
  const { inputGate, forgetGate, cellGate, outputGate, activatedCell, math } = memory;
  memory.recurrent.load(outputState);
  const gate = (rows: Float32Array, own: GateWeights, act: ScalarFunction) => {
    computeGate(rows, own, memory, outputState, cellState);
    math.apply(rows, act);
  };
  if (weights.inputGate !== undefined) gate(inputGate, weights.inputGate, sigmoid);
  gate(forgetGate, weights.forgetGate, sigmoid);
  gate(cellGate, weights.cellGate, settings.activation);
  if (weights.inputGate === undefined) {
    for (let i = 0; i < forgetGate.length; i++) inputGate[i] = 1 - forgetGate[i];
  }
  updateCell(cellState, forgetGate, inputGate, cellGate, settings.cellClip);
  gate(outputGate, weights.outputGate, sigmoid);
  activatedCell.set(cellState);
  math.apply(activatedCell, settings.activation);
  for (let i = 0; i < outputGate.length; i++) outputGate[i] *= activatedCell[i];
  project(weights, settings, memory, outputState);
}

function computeGate(
  gate: Float32Array,
  weights: GateWeights,
  memory: LstmMemory,
  outputState: Float32Array,
  cellState: Float32Array,
): void {
  const { layerNorm, bias, auxiliary, recurrent, peephole } = weights;
  fillRows(gate, layerNorm === undefined ? bias : undefined);
  memory.input.addProduct(weights.input, gate);
  if (auxiliary !== undefined) memory.auxiliary?.addProduct(auxiliary, gate);
  if ("diagonal" in recurrent) addElementwise(gate, recurrent.diagonal, outputState);
  else memory.recurrent.addProduct(recurrent, gate);
  if (peephole !== undefined) addElementwise(gate, peephole, cellState);
  if (layerNorm !== undefined) normalizeRows(gate, layerNorm, bias);
}

/** gate[b, n] += vector[n]·state[b, n]. */
function addElementwise(gate: Float32Array, vector: Float32Array, state: Float32Array): void {
  const units = vector.length;
  for (let i = 0; i < gate.length; i++) gate[i] += Math.fround(vector[i % units] * state[i]);
}

/** c = clip(f·c + i·g), each product rounded to float32. */
function updateCell(
  cell: Float32Array,
  forget: Float32Array,
  input: Float32Array,
  candidate: Float32Array,
  clip: number,
): void {
  const { fround } = Math;
  for (let i = 0; i < cell.length; i++) {
    cell[i] = fround(forget[i] * cell[i]) + fround(input[i] * candidate[i]);
  }
  clipInPlace(cell, clip);
}

function project(
  { projection, projectionBias }: LstmWeights,
  { projectionClip }: LstmSettings,
  memory: LstmMemory,
  outputState: Float32Array,
): void {
  if (projection === undefined) {
    outputState.set(memory.outputGate);
    return;
  }
  memory.hidden.load(memory.outputGate);
  fillRows(outputState, projectionBias);
  memory.hidden.addProduct(projection, outputState);
  clipInPlace(outputState, projectionClip);
}

/** Keeps the variance of a constant row from being 0. */
const VARIANCE_FLOOR = 1e-8;

/** Rows to mean 0 and variance 1, × coefficients + bias. */
function normalizeRows(
  rows: Float32Array,
  coefficients: Float32Array,
  bias: Float32Array | undefined,
): void {
  const units = coefficients.length;
  for (let at = 0; at < rows.length; at += units) {
    let sum = 0;
    for (let n = 0; n < units; n++) sum += rows[at + n];
    const mean = sum / units;
    let squares = 0;
    for (let n = 0; n < units; n++) squares += (rows[at + n] - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / units + VARIANCE_FLOOR);
    for (let n = 0; n < units; n++) {
      const normal = Math.fround((rows[at + n] - mean) * factor);
      rows[at + n] = Math.fround(normal * coefficients[n]) + (bias?.[n] ?? 0);
    }
  }
}
