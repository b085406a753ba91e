/**
 * LSTM (both kernels), UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM with float activations. States are
 * variable operands that outlive a run. TensorFlow Lite 2.21 kernels/lstm.cc, unidirectional_sequence_lstm.cc,
 * bidirectional_sequence_lstm.cc.
 */
import { formatShape } from "../../base/shape.ts";
import type { ActivationFunctionType } from "../../formats/tflite/schema.gen.ts";
import type { Kernel, KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, requireOperands, requireRank, requireType } from "../require.ts";
import { float32, present } from "../views.ts";
import { BASIC_FLOAT_LSTM } from "./basic-lstm.ts";
import { BASIC_INTEGER_LSTM } from "./basic-lstm-integer.ts";
import { type LstmMemory, type LstmSettings, lstmStep } from "./lstm-cell.ts";
import {
  checkIntegerLstm,
  integerLstm,
  isIntegerLstm,
  runIntegerSequence,
} from "./lstm-integer.ts";
import { BYTE_INTERMEDIATES, createByteLstm } from "./lstm-integer-8.ts";
import type { IntegerLstm } from "./lstm-integer-cell.ts";
import {
  BACKWARD,
  checkFloatLstm,
  FORWARD,
  type LstmLayout,
  type LstmSizes,
  lstmMemory,
  lstmSizes,
  lstmWeights,
  UNIDIRECTIONAL,
} from "./lstm-operands.ts";
import { PLAIN_MATH, type RecurrentMath, requireFloatEnds } from "./recurrent-product.ts";
import { readStep, type SequenceShape, sequenceShape, stepOrder, writeStep } from "./sequence.ts";
import { activationFunction } from "./vector-activation.ts";

interface LstmOptions extends LstmSettings {
  readonly asymmetric: boolean;
  readonly fusedActivation: ActivationFunctionType;
}

/** One direction of a sequence. */
export interface LstmDirection {
  readonly layout: LstmLayout;
  readonly sizes: LstmSizes;
  readonly options: LstmOptions;
  readonly input: SequenceShape;
  readonly backward: boolean;
  /** Width of the auxiliary input; 0 without. */
  readonly auxiliaryWidth: number;
}

/** One walk over a sequence: the operands that it reads, and where its outputs go. */
export interface LstmPass {
  readonly direction: LstmDirection;
  /** Operand that is the sequence. */
  readonly input: number;
  /** Operand that is the auxiliary sequence; undefined without. */
  readonly auxiliary: number | undefined;
  readonly output: number;
  readonly outputShape: SequenceShape;
  /** Where its part of each output vector starts. */
  readonly offset: number;
}

function runPass(
  pass: LstmPass,
  memory: LstmMemory,
  inputs: Parameters<KernelRun>[0],
  outputs: Parameters<KernelRun>[1],
): void {
  const { layout, sizes, options, input, backward, auxiliaryWidth } = pass.direction;
  const sequence = float32(inputs[pass.input]);
  const auxiliary = pass.auxiliary === undefined ? undefined : float32(inputs[pass.auxiliary]);
  const out = float32(outputs[pass.output]);
  const weights = lstmWeights(inputs, layout);
  const outputState = float32(inputs[layout.outputState]);
  const cellState = float32(inputs[layout.cellState]);
  const rows = new Float32Array(sizes.batch * sizes.inputs);
  const auxiliaryRows = new Float32Array(sizes.batch * auxiliaryWidth);
  for (const step of stepOrder(input.steps, backward)) {
    readStep(sequence, input, step, rows);
    memory.input.load(rows);
    if (auxiliary !== undefined) {
      readStep(auxiliary, { ...input, width: auxiliaryWidth }, step, auxiliaryRows);
      memory.auxiliary?.load(auxiliaryRows);
    }
    lstmStep(weights, options, memory, outputState, cellState);
    writeStep(outputState, sizes.outputs, out, pass.outputShape, step, pass.offset);
  }
}

function memoryOf(
  { sizes, auxiliaryWidth, options }: LstmDirection,
  math: RecurrentMath,
): LstmMemory {
  return lstmMemory(sizes, auxiliaryWidth, options.asymmetric, math);
}

/** What the options of the three operators have in common. */
interface FusedOptions {
  readonly fused_activation_function: ActivationFunctionType;
  readonly cell_clip: number;
  readonly proj_clip: number;
  readonly asymmetric_quantize_inputs: boolean;
}

