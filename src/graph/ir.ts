/**
 * The TensorFlow-level IR: one flat list of TF-style nodes. Importers of every source format produce it, with functions
 * inlined and variables turned into constants, and one lowering consumes it. While/If keep their functions as subgraphs,
 * and so do calls of functions that say what they compute (attr "api_implements").
 */
import type { DType, TensorData } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";

/** A constant. `data.length` follows from dtype and shape (see base/dtype). */
export interface TensorValue {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** Output `output` of the node called `node`. Node names are unique in a graph. */
export interface ValueRef {
  readonly node: string;
  readonly output: number;
}

/** `undefined` stands for an unknown rank; -1 for an unknown dimension. */
export type PartialShape = Shape | undefined;

/** Attribute values, one field each, by kind. Integers are numbers when safe; `func` names a graph in `Graph.functions`. */
export type Attr =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "type"; readonly value: DType }
  | { readonly kind: "shape"; readonly value: PartialShape }
  | { readonly kind: "tensor"; readonly value: TensorValue }
  | { readonly kind: "func"; readonly value: string }
  | { readonly kind: "list"; readonly value: readonly Attr[] };

/** A node. Attributes are complete: what the file left out has been filled in from the op's defaults. */
export interface GraphNode {
  readonly name: string;
  /** TensorFlow's op name: "Conv2D", "Const", "Placeholder" … Const carries its value in attr "value". */
  readonly op: string;
  readonly inputs: readonly ValueRef[];
  readonly attrs: ReadonlyMap<string, Attr>;
  /** Number of outputs. */
  readonly outputCount: number;
}

/** An input or output of the graph. `key` is the signature's name for it, `tensorName` the name written to the file. */
export interface GraphInput {
  readonly key: string;
  readonly tensorName: string;
  /** The Placeholder node that stands for it. */
  readonly node: string;
  readonly dtype: DType;
  /** As the source says, unknown dimensions -1; `shape` of the Placeholder has the ones that the conversion uses. */
  readonly signatureShape: PartialShape;
}

export interface GraphOutput {
  readonly key: string;
  readonly tensorName: string;
  readonly value: ValueRef;
}

export interface Graph {
  /** Signature key, when the source has signatures: "serving_default". */
  readonly signatureKey?: string;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly GraphOutput[];
  /**
   * In an order in which every node comes after its inputs. Variables that the model changes are VarHandleOp nodes
   * with an attr "initial_value"; the ReadVariableOp and AssignVariableOp nodes of one variable run in the order of this
   * list. AssignVariableOp has no output and stays for its effect.
   */
  readonly nodes: readonly GraphNode[];
  /** Bodies of While, If, Case and of calls that were not inlined, by name. */
  readonly functions: ReadonlyMap<string, Graph>;
}
