/**
 * Fully quantized UNIDIRECTIONAL_SEQUENCE_LSTM and LSTM: how the scales of the operands become the multipliers of a cell.
 * Operands stand where the float operator has them; the scale of the hidden vector, and with layer normalization those
 * of the gates, come with the operator's intermediate tensors. TensorFlow Lite 2.21 kernels/lstm.cc
 * (PopulateQuantizedLstmParams8x8_16).
 */
import { GraphError } from "../../base/errors.ts";
import type { KernelNode, KernelRun, TensorView } from "../kernel.ts";
import {
  inputAt,
  outputAt,
  type PerTensorQuantization,
  perTensorQuantization,
  requireType,
  unsupported,
} from "../require.ts";
import { int8, int16, int32, present } from "../views.ts";
import { quantizeMultiplier } from "./fixed-point.ts";
import { BYTE_INTERMEDIATES, checkByteLstm } from "./lstm-integer-8.ts";
import {
  type IntegerGate,
  type IntegerLayerNorm,
  type IntegerLstm,
  type IntegerProduct,
  integerLstmStep,
} from "./lstm-integer-cell.ts";
import { UNIDIRECTIONAL as LAYOUT, type LstmSizes, requireInputGate } from "./lstm-operands.ts";
import { readStep, type SequenceShape, writeStep } from "./sequence.ts";

const { fround } = Math;

/** Gates without layer normalization are in Q3.12. */
const GATE_SCALE = 2 ** -12;
/** Index of the hidden vector among the intermediate tensors. */
const HIDDEN = 4;

/** Whether the operator is fully quantized. */
export function isIntegerLstm(node: KernelNode): boolean {
  return inputAt(node, 0).dtype === "int8";
}

/**
 * Checks types and quantization.
 *
 * @throws {UnsupportedError} for other schemes than 8-bit vectors with a 16-bit cell, or 8-bit products.
 */
export function checkIntegerLstm(node: KernelNode): void {
  const required = [
    ...LAYOUT.input.slice(1),
    ...LAYOUT.recurrent.slice(1),
    ...LAYOUT.bias.slice(1),
  ];
  for (const index of required) inputAt(node, index);
  requireInputGate(node, LAYOUT);
  const each = (indices: readonly number[], dtype: "int8" | "int16" | "int32", role: string) => {
    for (const index of indices) {
      const operand = node.inputs[index];
      if (operand !== undefined) requireType(node, operand, [dtype], role);
    }
  };
  each([...LAYOUT.input, ...LAYOUT.recurrent, LAYOUT.projection], "int8", "weights");
  each([...LAYOUT.peephole, ...LAYOUT.layerNorm], "int16", "peephole or normalization weights");
  each([...LAYOUT.bias, LAYOUT.projectionBias], "int32", "bias");
  requireType(node, inputAt(node, LAYOUT.outputState), ["int8"], "output state");
  requireType(node, inputAt(node, LAYOUT.cellState), ["int16"], "cell state");
  requireType(node, outputAt(node, 0), ["int8"], "output");
  const count = node.intermediates?.length ?? 0;
  if (count === BYTE_INTERMEDIATES) {
    checkByteLstm(node);
    return;
  }
  if (count !== HIDDEN + 1) throw unsupported(node, `on int8 with ${count} intermediate tensors`);
  hiddenQuantization(node);
  cellExponent(node);
}

function hiddenQuantization(node: KernelNode): PerTensorQuantization {
  const hidden = node.intermediates?.[HIDDEN];
  if (hidden?.quantization?.scale.length === 1) {
    return perTensorQuantization(node, hidden, "hidden vector");
  }
  return perTensorQuantization(node, inputAt(node, LAYOUT.outputState), "output state");
}

/** The cell state's scale is a power of two. */
function cellExponent(node: KernelNode): number {
  const { scale } = perTensorQuantization(node, inputAt(node, LAYOUT.cellState), "cell state");
  const exponent = Math.log2(scale);
  if (Number.isInteger(exponent) && exponent >= -30 && exponent <= 0) return exponent;
  throw new GraphError({
    where: node.where,
    found: `cell state of scale ${scale}`,
    expected: "a power of two of at most 1",
    node: node.op,
  });
}