function lstmOptions(node: KernelNode, options: FusedOptions): LstmOptions {
  return {
    activation: activationFunction(node, options.fused_activation_function),
    fusedActivation: options.fused_activation_function,
    cellClip: options.cell_clip,
    projectionClip: options.proj_clip,
    asymmetric: options.asymmetric_quantize_inputs,
  };
}

interface UnidirectionalPlan {
  readonly direction: LstmDirection;
  readonly output: SequenceShape;
}

function planUnidirectional(node: KernelNode): UnidirectionalPlan {
  const options = optionsOf(node, "UnidirectionalSequenceLSTMOptions");
  const input = sequenceShape(node, inputAt(node, 0).shape, options.time_major);
  const sizes = lstmSizes(node, UNIDIRECTIONAL, input.batch, input.width);
  const direction = {
    layout: UNIDIRECTIONAL,
    sizes,
    options: lstmOptions(node, options),
    input,
    backward: false,
    auxiliaryWidth: 0,
  };
  return { direction, output: { ...input, width: sizes.outputs } };
}

/** A single step is a sequence of length 1. */
function planStep(node: KernelNode): UnidirectionalPlan {
  const { shape } = inputAt(node, 0);
  requireRank(node, shape, [2, 2], "input");
  const [batch, width] = shape;
  const options = optionsOf(node, "LSTMOptions");
  const input = { steps: 1, batch, width, timeMajor: true };
  const sizes = lstmSizes(node, UNIDIRECTIONAL, batch, width);
  const direction = {
    layout: UNIDIRECTIONAL,
    sizes,
    options: lstmOptions(node, options),
    input,
    backward: false,
    auxiliaryWidth: 0,
  };
  return { direction, output: { ...input, width: sizes.outputs } };
}

function checkUnidirectional(node: KernelNode): void {
  requireOperands(node, [20, 24]);
  requireType(node, inputAt(node, 0), ["float32", "int8"], "input");
  if (isIntegerLstm(node)) checkIntegerLstm(node);
  else {
    requireFloatEnds(node);
    checkFloatLstm(node, UNIDIRECTIONAL);
  }
}

function createUnidirectional(node: KernelNode, plan: UnidirectionalPlan): KernelRun {
  return isIntegerLstm(node)
    ? createInteger(node, plan)
    : createPasses([singlePass(plan)], PLAIN_MATH);
}

function createInteger(node: KernelNode, { direction }: UnidirectionalPlan): KernelRun {
  const { sizes, input, options } = direction;
  if (node.intermediates?.length === BYTE_INTERMEDIATES) return createByteLstm(node, options);
  let lstm: IntegerLstm | undefined;
  return (inputs, [out]) => {
    lstm ??= integerLstm(node, inputs, options);
    runIntegerSequence(lstm, sizes, inputs, input, present(out));
  };
}

function singlePass({ direction, output }: UnidirectionalPlan): LstmPass {
  const operands = { input: 0, auxiliary: undefined, output: 0 };
  return { direction, ...operands, outputShape: output, offset: 0 };
}

function createPasses(passes: readonly LstmPass[], math: RecurrentMath): KernelRun {
  const walks = passes.map((pass) => ({ pass, memory: memoryOf(pass.direction, math) }));
  return (inputs, outputs) => {
    for (const { pass, memory } of walks) runPass(pass, memory, inputs, outputs);
  };
}

const AUXILIARY_INPUT = 39;

interface BidirectionalPlan {
  readonly forward: LstmDirection;
  readonly backward: LstmDirection;
  readonly merge: boolean;
  /** The backward pass reads the auxiliary input instead of the input. */
  readonly crossed: boolean;
}

/**
 * An auxiliary input with auxiliary weights is added to both directions; without such weights it is the input of the
 * backward direction, as stacked layers have it.
 */
