/**
 * RNN, UNIDIRECTIONAL_SEQUENCE_RNN and BIDIRECTIONAL_SEQUENCE_RNN: h ← act(W·x + A·a + R·h + b), weights float or hybrid.
 * The hidden state is a variable operand that outlives a run. TensorFlow Lite 2.21 kernels/rnn.cc,
 * unidirectional_sequence_rnn.cc, bidirectional_sequence_rnn.cc; the latter runs hybrid time-major sequences several
 * times over, which is not followed here.
 */
import { formatShape } from "../../base/shape.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, requireOperands, requireRank } from "../require.ts";
import { float32, present } from "../views.ts";
import {
  fillRows,
  PLAIN_MATH,
  type RecurrentMath,
  requireFloatEnds,
  requireFloats,
  requireShape,
  requireState,
  requireWeights,
  type VectorBatch,
  weightMatrix,
} from "./recurrent-product.ts";
import { readStep, type SequenceShape, sequenceShape, stepOrder, writeStep } from "./sequence.ts";
import { activationFunction, type ScalarFunction } from "./vector-activation.ts";

/** Where the operands of one direction stand; auxiliary weights are -1 where the operator has none. */
interface RnnLayout {
  readonly weights: number;
  readonly recurrent: number;
  readonly bias: number;
  readonly state: number;
  readonly auxiliaryWeights: number;
}

const FORWARD: RnnLayout = { weights: 1, recurrent: 2, bias: 3, state: 4, auxiliaryWeights: -1 };
const BOTH_FORWARD: RnnLayout = { ...FORWARD, auxiliaryWeights: 10 };
const BOTH_BACKWARD: RnnLayout = {
  weights: 5,
  recurrent: 6,
  bias: 7,
  state: 8,
  auxiliaryWeights: 11,
};
const AUXILIARY_INPUT = 9;

/** One direction of a sequence. */
export interface RnnDirection {
  readonly layout: RnnLayout;
  readonly units: number;
  readonly input: SequenceShape;
  readonly auxiliaryWidth: number;
  readonly backward: boolean;
  readonly asymmetric: boolean;
  readonly activation: ScalarFunction;
  readonly fusedActivation: ActivationFunctionType;
}

/** One walk over a sequence: the operands that it reads, and where its outputs go. */
export interface RnnPass {
  readonly direction: RnnDirection;
  /** Operand that is the sequence. */
  readonly input: number;
  /** Operand that is the auxiliary sequence; undefined without. */
  readonly auxiliary: number | undefined;
  readonly output: number;
  readonly outputShape: SequenceShape;
  /** Where its part of each output vector starts. */
  readonly offset: number;
}

function checkDirection(node: KernelNode, layout: RnnLayout): void {
  for (const index of [layout.weights, layout.recurrent, layout.bias, layout.state]) {
    inputAt(node, index);
  }
  requireFloats(node, [layout.bias, layout.state]);
  requireWeights(node, [layout.weights, layout.recurrent, layout.auxiliaryWeights]);
}

function unitsOf(node: KernelNode, layout: RnnLayout, input: SequenceShape, auxiliary = 0): number {
  const units = inputAt(node, layout.weights).shape[0] ?? 0;
  requireShape(node, node.inputs[layout.weights], [units, input.width]);
  requireShape(node, node.inputs[layout.recurrent], [units, units]);
  requireShape(node, node.inputs[layout.bias], [units]);
  requireShape(node, node.inputs[layout.auxiliaryWeights], [units, auxiliary]);
  requireState(node, layout.state, input.batch * units);
  return units;
}

/** Scratch of one direction. */
interface RnnMemory {
  readonly vectors: VectorBatch;
  readonly states: VectorBatch;
  readonly auxiliaries: VectorBatch;
  readonly math: RecurrentMath;
}

function memoryOf(
  { input, units, auxiliaryWidth, asymmetric }: RnnDirection,
  math: RecurrentMath,
): RnnMemory {
  const vectors = (depth: number) => math.vectors(input.batch, depth, asymmetric);
  return {
    vectors: vectors(input.width),
    states: vectors(units),
    auxiliaries: vectors(auxiliaryWidth),
    math,
  };
}

