/**
 * Folds what follows a convolution or dense layer, and acts on each output channel alone, into its weights and bias:
 * + c and − c go into the bias, × c and ÷ c into both. With this biases are fused and batch normalization disappears.
 * Every product and sum is rounded to float32, in the order in which the operators would have run.
 */
import { optionsAs } from "../formats/tflite/options.ts";
import type { TensorValue } from "../graph/ir.ts";
import { type Draft, type DraftEditor, type DraftOperator, rewriteDraft } from "./draft.ts";

/** Places of the operands, and the axis of the weights that counts output channels. */
interface AffineForm {
  readonly weights: number;
  readonly bias: number;
  readonly channelAxis: number;
}

const FORMS: Readonly<Partial<Record<DraftOperator["op"], AffineForm>>> = {
  CONV_2D: { weights: 1, bias: 2, channelAxis: 0 },
  DEPTHWISE_CONV_2D: { weights: 1, bias: 2, channelAxis: 3 },
  FULLY_CONNECTED: { weights: 1, bias: 2, channelAxis: 0 },
  TRANSPOSE_CONV: { weights: 1, bias: 3, channelAxis: 0 },
  CONV_3D: { weights: 1, bias: 2, channelAxis: 4 },
};

export function foldAffine(draft: Draft): Draft {
  return rewriteDraft(draft, (operator, editor) => {
    const step = stepOf(operator, editor);
    const producer = step && editor.soleProducer(step.x);
    if (step === undefined || producer === undefined) return undefined;
    const folded = fold(producer, step, operator, editor);
    return folded && [folded];
  });
}

interface Step {
  /** The variable operand. */
  readonly x: number;
  readonly op: "ADD" | "SUB" | "MUL" | "DIV";
  readonly constant: TensorValue;
  readonly name: string;
}

/** An arithmetic operator with one constant operand and no activation. */
function stepOf(operator: DraftOperator, editor: DraftEditor): Step | undefined {
  const { op } = operator;
  if (op !== "ADD" && op !== "SUB" && op !== "MUL" && op !== "DIV") return undefined;
  if (activationOf(operator) !== "NONE") return undefined;
  const [a = -1, b = -1] = operator.inputs;
  const right = editor.value(b);
  if (right !== undefined) return { x: a, op, constant: right, name: editor.tensor(b).name };
  const left = op === "ADD" || op === "MUL" ? editor.value(a) : undefined;
  return left && { x: b, op, constant: left, name: editor.tensor(a).name };
}

function fold(
  producer: DraftOperator,
  step: Step,
  operator: DraftOperator,
  editor: DraftEditor,
): DraftOperator | undefined {
  const form = FORMS[producer.op];
  const weights = form && editor.value(producer.inputs[form.weights]);
  if (form === undefined || weights === undefined || activationOf(producer) !== "NONE")
    return undefined;
  const channels = weights.shape[form.channelAxis] ?? 0;
  const rank = editor.tensor(producer.outputs[0] ?? -1).shape?.length ?? 0;
  const factors = perChannel(step.constant, channels, rank);
  const biasIndex = producer.inputs[form.bias] ?? -1;
  const bias = biasIndex < 0 ? undefined : editor.value(biasIndex);
  if (
    factors === undefined ||
    weights.dtype !== "float32" ||
    (biasIndex >= 0 && bias === undefined)
  ) {
    return undefined;
  }
  const inputs = [...producer.inputs];
  const weightsIndex = producer.inputs[form.weights] ?? -1;
  const scales = step.op === "MUL" || step.op === "DIV";
  if (scales) {
    const scaled = scaleWeights(weights, form.channelAxis, factors, step.op === "DIV");
    inputs[form.weights] = editor.addConstant(editor.tensor(weightsIndex).name, scaled);
  }
  if (bias !== undefined || !scales) {
    while (inputs.length < form.bias) inputs.push(-1);
    const before = (bias?.data as Float32Array | undefined) ?? new Float32Array(channels);
    inputs[form.bias] = editor.addConstant(step.name, changed(before, factors, step.op));
  }
  editor.remove(producer);
  return { ...producer, inputs, outputs: operator.outputs };
}

/** The constant as one value per output channel, or undefined when it varies along another axis. */
function perChannel(
  constant: TensorValue,
  channels: number,
  rank: number,
): Float32Array | undefined {
  if (constant.dtype !== "float32" || constant.shape.length > rank) return undefined;
  const data = constant.data as Float32Array;
  if (data.length === 1) return new Float32Array(channels).fill(data[0] ?? 0);
  return constant.shape.at(-1) === channels && data.length === channels ? data : undefined;
}

function scaleWeights(
  weights: TensorValue,
  axis: number,
  factors: Float32Array,
  divide: boolean,
): TensorValue {
  const inner = weights.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const source = weights.data as Float32Array;
  const data = new Float32Array(source.length);
  for (let i = 0; i < data.length; i++) {
    const factor = factors[Math.floor(i / inner) % factors.length] ?? 1;
    data[i] = divide ? (source[i] ?? 0) / factor : (source[i] ?? 0) * factor;
  }
  return { ...weights, data };
}

function changed(bias: Float32Array, factors: Float32Array, op: Step["op"]): TensorValue {
  const data = bias.map((value, channel) => {
    const factor = factors[channel] ?? 0;
    if (op === "ADD") return value + factor;
    if (op === "SUB") return value - factor;
    return op === "MUL" ? value * factor : value / factor;
  });
  return { dtype: "float32", shape: [data.length], data };
}

/** The fused activation of an operator that has the option; "NONE" otherwise. */
export function activationOf(operator: DraftOperator): string {
  const value = operator.options?.value;
  return value !== undefined && "fused_activation_function" in value
    ? value.fused_activation_function
    : "NONE";
}

/** Whether a dense layer keeps the leading dimensions of its input. */
export function keepsDims(operator: DraftOperator): boolean {
  return optionsAs(operator.options, "FullyConnectedOptions")?.keep_num_dims ?? false;
}