function planBidirectional(node: KernelNode): BidirectionalPlan {
  const options = optionsOf(node, "BidirectionalSequenceLSTMOptions");
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
  const hasAuxiliaryWeights = node.inputs[FORWARD.auxiliary[1]] !== undefined;
  const crossed = auxiliary !== undefined && !hasAuxiliaryWeights;
  const auxiliaryWidth = auxiliary !== undefined && hasAuxiliaryWeights ? auxiliaryShape.width : 0;
  const half = (layout: LstmLayout, own: SequenceShape, backward: boolean): LstmDirection => ({
    layout,
    sizes: lstmSizes(node, layout, own.batch, own.width, auxiliaryWidth),
    options: lstmOptions(node, options),
    input: own,
    backward,
    auxiliaryWidth,
  });
  return {
    forward: half(FORWARD, input, false),
    backward: half(BACKWARD, crossed ? auxiliaryShape : input, true),
    merge: options.merge_outputs,
    crossed,
  };
}

function bothPasses({ forward, backward, merge, crossed }: BidirectionalPlan): LstmPass[] {
  const [first, second] = [forward.sizes.outputs, backward.sizes.outputs];
  const auxiliary = forward.auxiliaryWidth > 0 ? AUXILIARY_INPUT : undefined;
  return [
    {
      ...{ direction: forward, input: 0, auxiliary, output: 0, offset: 0 },
      outputShape: { ...forward.input, width: merge ? first + second : first },
    },
    {
      ...{ direction: backward, input: crossed ? AUXILIARY_INPUT : 0, auxiliary },
      ...{ output: merge ? 0 : 1, offset: merge ? first : 0 },
      outputShape: { ...backward.input, width: merge ? first + second : second },
    },
  ];
}

function shapeOf({ steps, batch, width, timeMajor }: SequenceShape): number[] {
  return timeMajor ? [steps, batch, width] : [batch, steps, width];
}

/** The walks of a float or hybrid LSTM of the three operators, not of the basic kernel. */
export function floatLstmPasses(node: KernelNode): LstmPass[] {
  if (node.op === "BIDIRECTIONAL_SEQUENCE_LSTM") return bothPasses(planBidirectional(node));
  return [singlePass(node.op === "LSTM" ? planStep(node) : planUnidirectional(node))];
}

/** Such an LSTM, computing with `math`. */
export function createFloatLstm(node: KernelNode, math: RecurrentMath): KernelRun {
  return createPasses(floatLstmPasses(node), math);
}

/** The basic kernel of LSTM that the operands ask for; undefined where the options name the full one. */
function basicKernel(node: KernelNode): Kernel | undefined {
  if (optionsOf(node, "LSTMOptions").kernel_type !== "BASIC") return undefined;
  return inputAt(node, 0).dtype === "uint8" ? BASIC_INTEGER_LSTM : BASIC_FLOAT_LSTM;
}

export const LSTM: KernelTable = {
  LSTM: {
    stateful: true,
    check(node) {
      const basic = basicKernel(node);
      if (basic === undefined) checkUnidirectional(node);
      else basic.check(node);
    },
    shapes(node, known, subgraph) {
      const basic = basicKernel(node);
      if (basic !== undefined) return basic.shapes(node, known, subgraph);
      const { sizes } = planStep(node).direction;
      return [[sizes.batch, sizes.outputs]];
    },
    create(node, context) {
      const basic = basicKernel(node);
      if (basic !== undefined) return basic.create(node, context);
      return createUnidirectional(node, planStep(node));
    },
  },
  UNIDIRECTIONAL_SEQUENCE_LSTM: {
    stateful: true,
    check(node) {
      checkUnidirectional(node);
    },
    shapes: (node) => [shapeOf(planUnidirectional(node).output)],
    create: (node) => createUnidirectional(node, planUnidirectional(node)),
  },
  BIDIRECTIONAL_SEQUENCE_LSTM: {
    stateful: true,
    check(node) {
      const { merge_outputs } = optionsOf(node, "BidirectionalSequenceLSTMOptions");
      requireOperands(node, [48, 48], merge_outputs ? 1 : 2);
      requireFloatEnds(node);
      checkFloatLstm(node, FORWARD);
      checkFloatLstm(node, BACKWARD);
    },
    shapes(node) {
      const { forward, backward, merge } = planBidirectional(node);
      const [a, b] = [forward.sizes.outputs, backward.sizes.outputs];
      if (merge) return [shapeOf({ ...forward.input, width: a + b })];
      return [shapeOf({ ...forward.input, width: a }), shapeOf({ ...backward.input, width: b })];
    },
    create: (node) => createFloatLstm(node, PLAIN_MATH),
  },
};
