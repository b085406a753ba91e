/** Constants as numbers and back: what every evaluator starts and ends with. */

import { allocate, type DType, type TypedArray } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import type { GraphNode, TensorValue } from "../../graph/ir.ts";

/**
 * Evaluates a node whose inputs are all constant. Returns one value per output, or undefined where this evaluator does
 * not serve the types or attributes at hand; the node then stays in the graph.
 */
export type Evaluator = (
  node: GraphNode,
  inputs: readonly TensorValue[],
) => readonly TensorValue[] | undefined;

const PLAIN: ReadonlySet<DType> = new Set([
  "float32",
  "float64",
  "int8",
  "uint8",
  "bool",
  "int16",
  "uint16",
  "int32",
  "uint32",
]);

/**
 * The elements as numbers, or undefined when JavaScript's numbers cannot hold them: strings, complex and packed types,
 * 64-bit integers beyond 2^53.
 */
export function numbersOf(value: TensorValue): ArrayLike<number> | undefined {
  if (PLAIN.has(value.dtype))
    return value.data as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
  if (value.dtype !== "int64" && value.dtype !== "uint64") return undefined;
  const numbers = Array.from(value.data as BigInt64Array, Number);
  return numbers.every(Number.isSafeInteger) ? numbers : undefined;
}

/** The elements of an integer constant, or undefined as for `numbersOf`. */
export function integersOf(value: TensorValue | undefined): number[] | undefined {
  if (value === undefined) return undefined;
  const numbers = numbersOf(value);
  return numbers === undefined ? undefined : Array.from(numbers);
}

/** A constant from numbers, rounded to the type (float32 to nearest, integers wrap); undefined for other types. */
export function valueFrom(
  dtype: DType,
  shape: Shape,
  numbers: ArrayLike<number>,
): TensorValue | undefined {
  if (dtype === "int64" || dtype === "uint64") {
    if (!Array.from(numbers).every(Number.isSafeInteger)) return undefined;
    const data = dtype === "int64" ? BigInt64Array : BigUint64Array;
    return { dtype, shape, data: data.from(Array.from(numbers, BigInt)) };
  }
  if (!PLAIN.has(dtype)) return undefined;
  const data = allocate(dtype, numbers.length) as Float64Array;
  data.set(numbers);
  return { dtype, shape, data };
}

/** A 1-D int32 constant. */
export function int32Vector(values: readonly number[]): TensorValue {
  return { dtype: "int32", shape: [values.length], data: Int32Array.from(values) };
}

/**
 * A scalar of a numeric type.
 *
 * @throws {ShapeError} for any other type: an operation computes with operands that it cannot have.
 */
export function scalarValue(dtype: DType, value: number): TensorValue {
  const made = valueFrom(dtype, [], [value]);
  if (made !== undefined) return made;
  throw new ShapeError({
    where: "conversion",
    found: `arithmetic on values of type ${dtype}`,
    expected: "a numeric type",
    remedy: "Check the types of the operations in the source model",
  });
}

/** The elements at `offsets`, given the new shape. Serves every unpacked type, strings included. */
export function takeElements(
  value: TensorValue,
  shape: Shape,
  offsets: ArrayLike<number>,
): TensorValue | undefined {
  const { dtype, data } = value;
  if (Array.isArray(data)) {
    return {
      dtype,
      shape,
      data: Array.from(offsets, (offset) => data[offset] ?? new Uint8Array()),
    };
  }
  if (!isWhole(dtype)) return undefined;
  const source = data as Float64Array;
  const taken = allocate(dtype, elementCount(shape)) as Float64Array;
  for (let i = 0; i < taken.length; i++) taken[i] = source[offsets[i] ?? 0] ?? 0;
  return { dtype, shape, data: taken };
}

/** Tells whether each element is one entry of the storage: not for packed and complex types. */
export function isWhole(dtype: DType): boolean {
  return PLAIN.has(dtype) || ["int64", "uint64", "float16", "bfloat16", "string"].includes(dtype);
}

/** The result of one output, or nothing. */
export function one(value: TensorValue | undefined): readonly TensorValue[] | undefined {
  return value && [value];
}

/** Evaluators of one operand: the others are read through `integersOf`. */
export function onFirst(
  compute: (
    node: GraphNode,
    x: TensorValue,
    rest: readonly TensorValue[],
  ) => TensorValue | undefined,
): Evaluator {
  return (node, [x, ...rest]) => x && one(compute(node, x, rest));
}
