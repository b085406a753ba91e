/**
 * One step of a fully quantized LSTM: int8 vectors and weights, int16 gates and cell state. Gates are sums in Q3.12 (or in
 * the scale of the operator's intermediate tensors, with layer normalization), activations are Q0.15; sigmoid and tanh
 * are gemmlowp's in 16-bit fixed point. TensorFlow Lite 2.21 kernels/lstm_eval.cc (EvalInteger8x8_16) and
 * kernels/internal/reference/portable_tensor_utils.cc.
 */
import { dotIntegerRows } from "./dot.ts";
import {
  multiplyByQuantizedMultiplier,
  type QuantizedMultiplier,
  roundingDivideByPowerOfTwo,
} from "./fixed-point.ts";
import { inverseSquareRoot } from "./fixed-point-functions.ts";
import { fixedPointLogistic, fixedPointTanh, saturateFixed16 } from "./fixed-point-sigmoid.ts";

/** A weight matrix [units, depth] with what turns its sums into gate units. */
export interface IntegerProduct {
  readonly weights: Int8Array;
  readonly units: number;
  readonly depth: number;
  /** Bias minus zero point × row sum of the weights. */
  readonly bias: Float64Array;
  readonly factor: QuantizedMultiplier;
}

export interface IntegerLayerNorm {
  readonly coefficients: Int16Array;
  readonly bias: Int32Array;
  readonly factor: QuantizedMultiplier;
  /** Replaces a variance of 0. */
  readonly varianceGuard: number;
}

export interface IntegerGate {
  readonly input: IntegerProduct;
  readonly recurrent: IntegerProduct;
  readonly peephole:
    | { readonly weights: Int16Array; readonly factor: QuantizedMultiplier }
    | undefined;
  readonly layerNorm: IntegerLayerNorm | undefined;
}

/** How a cell state is updated. */
export interface CellUpdate {
  /** The scale of the cell state is 2^cellExponent. */
  readonly cellExponent: number;
  /** In units of the cell state; 0: no limit. */
  readonly cellClip: number;
}

export interface IntegerLstm extends CellUpdate {
  /** Undefined with CIFG. */
  readonly inputGate: IntegerGate | undefined;
  readonly forgetGate: IntegerGate;
  readonly cellGate: IntegerGate;
  readonly outputGate: IntegerGate;
  readonly projection: IntegerProduct | undefined;
  readonly projectionClip: number;
  /** From Q0.30 to the int8 hidden vector. */
  readonly hidden: QuantizedMultiplier;
  readonly hiddenZeroPoint: number;
  readonly outputZeroPoint: number;
}

const GATE_INTEGER_BITS = 3;

/** The nearest int8. */
export function toInt8(value: number): number {
  return Math.max(-128, Math.min(127, value));
}

/** result[b, n] = saturate(requantize(W[n]·x[b] + bias[n]) + offset + result[b, n]). */
function addProduct(
  x: Int8Array,
  { weights, units, depth, bias, factor }: IntegerProduct,
  offset: number,
  saturate: (value: number) => number,
  result: Int16Array | Int8Array,
): void {
  const vector = new Float64Array(depth);
  const sums = new Float64Array(units);
  for (let b = 0, at = 0; at < result.length; b++, at += units) {
    for (let k = 0; k < depth; k++) vector[k] = x[b * depth + k];
    dotIntegerRows(vector, depth, weights, 0, units, sums, 0);
    for (let n = 0; n < units; n++) {
      const value = multiplyByQuantizedMultiplier(
        sums[n] + bias[n],
        factor.multiplier,
        factor.shift,
      );
      result[at + n] = saturate(value + offset + result[at + n]);
    }
  }
}

function addPeephole(
  gate: Int16Array,
  { weights, factor }: NonNullable<IntegerGate["peephole"]>,
  cellState: Int16Array,
): void {
  const units = weights.length;
  for (let i = 0; i < gate.length; i++) {
    const product = weights[i % units] * cellState[i];
    const value = multiplyByQuantizedMultiplier(product, factor.multiplier, factor.shift);
    gate[i] = saturateFixed16(gate[i] + value);
  }
}

