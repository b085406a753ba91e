/**
 * LSTM (both kernels), UNIDIRECTIONAL_SEQUENCE_LSTM and BIDIRECTIONAL_SEQUENCE_LSTM with float activations. States are
 * variable operands that outlive a run. TensorFlow Lite 2.21 kernels/lstm.cc, unidirectional_sequence_lstm.cc,
 * bidirectional_sequence_lstm.cc.
 */
import { formatShape } from "../../base/shape.ts";
import type { KernelNode, KernelRun, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, requireOperands, requireRank, requireType } from "../require.ts";
import { float32, present } from "../views.ts";
import { BASIC_LSTM } from "./basic-lstm.ts";
import { type LstmMemory, type LstmSettings, lstmStep } from "./lstm-cell.ts";
import {
  checkIntegerLstm,
  integerLstm,
  isIntegerLstm,
  runIntegerSequence,
} from "./lstm-integer.ts";
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
import { PLAIN_MATH, type RecurrentMath } from "./recurrent-product.ts";
import { readStep, type SequenceShape, sequenceShape, stepOrder, writeStep } from "./sequence.ts";
import { activationFunction } from "./vector-activation.ts";

interface LstmOptions extends LstmSettings {
  readonly asymmetric: boolean;
}

/** One direction of a sequence. */
interface Direction {
  readonly layout: LstmLayout;
  readonly sizes: LstmSizes;
  readonly options: LstmOptions;
  readonly input: SequenceShape;
  readonly backward: boolean;
  /** Width of the auxiliary input; 0 without. */
  readonly auxiliaryWidth: number;
}

/** Where the outputs of a direction go. */
interface Destination {
  readonly view: TensorView;
  readonly shape: SequenceShape;
  readonly offset: number;
}

function runDirection(
  direction: Direction,
  memory: LstmMemory,
  inputs: Parameters<KernelRun>[0],
  sequence: Float32Array,
  auxiliary: Float32Array | undefined,
  { view, shape, offset }: Destination,
): void {
  const { layout, sizes, options, input, backward, auxiliaryWidth } = direction;
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
    writeStep(outputState, sizes.outputs, float32(view), shape, step, offset);
  }
}

function memoryOf({ sizes, auxiliaryWidth, options }: Direction, math: RecurrentMath): LstmMemory {
  return lstmMemory(sizes, auxiliaryWidth, options.asymmetric, math);
}

interface UnidirectionalPlan {
  readonly direction: Direction;
  readonly output: SequenceShape;
}

