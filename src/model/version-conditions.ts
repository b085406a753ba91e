/**
 * Conditions on the use of an operator, from which the version rules are made: types of operands and results, ranks,
 * quantization, options.
 */
import type { DType } from "../base/dtype.ts";
import { optionsAs } from "../formats/tflite/options.ts";
import type { BuiltinOptions } from "../formats/tflite/schema.gen.ts";
import type { Operator, Tensor } from "./ir.ts";

/** An operator with its operands looked up. */
export interface OperatorUse {
  readonly operator: Operator;
  /** undefined where an optional operand is not there. */
  readonly inputs: readonly (Tensor | undefined)[];
  readonly outputs: readonly (Tensor | undefined)[];
}

export type Condition = (use: OperatorUse) => boolean;
function typeOf(tensors: readonly (Tensor | undefined)[], index: number): DType | undefined {
  return tensors[index]?.dtype;
}

/** The operand is there and of one of these types. */
export const input =
  (index: number, ...dtypes: readonly DType[]): Condition =>
  ({ inputs }) => {
    const dtype = typeOf(inputs, index);
    return dtype !== undefined && dtypes.includes(dtype);
  };

/** The result is there and of one of these types. */
export const output =
  (index: number, ...dtypes: readonly DType[]): Condition =>
  ({ outputs }) => {
    const dtype = typeOf(outputs, index);
    return dtype !== undefined && dtypes.includes(dtype);
  };

/** Every one of the conditions holds. */
export const all =
  (...conditions: readonly Condition[]): Condition =>
  (use) =>
    conditions.every((condition) => condition(use));

/** At least one of the conditions holds. */
export const any =
  (...conditions: readonly Condition[]): Condition =>
  (use) =>
    conditions.some((condition) => condition(use));

/** The condition does not hold. */
export const not =
  (condition: Condition): Condition =>
  (use) =>
    !condition(use);

/** Types of the data operand, of the weights and of the result. */
export const types = (data: DType, weights: DType, result: DType, weightsIndex = 1): Condition =>
  all(input(0, data), input(weightsIndex, weights), output(0, result));

/** Float data and results, int8 weights. */
export const hybrid = (weightsIndex = 1): Condition =>
  types("float32", "int8", "float32", weightsIndex);

/** The operand has more dimensions than `rank`. */
export const rankOver =
  (rank: number, index = 0): Condition =>
  ({ inputs }) =>
    (inputs[index]?.shape.length ?? 0) > rank;

/** The options are of this table (or left out, and so its defaults) and satisfy `holds`. */
export const option =
  <K extends BuiltinOptions["type"]>(
    type: K,
    holds: (value: NonNullable<ReturnType<typeof optionsAs<K>>>) => boolean,
  ): Condition =>
  ({ operator }) => {
    const value = optionsAs(operator.options, type);
    return value !== undefined && holds(value);
  };

/** The flag of hybrid operators, by whatever name their options have. */
export const asymmetric: Condition = ({ operator: { options } }) =>
  options !== undefined &&
  "asymmetric_quantize_inputs" in options.value &&
  options.value.asymmetric_quantize_inputs;

/** Has a quantization table, even an empty one. */
export const quantized =
  (index: number): Condition =>
  ({ inputs }) =>
    inputs[index]?.quantization !== undefined;

/** As many scales as the axis has entries. */
export const perChannel =
  (index: number, axis: number): Condition =>
  ({ inputs }) => {
    const tensor = inputs[index];
    const scaleCount = tensor?.quantization?.scale.length ?? 0;
    return scaleCount > 0 && scaleCount === tensor?.shape[axis];
  };

/** More than one scale, as many as the tensor's own axis has entries. */
export function hasChannelScales(tensor: Tensor | undefined): boolean {
  const { scale, quantizedDimension } = tensor?.quantization ?? {};
  return (
    scale !== undefined &&
    scale.length > 1 &&
    quantizedDimension !== undefined &&
    scale.length === tensor?.shape[quantizedDimension]
  );
}

/** Two operands of different shape, one of more than four dimensions. */
export const broadcastOverRank4: Condition = ({ inputs }) => {
  const [a, b] = inputs;
  const isSame =
    a?.shape.length === b?.shape.length && a?.shape.every((size, axis) => size === b?.shape[axis]);
  return (
    inputs.length >= 2 &&
    isSame !== true &&
    inputs.some((tensor) => (tensor?.shape.length ?? 0) > 4)
  );
};

/** Groups: the filter has fewer input channels than the data. */
export const grouped: Condition = ({ inputs }) => {
  const [data, filter] = inputs;
  return data !== undefined && data.shape.length > 0 && data.shape[3] !== filter?.shape[3];
};

/** The product of the operands' scales is at least the result's. */
export const rescalesUp: Condition = ({ inputs, outputs }) => {
  const [a, b, result] = [inputs[0], inputs[1], outputs[0]].map(
    (tensor) => tensor?.quantization?.scale[0] ?? 0,
  );
  if (!a || !b || !result) return false;
  return Math.fround(Math.fround(a * b) / result) >= 1;
};

/** The first operand or the first result is of one of these types. */
export const eitherEnd = (...dtypes: readonly DType[]): Condition =>
  any(input(0, ...dtypes), output(0, ...dtypes));
