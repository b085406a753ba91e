/**
 * The form of LSTM (the operator for a single step) whose products are rounded to 8 bits before they are added: int8
 * vectors and weights, a product of its own scale for every matrix, layer normalization and activations in float32, a
 * cell state in Q0.15, always with a projection. The scales come with 12 intermediate tensors, three for each gate (input,
 * forget, cell, output): those of the gate, of its input product and of its recurrent product. TensorFlow Lite 2.21
 * kernels/lstm.cc (PopulateQuantizedLstmParams8x8_8), lstm_eval.cc (LstmStepInteger8x8_8),
 * internal/reference/portable_tensor_utils.cc. Unlike the official kernel, this one reads the multiplier and zero point
 * of the output gate's recurrent product from their own places.
 */
import { roundHalfAway } from "../../base/rounding.ts";
import type { KernelNode, KernelRun } from "../kernel.ts";
import {
  inputAt,
  type PerTensorQuantization,
  perTensorQuantization,
  unsupported,
} from "../require.ts";
import { int8, int16, int32 } from "../views.ts";
import { dotIntegerRows } from "./dot.ts";
import {
  multiplyByQuantizedMultiplier,
  multiplyWideByQuantizedMultiplier,
  type QuantizedMultiplier,
  quantizeMultiplier,
  roundingDivideByPowerOfTwo,
} from "./fixed-point.ts";
import { saturateFixed16 } from "./fixed-point-sigmoid.ts";
import { type CellUpdate, clampState, toInt8, updateCell } from "./lstm-integer-cell.ts";
import { UNIDIRECTIONAL as LAYOUT } from "./lstm-operands.ts";

const { fround } = Math;

/** Scales of the gate and its two products, for each of four gates. */
export const BYTE_INTERMEDIATES = 12;

/** A matrix product that is rounded to int8. */
interface ByteProduct {
  readonly weights: Int8Array;
  readonly depth: number;
  /** Zero point of the vector. */
  readonly vectorZero: number;
  /** From sums to the product's own scale. */
  readonly factor: QuantizedMultiplier;
  readonly zeroPoint: number;
  /** From the product's scale to the gate's. */
  readonly toGate: QuantizedMultiplier;
}

interface ByteNorm {
  readonly coefficients: Int16Array;
  readonly bias: Int32Array;
  /** float32 scale of the coefficients; that of the bias is 2^−10 times as much. */
  readonly scale: number;
}

interface ByteGate {
  readonly input: ByteProduct;
  readonly recurrent: ByteProduct;
  readonly norm: ByteNorm;
}

interface ByteLstm {
  readonly units: number;
  /** Undefined with CIFG. */
  readonly inputGate: ByteGate | undefined;
  readonly forgetGate: ByteGate;
  readonly cellGate: ByteGate;
  readonly outputGate: ByteGate;
  readonly update: CellUpdate;
  readonly projection: {
    readonly weights: Int8Array;
    readonly bias: Int32Array | undefined;
    readonly factor: QuantizedMultiplier;
  };
  /** In units of the output; 0: no limit. */
  readonly projectionClip: number;
  readonly outputZeroPoint: number;
}

const CELL_EXPONENT = -15;

/**
 * Checks what is particular to this form.
 *
 * @throws {UnsupportedError} without projection or layer normalization, and with peepholes.
 * @throws {GraphError} for tensors without one scale.
 */
export function checkByteLstm(node: KernelNode): void {
  if (node.op !== "LSTM")
    throw unsupported(node, `with ${BYTE_INTERMEDIATES} intermediate tensors`);
  if (node.inputs[LAYOUT.projection] === undefined) {
    throw unsupported(node, "with 8-bit products and no projection");
  }
  if (LAYOUT.layerNorm.slice(1).some((index) => node.inputs[index] === undefined)) {
    throw unsupported(node, "with 8-bit products and no layer normalization");
  }
  if (LAYOUT.peephole.some((index) => node.inputs[index] !== undefined)) {
    throw unsupported(node, "with 8-bit products and peepholes");
  }
  const { scale } = perTensorQuantization(node, inputAt(node, LAYOUT.cellState), "cell state");
  if (scale !== 2 ** CELL_EXPONENT) throw unsupported(node, `with a cell state of scale ${scale}`);
  for (let at = 0; at < BYTE_INTERMEDIATES; at++) {
    const belongsToInputGate = at < 3 && node.inputs[LAYOUT.input[0]] === undefined;
    if (!belongsToInputGate) intermediate(node, at);
  }
}