function planUnidirectional(node: KernelNode): UnidirectionalPlan {
  const options = optionsOf(node, "UnidirectionalSequenceLSTMOptions");
  const input = sequenceShape(node, inputAt(node, 0).shape, options.time_major);
  const sizes = lstmSizes(node, UNIDIRECTIONAL, input.batch, input.width);
  const direction = {
    layout: UNIDIRECTIONAL,
    sizes,
    options: {
      activation: activationFunction(node, options.fused_activation_function),
      cellClip: options.cell_clip,
      projectionClip: options.proj_clip,
      asymmetric: options.asymmetric_quantize_inputs,
    },
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
    options: {
      activation: activationFunction(node, options.fused_activation_function),
      cellClip: options.cell_clip,
      projectionClip: options.proj_clip,
      asymmetric: options.asymmetric_quantize_inputs,
    },
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
  else checkFloatLstm(node, UNIDIRECTIONAL);
}

function createUnidirectional(node: KernelNode, plan: UnidirectionalPlan): KernelRun {
  return isIntegerLstm(node) ? createInteger(node, plan) : createFloat(plan, PLAIN_MATH);
}

function createInteger(node: KernelNode, { direction }: UnidirectionalPlan): KernelRun {
  const { sizes, input, options } = direction;
  let lstm: IntegerLstm | undefined;
  return (inputs, [out]) => {
    lstm ??= integerLstm(node, inputs, options);
    runIntegerSequence(lstm, sizes, inputs, input, present(out));
  };
}

function createFloat({ direction, output }: UnidirectionalPlan, math: RecurrentMath): KernelRun {
  const memory = memoryOf(direction, math);
  return (inputs, [out]) => {
    const destination = { view: present(out), shape: output, offset: 0 };
    runDirection(direction, memory, inputs, float32(inputs[0]), undefined, destination);
  };
}

const AUXILIARY_INPUT = 39;

interface BidirectionalPlan {
  readonly forward: Direction;
  readonly backward: Direction;
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
  const half = (layout: LstmLayout, own: SequenceShape, backward: boolean): Direction => ({
    layout,
    sizes: lstmSizes(node, layout, own.batch, own.width, auxiliaryWidth),
    options: {
      activation: activationFunction(node, options.fused_activation_function),
      cellClip: options.cell_clip,
      projectionClip: options.proj_clip,
      asymmetric: options.asymmetric_quantize_inputs,
    },
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

function createBidirectional(
  { forward, backward, merge, crossed }: BidirectionalPlan,
  math: RecurrentMath,
): KernelRun {
  const memories = [memoryOf(forward, math), memoryOf(backward, math)] as const;
  const widths = [forward.sizes.outputs, backward.sizes.outputs] as const;
  const merged = widths[0] + widths[1];
  return (inputs, outputs) => {
    const sequence = float32(inputs[0]);
    const auxiliary = inputs[AUXILIARY_INPUT];
    const added = auxiliary === undefined || crossed ? undefined : float32(auxiliary);
    runDirection(forward, memories[0], inputs, sequence, added, {
      view: present(outputs[0]),
      shape: { ...forward.input, width: merge ? merged : widths[0] },
      offset: 0,
    });
    const own = crossed ? float32(auxiliary) : sequence;
    runDirection(backward, memories[1], inputs, own, added, {
      view: present(outputs[merge ? 0 : 1]),
      shape: { ...backward.input, width: merge ? merged : widths[1] },
      offset: merge ? widths[0] : 0,
    });
  };
}

function shapeOf({ steps, batch, width, timeMajor }: SequenceShape): number[] {
  return timeMajor ? [steps, batch, width] : [batch, steps, width];
}

/** A float or hybrid LSTM of the three operators, not the basic kernel, computing with `math`. */
export function createFloatLstm(node: KernelNode, math: RecurrentMath): KernelRun {
  if (node.op === "BIDIRECTIONAL_SEQUENCE_LSTM") {
    return createBidirectional(planBidirectional(node), math);
  }
  return createFloat(node.op === "LSTM" ? planStep(node) : planUnidirectional(node), math);
}

export const LSTM: KernelTable = {
  LSTM: {
    stateful: true,
    check(node) {
      const { kernel_type } = optionsOf(node, "LSTMOptions");
      if (kernel_type === "BASIC") {
        BASIC_LSTM.check(node);
        return;
      }
      checkUnidirectional(node);
    },
    shapes(node, known, subgraph) {
      if (optionsOf(node, "LSTMOptions").kernel_type === "BASIC") {
        return BASIC_LSTM.shapes(node, known, subgraph);
      }
      const { sizes } = planStep(node).direction;
      return [[sizes.batch, sizes.outputs]];
    },
    create(node, context) {
      if (optionsOf(node, "LSTMOptions").kernel_type === "BASIC") {
        return BASIC_LSTM.create(node, context);
      }
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
      requireType(node, inputAt(node, 0), ["float32"], "input");
      checkFloatLstm(node, FORWARD);
      checkFloatLstm(node, BACKWARD);
    },
    shapes(node) {
      const { forward, backward, merge } = planBidirectional(node);
      const [a, b] = [forward.sizes.outputs, backward.sizes.outputs];
      if (merge) return [shapeOf({ ...forward.input, width: a + b })];
      return [shapeOf({ ...forward.input, width: a }), shapeOf({ ...backward.input, width: b })];
    },
    create: (node) => createBidirectional(planBidirectional(node), PLAIN_MATH),
  },
};