/** Rows to mean 0 and variance 1 with 10 extra fraction bits, × coefficients + bias, to Q3.12. */
function normalizeRows(gate: Int16Array, norm: IntegerLayerNorm): void {
  const { coefficients, bias, factor, varianceGuard } = norm;
  const units = coefficients.length;
  for (let at = 0; at < gate.length; at += units) {
    let sum = 0;
    let squares = 0;
    for (let n = 0; n < units; n++) {
      sum += gate[at + n];
      squares += gate[at + n] ** 2;
    }
    const mean = Math.trunc((sum * 1024) / units);
    const scaled = squares * Math.trunc(2 ** 20 / units) - mean * mean;
    const variance = Math.trunc(scaled / 2 ** 20);
    const root = inverseSquareRoot(variance < 1 ? varianceGuard : variance);
    for (let n = 0; n < units; n++) {
      const centered = 1024 * gate[at + n] - mean;
      const normal = multiplyByQuantizedMultiplier(centered, root.multiplier, root.shift);
      const weighted = normal * coefficients[n] + bias[n];
      const rounded = Math.trunc((weighted + (weighted > 0 ? 512 : -512)) / 1024);
      const { multiplier, shift } = factor;
      gate[at + n] = saturateFixed16(
        multiplyByQuantizedMultiplier(rounded, multiplier, shift + 12),
      );
    }
  }
}

/** Advances one step for a batch. `outputState` int8[batch, outputs] and `cellState` int16[batch, cells] are replaced. */
export function integerLstmStep(
  lstm: IntegerLstm,
  x: Int8Array,
  outputState: Int8Array,
  cellState: Int16Array,
): void {
  const computeGate = (gate: IntegerGate, act: (value: number, bits: number) => number) => {
    const values = new Int16Array(cellState.length);
    addProduct(x, gate.input, 0, saturateFixed16, values);
    addProduct(outputState, gate.recurrent, 0, saturateFixed16, values);
    if (gate.peephole !== undefined) addPeephole(values, gate.peephole, cellState);
    if (gate.layerNorm !== undefined) normalizeRows(values, gate.layerNorm);
    for (let i = 0; i < values.length; i++) values[i] = act(values[i], GATE_INTEGER_BITS);
    return values;
  };
  const input = lstm.inputGate && computeGate(lstm.inputGate, fixedPointLogistic);
  const forget = computeGate(lstm.forgetGate, fixedPointLogistic);
  const candidate = computeGate(lstm.cellGate, fixedPointTanh);
  updateCell(lstm, cellState, forget, input, candidate);
  const output = computeGate(lstm.outputGate, fixedPointLogistic);
  const hidden = hiddenVector(lstm, cellState, output);
  if (lstm.projection === undefined) {
    outputState.set(hidden);
    return;
  }
  outputState.fill(0);
  addProduct(hidden, lstm.projection, lstm.outputZeroPoint, toInt8, outputState);
  clampState(outputState, lstm.projectionClip);
}

/** Keeps a state within ±limit; 0 stands for none. */
export function clampState(state: Int8Array, limit: number): void {
  if (limit <= 0) return;
  for (let i = 0; i < state.length; i++) state[i] = Math.max(-limit, Math.min(limit, state[i]));
}

/** c = clip(f·c + i·g), with i = 1 − f where there is no input gate. */
export function updateCell(
  { cellExponent, cellClip }: CellUpdate,
  cell: Int16Array,
  forget: Int16Array,
  input: Int16Array | undefined,
  candidate: Int16Array,
): void {
  for (let i = 0; i < cell.length; i++) {
    const kept = roundingDivideByPowerOfTwo(forget[i] * cell[i], 15);
    const gate = input === undefined ? 32767 - forget[i] : input[i];
    const added = roundingDivideByPowerOfTwo(gate * candidate[i], 30 + cellExponent);
    const value = saturateFixed16(kept + added);
    cell[i] = cellClip > 0 ? Math.max(-cellClip, Math.min(cellClip, value)) : value;
  }
}

/** o·tanh(c) in int8. */
function hiddenVector(lstm: IntegerLstm, cell: Int16Array, output: Int16Array): Int8Array {
  const { hidden, hiddenZeroPoint, cellExponent } = lstm;
  return Int8Array.from(cell, (value, i) => {
    const product = output[i] * fixedPointTanh(value, 15 + cellExponent);
    const { multiplier, shift } = hidden;
    return toInt8(multiplyByQuantizedMultiplier(product, multiplier, shift) + hiddenZeroPoint);
  });
}