function intermediate(node: KernelNode, at: number): PerTensorQuantization {
  const tensor = node.intermediates?.[at];
  if (tensor === undefined) throw unsupported(node, `without intermediate tensor ${at}`);
  return perTensorQuantization(node, tensor, `intermediate tensor ${at}`);
}

/** Makes the cell from constant operands. */
function byteLstm(
  node: KernelNode,
  inputs: Parameters<KernelRun>[0],
  settings: { readonly cellClip: number; readonly projectionClip: number },
): ByteLstm {
  const quantization = (index: number) => {
    return perTensorQuantization(node, inputAt(node, index), `input ${index}`);
  };
  const state = quantization(LAYOUT.outputState);
  const product = (weights: number, vector: PerTensorQuantization, gate: number, own: number) => {
    const { scale, zeroPoint } = intermediate(node, own);
    return {
      weights: int8(inputs[weights]),
      depth: inputAt(node, weights).shape[1],
      vectorZero: vector.zeroPoint,
      factor: quantizeMultiplier(
        fround(fround(quantization(weights).scale * vector.scale) / scale),
      ),
      zeroPoint,
      toGate: quantizeMultiplier(fround(scale / intermediate(node, gate).scale)),
    };
  };
  const gate = (at: 0 | 1 | 2 | 3): ByteGate => ({
    input: product(LAYOUT.input[at], quantization(0), 3 * at, 3 * at + 1),
    recurrent: product(LAYOUT.recurrent[at], state, 3 * at, 3 * at + 2),
    norm: {
      coefficients: int16(inputs[LAYOUT.layerNorm[at]]),
      bias: int32(inputs[LAYOUT.bias[at]]),
      scale: quantization(LAYOUT.layerNorm[at]).scale,
    },
  });
  const projectionBias = inputs[LAYOUT.projectionBias];
  const { cellClip, projectionClip } = settings;
  return {
    units: inputAt(node, LAYOUT.input[1]).shape[0],
    inputGate: inputs[LAYOUT.input[0]] === undefined ? undefined : gate(0),
    forgetGate: gate(1),
    cellGate: gate(2),
    outputGate: gate(3),
    update: {
      cellExponent: CELL_EXPONENT,
      cellClip: cellClip < 1 ? Math.trunc(cellClip / 2 ** CELL_EXPONENT) : 0,
    },
    projection: {
      weights: int8(inputs[LAYOUT.projection]),
      bias: projectionBias && int32(projectionBias),
      factor: quantizeMultiplier(
        fround((quantization(LAYOUT.projection).scale * 2 ** -15) / state.scale),
      ),
    },
    projectionClip: Math.trunc(Math.min(127, projectionClip / state.scale)),
    outputZeroPoint: state.zeroPoint,
  };
}

/** int8(requantize(Σ (x − z)·w) + zero point) − zero point, brought to the gate's scale and added to it. */
function addProduct(x: Int8Array, product: ByteProduct, units: number, gate: Float64Array): void {
  const { weights, depth, vectorZero, factor, zeroPoint, toGate } = product;
  const vector = new Float64Array(depth);
  const sums = new Float64Array(units);
  for (let b = 0, at = 0; at < gate.length; b++, at += units) {
    for (let k = 0; k < depth; k++) vector[k] = x[b * depth + k] - vectorZero;
    dotIntegerRows(vector, depth, weights, 0, units, sums, 0);
    for (let n = 0; n < units; n++) {
      const { multiplier, shift } = factor;
      const scaled = multiplyByQuantizedMultiplier(sums[n], multiplier, shift);
      const byte = toInt8(scaled + zeroPoint) - zeroPoint;
      gate[at + n] += multiplyByQuantizedMultiplier(byte, toGate.multiplier, toGate.shift);
    }
  }
}