function runPass(
  pass: RnnPass,
  { vectors, states, auxiliaries, math }: RnnMemory,
  inputs: Parameters<KernelRun>[0],
  outputs: Parameters<KernelRun>[1],
): void {
  const { layout, units, input, auxiliaryWidth, backward, activation } = pass.direction;
  const sequence = float32(inputs[pass.input]);
  const auxiliary = pass.auxiliary === undefined ? undefined : float32(inputs[pass.auxiliary]);
  const out = float32(outputs[pass.output]);
  const { batch, width } = input;
  const weights = weightMatrix(present(inputs[layout.weights]));
  const recurrent = weightMatrix(present(inputs[layout.recurrent]));
  const auxiliaryWeights = inputs[layout.auxiliaryWeights];
  const bias = float32(inputs[layout.bias]);
  const state = float32(inputs[layout.state]);
  const rows = new Float32Array(batch * width);
  const auxiliaryRows = new Float32Array(batch * auxiliaryWidth);
  const sums = new Float32Array(batch * units);
  for (const step of stepOrder(input.steps, backward)) {
    readStep(sequence, input, step, rows);
    vectors.load(rows);
    states.load(state);
    fillRows(sums, bias);
    vectors.addProduct(weights, sums);
    if (auxiliary !== undefined && auxiliaryWeights !== undefined) {
      readStep(auxiliary, { ...input, width: auxiliaryWidth }, step, auxiliaryRows);
      auxiliaries.load(auxiliaryRows);
      auxiliaries.addProduct(weightMatrix(auxiliaryWeights), sums);
    }
    states.addProduct(recurrent, sums);
    math.apply(sums, activation);
    state.set(sums);
    writeStep(state, units, out, pass.outputShape, step, pass.offset);
  }
}

function planSingle(node: KernelNode, input: SequenceShape, asymmetric: boolean): RnnDirection {
  const options = optionsOf(node, node.op === "RNN" ? "RNNOptions" : "SequenceRNNOptions");
  return {
    layout: FORWARD,
    units: unitsOf(node, FORWARD, input),
    input,
    auxiliaryWidth: 0,
    backward: false,
    asymmetric,
    activation: activationFunction(node, options.fused_activation_function),
    fusedActivation: options.fused_activation_function,
  };
}

function planStep(node: KernelNode): RnnDirection {
  const { shape } = inputAt(node, 0);
  requireRank(node, shape, [2, 2], "input");
  const [batch, width] = shape;
  const { asymmetric_quantize_inputs } = optionsOf(node, "RNNOptions");
  return planSingle(node, { steps: 1, batch, width, timeMajor: true }, asymmetric_quantize_inputs);
}

function planSequence(node: KernelNode): RnnDirection {
  const { time_major, asymmetric_quantize_inputs } = optionsOf(node, "SequenceRNNOptions");
  const input = sequenceShape(node, inputAt(node, 0).shape, time_major);
  return planSingle(node, input, asymmetric_quantize_inputs);
}

function singlePass(direction: RnnDirection): RnnPass {
  const outputShape = { ...direction.input, width: direction.units };
  return { direction, input: 0, auxiliary: undefined, output: 0, outputShape, offset: 0 };
}

interface BidirectionalPlan {
  readonly forward: RnnDirection;
  readonly backward: RnnDirection;
  readonly merge: boolean;
  /** The backward pass reads the auxiliary input instead of the input. */
  readonly crossed: boolean;
}

