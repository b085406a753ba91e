/**
 * What a legalization row works with: one TensorFlow node, the draft it is lowered into, and ways to emit operators.
 */
import type { DType } from "../../base/dtype.ts";
import type {
  BuiltinOperatorName,
  BuiltinOptions,
  BuiltinOptions2,
} from "../../formats/tflite/schema.gen.ts";
import type { Graph, GraphNode, PartialShape, TensorValue, ValueRef } from "../../graph/ir.ts";
import type { DraftOperator, DraftTensor } from "../draft.ts";
import { transposeValue } from "../fold/transpose.ts";
import { int32Vector, integersOf, valueFrom } from "../fold/values.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { inputType, placeOf, type ValueType } from "../infer/typed-node.ts";

/** Lowers one node: emits operators whose outputs are `lowering.output(i)`. */
export type LegalizationRow = (lowering: Lowering) => void;

/** Thrown by a row for a form of the op that TFLite has no operator for; collected, never seen by callers. */
export class NotLowered extends Error {}

/** What rows share while one graph is lowered. */
export interface DraftParts {
  readonly tensors: DraftTensor[];
  readonly operators: DraftOperator[];
  /** Tensor index by "node:output". */
  readonly places: Map<string, number>;
  /** Index of the subgraph that a function becomes. */
  subgraphOf(functionName: string): number;
}

export class Lowering {
  readonly node: GraphNode;
  readonly functions: ReadonlyMap<string, Graph>;
  readonly #build: GraphBuilder;
  readonly #parts: DraftParts;

  constructor(node: GraphNode, build: GraphBuilder, parts: DraftParts) {
    this.node = node;
    this.functions = build.functions;
    this.#build = build;
    this.#parts = parts;
  }

  get inputCount(): number {
    return this.node.inputs.length;
  }

  /** Type of input `i`. */
  type(i: number): ValueType {
    return inputType(this.#build.typed(this.node), i);
  }

  outputType(i: number): ValueType {
    return this.#build.types(this.node.name)[i] ?? { dtype: "float32", shape: undefined };
  }

  /** Constant value of input `i`. */
  value(i: number): TensorValue | undefined {
    return this.#build.value(this.node.inputs[i]);
  }

  /** Elements of a constant integer input. */
  ints(i: number): number[] | undefined {
    return integersOf(this.value(i));
  }

  /** Elements of an integer input that has to be constant. */
  needInts(i: number, what: string): number[] {
    return this.ints(i) ?? this.fail(`${what} is not constant`);
  }

  /** Tensor index of input `i`. */
  input(i: number): number {
    const ref = this.node.inputs[i];
    return ref === undefined ? this.fail(`input ${i} is missing`) : this.tensorOf(ref);
  }

  inputs(): number[] {
    return this.node.inputs.map((ref) => this.tensorOf(ref));
  }

  /** Input `i` as int32: constants are converted, other int64 tensors go through a CAST. */
  int32Input(i: number): number {
    const { dtype, shape } = this.type(i);
    if (dtype === "int32") return this.input(i);
    const value = this.ints(i);
    if (value !== undefined) {
      return this.constant(
        valueFrom("int32", shape ?? [value.length], value) ?? int32Vector(value),
      );
    }
    const narrowed = this.temp("int32", shape);
    this.emit("CAST", [this.input(i)], undefined, [narrowed]);
    return narrowed;
  }

  output(i: number): number {
    return this.tensorOf({ node: this.node.name, output: i });
  }

  outputs(): number[] {
    return Array.from({ length: this.node.outputCount }, (_, i) => this.output(i));
  }

  /** A constant operand, named after the node. */
  constant(value: TensorValue, suffix = "const"): number {
    return this.#constant(value, `${this.node.name}/${suffix}`);
  }

  /** A constant operand made from the constant input `i`, whose name it keeps. */
  remade(i: number, value: TensorValue): number {
    return this.#constant(value, this.node.inputs[i]?.node ?? this.node.name);
  }

  #constant(value: TensorValue, name: string): number {
    return this.#addTensor({ name, dtype: value.dtype, shape: value.shape, value });
  }

  /** An intermediate result. */
  temp(dtype: DType, shape: PartialShape, suffix = "temp"): number {
    return this.#addTensor({ name: `${this.node.name}/${suffix}`, dtype, shape });
  }

  /** State that the operator keeps between runs, zero at first. */
  variable(dtype: DType, shape: PartialShape, suffix: string): number {
    return this.#addTensor({ name: `${this.node.name}/${suffix}`, dtype, shape, isVariable: true });
  }

  /** Input `i` with its axes permuted: a constant for constants, a TRANSPOSE otherwise. */
  transposed(i: number, perm: readonly number[]): number {
    const value = this.value(i);
    const constant = value && transposeValue(value, perm, placeOf(this.node));
    if (constant !== undefined) return this.remade(i, constant);
    const { dtype, shape } = this.type(i);
    const result = this.temp(dtype, shape && perm.map((axis) => shape[axis] ?? -1), "transposed");
    this.emit("TRANSPOSE", [this.input(i), this.constant(int32Vector(perm))], undefined, [result]);
    return result;
  }

  emit(
    op: BuiltinOperatorName,
    inputs: readonly number[],
    options?: BuiltinOptions | BuiltinOptions2,
    outputs: readonly number[] = this.outputs(),
  ): void {
    const operator: DraftOperator = { op, inputs, outputs };
    if (options === undefined) this.#parts.operators.push(operator);
    else if (isSecondUnion(options)) this.#parts.operators.push({ ...operator, options2: options });
    else this.#parts.operators.push({ ...operator, options });
  }

  emitCustom(customCode: string, inputs: readonly number[], customOptions: Uint8Array): void {
    this.#parts.operators.push({
      op: "CUSTOM",
      customCode,
      inputs,
      outputs: this.outputs(),
      customOptions,
    });
  }

  /** Index of the subgraph that the function named by an attribute becomes. */
  subgraph(functionName: string): number {
    return this.#parts.subgraphOf(functionName);
  }

  /** Gives up on the node, with the reason. */
  fail(reason: string): never {
    throw new NotLowered(reason);
  }

  tensorOf(ref: ValueRef): number {
    const key = `${ref.node}:${ref.output}`;
    const found = this.#parts.places.get(key);
    if (found !== undefined) return found;
    const index = this.#addTensor(describe(ref, this.#build));
    this.#parts.places.set(key, index);
    return index;
  }

  #addTensor(tensor: DraftTensor): number {
    return this.#parts.tensors.push(tensor) - 1;
  }
}

/** The draft tensor of a graph value. */
export function describe(ref: ValueRef, build: GraphBuilder): DraftTensor {
  const { dtype, shape } = build.type(ref);
  const value = build.value(ref);
  const name = ref.output === 0 ? ref.node : `${ref.node}:${ref.output}`;
  return value === undefined ? { name, dtype, shape } : { name, dtype, shape, value };
}

function isSecondUnion(options: BuiltinOptions | BuiltinOptions2): options is BuiltinOptions2 {
  return options.type.startsWith("Stablehlo") || options.type.startsWith("Dilate");
}