/** Makes the cell from constant operands; settings come from the options of the operator at hand. */
export function integerLstm(
  node: KernelNode,
  inputs: Parameters<KernelRun>[0],
  settings: { readonly cellClip: number; readonly projectionClip: number },
): IntegerLstm {
  const quantization = (index: number) => {
    return perTensorQuantization(node, inputAt(node, index), `input ${index}`);
  };
  const [x, state] = [quantization(0), quantization(LAYOUT.outputState)];
  const hidden = hiddenQuantization(node);
  const exponent = cellExponent(node);
  const gate = (at: 0 | 1 | 2 | 3): IntegerGate => {
    const normalization = inputs[LAYOUT.layerNorm[at]];
    const intermediate = node.intermediates?.[at];
    const scale =
      normalization === undefined || intermediate === undefined
        ? GATE_SCALE
        : perTensorQuantization(node, intermediate, "gate").scale;
    const bias = inputs[LAYOUT.bias[at]];
    const [w, r] = [LAYOUT.input[at], LAYOUT.recurrent[at]];
    const peephole = inputs[LAYOUT.peephole[at]];
    const inputFactor = fround(fround(quantization(w).scale * x.scale) / scale);
    const recurrentFactor = fround(fround(quantization(r).scale * state.scale) / scale);
    const ownBias = normalization === undefined ? bias : undefined;
    return {
      input: product(inputs[w], ownBias, x.zeroPoint, inputFactor),
      recurrent: product(inputs[r], undefined, state.zeroPoint, recurrentFactor),
      peephole: peephole && {
        weights: int16(peephole),
        factor: quantizeMultiplier(
          fround((2 ** exponent * quantization(LAYOUT.peephole[at]).scale) / scale),
        ),
      },
      layerNorm:
        normalization && layerNorm(normalization, bias, quantization(LAYOUT.layerNorm[at])),
    };
  };
  return {
    inputGate: inputs[LAYOUT.input[0]] === undefined ? undefined : gate(0),
    forgetGate: gate(1),
    cellGate: gate(2),
    outputGate: gate(3),
    projection:
      inputs[LAYOUT.projection] &&
      product(
        inputs[LAYOUT.projection],
        inputs[LAYOUT.projectionBias],
        hidden.zeroPoint,
        fround(fround(quantization(LAYOUT.projection).scale * hidden.scale) / state.scale),
      ),
    cellExponent: exponent,
    cellClip: Math.trunc(Math.min(32767, settings.cellClip / 2 ** exponent)),
    projectionClip: Math.trunc(Math.min(127, settings.projectionClip / state.scale)),
    hidden: quantizeMultiplier(fround(2 ** -30 / hidden.scale)),
    hiddenZeroPoint: hidden.zeroPoint,
    outputZeroPoint: state.zeroPoint,
  };
}

function product(
  view: TensorView | undefined,
  bias: TensorView | undefined,
  zeroPoint: number,
  factor: number,
): IntegerProduct {
  const weights = int8(view);
  const [units, depth] = present(view).shape;
  const offsets = new Float64Array(units);
  for (let n = 0; n < units; n++) {
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += weights[n * depth + k];
    offsets[n] = (bias === undefined ? 0 : int32(bias)[n]) - zeroPoint * sum;
  }
  return { weights, units, depth, bias: offsets, factor: quantizeMultiplier(factor) };
}

function layerNorm(
  coefficients: TensorView,
  bias: TensorView | undefined,
  { scale }: PerTensorQuantization,
): IntegerLayerNorm {
  return {
    coefficients: int16(coefficients),
    bias: int32(bias),
    factor: quantizeMultiplier(scale),
    varianceGuard: Math.max(1, Math.trunc(10000 * scale)),
  };
}

/** Runs a whole sequence. */
export function runIntegerSequence(
  lstm: IntegerLstm,
  sizes: LstmSizes,
  inputs: Parameters<KernelRun>[0],
  shape: SequenceShape,
  out: TensorView,
): void {
  const [outputState, cellState] = [
    int8(inputs[LAYOUT.outputState]),
    int16(inputs[LAYOUT.cellState]),
  ];
  const rows = new Int8Array(sizes.batch * sizes.inputs);
  const outputShape = { ...shape, width: sizes.outputs };
  for (let step = 0; step < shape.steps; step++) {
    readStep(int8(inputs[0]), shape, step, rows);
    integerLstmStep(lstm, rows, outputState, cellState);
    writeStep(outputState, sizes.outputs, int8(out), outputShape, step);
  }
}