function planBidirectional(node: KernelNode): BidirectionalPlan {
  const options = optionsOf(node, "BidirectionalSequenceRNNOptions");
  const input = sequenceShape(node, inputAt(node, 0).shape, options.time_major);
  const auxiliary = node.inputs[AUXILIARY_INPUT];
  const auxiliaryShape =
    auxiliary === undefined ? input : sequenceShape(node, auxiliary.shape, options.time_major);
  if (auxiliaryShape.steps !== input.steps || auxiliaryShape.batch !== input.batch) {
    throw misshapen(
      node,
      `auxiliary input ${formatShape(auxiliary?.shape ?? [])}`,
      "as many steps",
    );
  }
  const hasWeights = node.inputs[BOTH_FORWARD.auxiliaryWeights] !== undefined;
  const crossed = auxiliary !== undefined && !hasWeights;
  const auxiliaryWidth = auxiliary !== undefined && hasWeights ? auxiliaryShape.width : 0;
  const half = (layout: RnnLayout, own: SequenceShape, backward: boolean): RnnDirection => ({
    layout,
    units: unitsOf(node, layout, own, auxiliaryWidth),
    input: own,
    auxiliaryWidth,
    backward,
    asymmetric: options.asymmetric_quantize_inputs,
    activation: activationFunction(node, options.fused_activation_function),
    fusedActivation: options.fused_activation_function,
  });
  return {
    forward: half(BOTH_FORWARD, input, false),
    backward: half(BOTH_BACKWARD, crossed ? auxiliaryShape : input, true),
    merge: options.merge_outputs,
    crossed,
  };
}

function bothPasses({ forward, backward, merge, crossed }: BidirectionalPlan): RnnPass[] {
  const width = (own: number) => (merge ? forward.units + backward.units : own);
  const auxiliary = forward.auxiliaryWidth > 0 ? AUXILIARY_INPUT : undefined;
  return [
    {
      ...{ direction: forward, input: 0, auxiliary, output: 0, offset: 0 },
      outputShape: { ...forward.input, width: width(forward.units) },
    },
    {
      ...{ direction: backward, input: crossed ? AUXILIARY_INPUT : 0, auxiliary },
      ...{ output: merge ? 0 : 1, offset: merge ? forward.units : 0 },
      outputShape: { ...backward.input, width: width(backward.units) },
    },
  ];
}

function shapeOf({ steps, batch, timeMajor }: SequenceShape, width: number): number[] {
  return timeMajor ? [steps, batch, width] : [batch, steps, width];
}

/** The walks of one of the three operators. */
export function rnnPasses(node: KernelNode): RnnPass[] {
  if (node.op === "BIDIRECTIONAL_SEQUENCE_RNN") return bothPasses(planBidirectional(node));
  return [singlePass(node.op === "RNN" ? planStep(node) : planSequence(node))];
}

/** One of the three operators, computing with `math`. */
export function createRnn(node: KernelNode, math: RecurrentMath): KernelRun {
  const walks = rnnPasses(node).map((pass) => ({ pass, memory: memoryOf(pass.direction, math) }));
  return (inputs, outputs) => {
    for (const { pass, memory } of walks) runPass(pass, memory, inputs, outputs);
  };
}

export const RNN: KernelTable = {
  RNN: {
    stateful: true,
    check(node) {
      requireOperands(node, [5, 5]);
      requireFloatEnds(node);
      checkDirection(node, FORWARD);
    },
    shapes(node) {
      const { input, units } = planStep(node);
      return [[input.batch, units]];
    },
    create: (node) => createRnn(node, PLAIN_MATH),
  },
  UNIDIRECTIONAL_SEQUENCE_RNN: {
    stateful: true,
    check(node) {
      requireOperands(node, [5, 5]);
      requireFloatEnds(node);
      checkDirection(node, FORWARD);
    },
    shapes(node) {
      const { input, units } = planSequence(node);
      return [shapeOf(input, units)];
    },
    create: (node) => createRnn(node, PLAIN_MATH),
  },
  BIDIRECTIONAL_SEQUENCE_RNN: {
    stateful: true,
    check(node) {
      const { merge_outputs } = optionsOf(node, "BidirectionalSequenceRNNOptions");
      requireOperands(node, [12, 12], merge_outputs ? 1 : 2);
      requireFloatEnds(node);
      requireFloats(node, [AUXILIARY_INPUT]);
      checkDirection(node, BOTH_FORWARD);
      checkDirection(node, BOTH_BACKWARD);
    },
    shapes(node) {
      const { forward, backward, merge } = planBidirectional(node);
      if (merge) return [shapeOf(forward.input, forward.units + backward.units)];
      return [shapeOf(forward.input, forward.units), shapeOf(backward.input, backward.units)];
    },
    create: (node) => createRnn(node, PLAIN_MATH),
  },
};
