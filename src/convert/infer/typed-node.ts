/** What shape inference works on: a node with the types, and where known the values, of its inputs. */
import type { DType } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { isStatic, type Shape } from "../../base/shape.ts";
import { intAttr } from "../../graph/attrs.ts";
import type { Graph, GraphNode, PartialShape, TensorValue } from "../../graph/ir.ts";
import { integersOf } from "../fold/values.ts";

/** Element type and shape of a value; for a variant that holds a tensor list, the type of its elements. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: PartialShape;
  readonly list?: ListType;
  /** Of a variable's handle: the shape of the variable. */
  readonly variable?: Shape;
}

/** A tensor list: `length` elements (-1 when unknown) of one type. */
export interface ListType {
  readonly element: ValueType;
  readonly length: number;
}

/** Integer elements of which some are known: NaN stands for an unknown one. */
export interface PartialElements {
  readonly shape: Shape;
  readonly numbers: Float64Array;
}

export interface TypedNode {
  readonly node: GraphNode;
  readonly inputs: readonly ValueType[];
  /** The constant behind an input. */
  constant(input: number): TensorValue | undefined;
  /** What is known of an input's integer elements. */
  partial(input: number): PartialElements | undefined;
  /** Bodies of control flow. */
  readonly functions: ReadonlyMap<string, Graph>;
}

/** Output types of a node. */
export type TypeRule = (typed: TypedNode) => readonly ValueType[];

export const placeOf = (node: GraphNode): string => `node ${node.name} (${node.op})`;

/** Type of an input. Throws ShapeError when the node has too few. */
export function inputType(typed: TypedNode, input: number): ValueType {
  const found = typed.inputs[input];
  if (found !== undefined) return found;
  throw new ShapeError({
    where: placeOf(typed.node),
    found: `${typed.inputs.length} inputs`,
    expected: `an input ${input}`,
  });
}

export const inputShape = (typed: TypedNode, input: number): PartialShape =>
  inputType(typed, input).shape;

/** All elements of a constant integer input, or undefined when it is not constant. */
export function constantInts(typed: TypedNode, input: number): readonly number[] | undefined {
  return integersOf(typed.constant(input));
}

/** TensorFlow's tensors have at most so many dimensions. */
const MAX_RANK = 254;

/** Elements of an integer vector as a shape: unknown ones -1. Undefined when not even their number is known. */
export function dimsOf(typed: TypedNode, input: number): Shape | undefined {
  const partial = typed.partial(input);
  if (partial !== undefined) return Array.from(partial.numbers, (n) => (Number.isNaN(n) ? -1 : n));
  const shape = typed.inputs[input]?.shape;
  if (shape?.length !== 1 || !isStatic(shape)) return undefined;
  const [rank = 0] = shape;
  return rank <= MAX_RANK ? unknownDims(rank) : undefined;
}

/** The number of outputs that an attribute states, which is the node's. */
export function statedOutputs({ node }: TypedNode, name: string): number {
  const count = intAttr(node, name);
  if (count === node.outputCount) return count;
  throw new ShapeError({
    where: placeOf(node),
    found: `${name} = ${count}`,
    expected: `${node.outputCount}, the number of its outputs`,
  });
}

/**
 * Checks that two sizes are the same where both are known.
 *
 * @throws {ShapeError} that names `what` when they are not.
 */
export function requireSame(
  { node }: TypedNode,
  what: string,
  found: number | undefined,
  expected: number | undefined,
): void {
  const differs = found !== undefined && expected !== undefined && found !== expected;
  if (!differs || found < 0 || expected < 0) return;
  throw new ShapeError({
    where: placeOf(node),
    found: `${what} ${found}`,
    expected: `${expected}`,
  });
}

/** One output of the given type. */
export const one = (dtype: DType, shape: PartialShape): readonly ValueType[] => [{ dtype, shape }];

/** A shape of which only the rank is known. */
export const unknownDims = (rank: number): Shape => new Array<number>(rank).fill(-1);