/** Rows to mean 0 and variance 1, × coefficients + bias, in float32 at every step; rounded to Q3.12. */
function normalizeRows(gate: Int16Array, { coefficients, bias, scale }: ByteNorm): void {
  const units = coefficients.length;
  const biasScale = fround(2 ** -10 * scale);
  for (let at = 0; at < gate.length; at += units) {
    let sum = 0;
    let squares = 0;
    for (let n = 0; n < units; n++) {
      sum = fround(sum + gate[at + n]);
      squares = fround(squares + fround(gate[at + n] ** 2));
    }
    const mean = fround(sum / units);
    const variance = fround(fround(squares / units) - fround(mean * mean));
    const inverse = fround(1 / Math.sqrt(variance === 0 ? 1e-8 : variance));
    for (let n = 0; n < units; n++) {
      const normal = fround(fround(gate[at + n] - mean) * inverse);
      const weighted = fround(fround(normal * coefficients[n]) * scale);
      const value = fround(weighted + fround(fround(bias[n]) * biasScale));
      gate[at + n] = saturateFixed16(roundHalfAway(value * 4096));
    }
  }
}

/** A value of float32 in [−1, 1] as Q0.15, cut off. */
function toFraction(value: number): number {
  return saturateFixed16(Math.trunc(fround(value) * 32768));
}

const sigmoid = (q: number) => toFraction(1 / fround(1 + fround(Math.exp(-q / 4096))));
const gateTanh = (q: number) => toFraction(Math.tanh(q / 4096));
const stateTanh = (q: number) => toFraction(Math.tanh(q / 32768));

/** Advances one step for a batch. `outputState` int8[batch, outputs] and `cellState` int16[batch, cells] are replaced. */
function byteLstmStep(
  lstm: ByteLstm,
  x: Int8Array,
  outputState: Int8Array,
  cellState: Int16Array,
): void {
  const compute = ({ input, recurrent, norm }: ByteGate, act: (q: number) => number) => {
    const sums = new Float64Array(cellState.length);
    addProduct(x, input, lstm.units, sums);
    addProduct(outputState, recurrent, lstm.units, sums);
    const gate = Int16Array.from(sums, saturateFixed16);
    normalizeRows(gate, norm);
    return gate.map(act);
  };
  const input = lstm.inputGate && compute(lstm.inputGate, sigmoid);
  const forget = compute(lstm.forgetGate, sigmoid);
  const candidate = compute(lstm.cellGate, gateTanh);
  updateCell(lstm.update, cellState, forget, input, candidate);
  const output = compute(lstm.outputGate, sigmoid);
  const hidden = cellState.map((value, i) => {
    return roundingDivideByPowerOfTwo(output[i] * stateTanh(value), 15);
  });
  project(lstm, hidden, outputState);
}

function project(lstm: ByteLstm, hidden: Int16Array, outputState: Int8Array): void {
  const { units, projection, projectionClip, outputZeroPoint } = lstm;
  const { weights, bias, factor } = projection;
  const outputs = weights.length / units;
  for (let i = 0; i < outputState.length; i++) {
    const [b, n] = [Math.floor(i / outputs), i % outputs];
    let sum = bias?.[n] ?? 0;
    for (let k = 0; k < units; k++) sum += hidden[b * units + k] * weights[n * units + k];
    const scaled = multiplyWideByQuantizedMultiplier(sum, factor.multiplier, factor.shift);
    outputState[i] = toInt8(scaled + outputZeroPoint);
  }
  clampState(outputState, projectionClip);
}

/** The one step of the operator, bound to constant weights. */
export function createByteLstm(
  node: KernelNode,
  settings: { readonly cellClip: number; readonly projectionClip: number },
): KernelRun {
  let lstm: ByteLstm | undefined;
  return (inputs, [out]) => {
    lstm ??= byteLstm(node, inputs, settings);
    const outputState = int8(inputs[LAYOUT.outputState]);
    byteLstmStep(lstm, int8(inputs[0]), outputState, int16(inputs[LAYOUT.cellState]));
    int8(out).set(outputState);
  };
}
