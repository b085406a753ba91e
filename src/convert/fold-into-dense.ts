/**
 * Folds what comes right before a dense layer into it. A Reshape that only flattens leading dimensions is left out,
 * since the layer flattens them itself. x·c and x + c, constant per input, go into weights and bias:
 *   W·(c ⊙ x) = (W ⊙ c)·x,   W·(x + c) + b = W·x + (b + W·c).
 */
import { isStatic } from "../base/shape.ts";
import type { TensorValue } from "../graph/ir.ts";
import { type Draft, type DraftEditor, type DraftOperator, rewriteDraft } from "./draft.ts";
import { activationOf, keepsDims } from "./fold-affine.ts";

export function foldIntoDense(draft: Draft): Draft {
  return rewriteDraft(draft, (operator, editor) => {
    if (operator.op !== "FULLY_CONNECTED") return undefined;
    let dense = operator;
    for (let next = step(dense, editor); next !== undefined; next = step(dense, editor))
      dense = next;
    return dense === operator ? undefined : [dense];
  });
}

/** One fold; undefined when there is nothing more to fold. */
function step(dense: DraftOperator, editor: DraftEditor): DraftOperator | undefined {
  const [x = -1, weightsIndex = -1, biasIndex = -1] = dense.inputs;
  const producer = editor.soleProducer(x);
  const weights = editor.value(weightsIndex);
  if (producer === undefined || weights?.dtype !== "float32") return undefined;
  if (producer.op === "RESHAPE") return withoutReshape(dense, producer, weights, editor);
  const isArithmetic = ["MUL", "ADD", "SUB"].includes(producer.op);
  if (!isArithmetic || activationOf(producer) !== "NONE") return undefined;
  const [a = -1, b = -1] = producer.inputs;
  const constant = editor.value(b) ?? (producer.op === "SUB" ? undefined : editor.value(a));
  const source = editor.value(b) === undefined ? b : a;
  const factors = constant && perInput(constant, weights.shape[1] ?? 0);
  const sameSize = `${editor.tensor(source).shape}` === `${editor.tensor(x).shape}`;
  if (factors === undefined || !sameSize) return undefined;
  if (producer.op === "MUL") {
    const scaled = editor.addConstant(
      editor.tensor(weightsIndex).name,
      scaleColumns(weights, factors),
    );
    return replace(dense, producer, [source, scaled, biasIndex], editor);
  }
  const bias = biasIndex < 0 ? undefined : editor.value(biasIndex);
  if (biasIndex >= 0 && bias === undefined) return undefined;
  const shifted = shiftBias(weights, bias, factors, producer.op === "ADD" ? 1 : -1);
  return replace(
    dense,
    producer,
    [
      source,
      weightsIndex,
      editor.addConstant(editor.tensor(biasIndex < 0 ? weightsIndex : biasIndex).name, shifted),
    ],
    editor,
  );
}

function replace(
  dense: DraftOperator,
  producer: DraftOperator,
  inputs: readonly number[],
  editor: DraftEditor,
): DraftOperator {
  editor.absorb(producer);
  return { ...dense, inputs };
}

function withoutReshape(
  dense: DraftOperator,
  reshape: DraftOperator,
  weights: TensorValue,
  editor: DraftEditor,
): DraftOperator | undefined {
  const source = reshape.inputs[0] ?? -1;
  const shape = editor.tensor(source).shape;
  const flat = editor.tensor(dense.inputs[0] ?? -1).shape;
  if (keepsDims(dense) || shape === undefined || !isStatic(shape) || flat?.length !== 2)
    return undefined;
  if (shape.length < 2 || shape.at(-1) !== weights.shape[1] || flat.at(-1) !== weights.shape[1])
    return undefined;
  return replace(dense, reshape, [source, ...dense.inputs.slice(1)], editor);
}

/** The constant as one value per input of the layer. */
function perInput({ dtype, shape, data }: TensorValue, count: number): Float32Array | undefined {
  if (dtype !== "float32") return undefined;
  const numbers = data as Float32Array;
  if (numbers.length === 1) return new Float32Array(count).fill(numbers[0] ?? 0);
  return numbers.length === count && shape.at(-1) === count ? numbers : undefined;
}

function scaleColumns(weights: TensorValue, factors: Float32Array): TensorValue {
  const source = weights.data as Float32Array;
  return {
    ...weights,
    data: source.map((weight, i) => weight * (factors[i % factors.length] ?? 1)),
  };
}

function shiftBias(
  weights: TensorValue,
  bias: TensorValue | undefined,
  shifts: Float32Array,
  sign: 1 | -1,
): TensorValue {
  const [units = 0, inputs = 0] = weights.shape;
  const matrix = weights.data as Float32Array;
  const before = bias?.data as Float32Array | undefined;
  const data = new Float32Array(units);
  for (let unit = 0; unit < units; unit++) {
    let sum = before?.[unit] ?? 0;
    for (let i = 0; i < inputs; i++)
      sum += sign * (matrix[unit * inputs + i] ?? 0) * (shifts[i] ?? 0);
    data[unit] = sum;
  }
  return { dtype: "float32", shape: [units], data };
}
