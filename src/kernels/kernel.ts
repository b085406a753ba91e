/**
 * The contract between an operator's definition and whoever runs it. A kernel is a row in a table
 * (`reference/table.ts`): how to check an operator before anything runs, what shapes come out, and the computation.
 * Custom operators register rows of the same kind.
 *
 * Life of an operator: `check` once at load (all failures of a model are collected and reported together), `shapes`
 * whenever the input shapes are known or have changed, `create` after that, and the returned function at each run.
 * Inputs and outputs never share memory, so a kernel may write an output before it has read all its inputs.
 */
import type { DType, TensorData } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { BuiltinOptions, BuiltinOptions2 } from "../formats/tflite/schema.gen.ts";
import type { Quantization } from "../model/ir.ts";

/** What is known about an operand before the model runs. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Current shape; every dimension is known by the time `shapes` or `create` see an input. */
  readonly shape: Shape;
  /** The file's shape with -1 where a dimension may vary; absent where the file says nothing. */
  readonly shapeSignature?: Shape;
  readonly quantization?: Quantization;
  /** Constant in the file: its data never changes. */
  readonly isConstant: boolean;
  readonly isVariable: boolean;
}

/**
 * An operand with its elements. `data` has exactly the elements that `shape` asks for, in row-major order; int4 and
 * int2 stay packed, handles of resources are one Int32Array element each.
 */
export interface TensorView extends TensorInfo {
  readonly data: TensorData;
}

/**
 * An output; its data is undefined before the run. Where the shape depends on data that only a run produces, the
 * kernel sets it through `resize`.
 */
export interface OutputView extends TensorView {
  /** Gives the output its shape and zeroed storage, and returns that. Only for outputs declared dynamic by `shapes`. */
  resize(shape: Shape): TensorData;
}

/** One operator of a model, as a kernel sees it. Absent optional operands are undefined. */
export interface KernelNode {
  /** Name in the schema, or the custom code of a custom operator. */
  readonly op: string;
  /** Where it stands, for messages: `subgraph 0, operator 12 (CONV_2D)`. */
  readonly where: string;
  readonly version: number;
  /** Read through `optionsOf`, which supplies the schema's defaults where the file has no options. */
  readonly options?: BuiltinOptions;
  readonly options2?: BuiltinOptions2;
  readonly customOptions?: Uint8Array;
  readonly inputs: readonly (TensorInfo | undefined)[];
  readonly outputs: readonly TensorInfo[];
  readonly intermediates?: readonly TensorInfo[];
}

/** Values of operands that decide shapes (RESHAPE's second, say): undefined while not known. */
export type ValueOf = (inputIndex: number) => TensorView | undefined;

/** Another subgraph of the same model, as the control-flow operators call it. */
export interface CallableSubgraph {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Shapes of its outputs for such inputs; undefined where only a run can tell. */
  outputShapes(inputShapes: readonly Shape[]): readonly (Shape | undefined)[];
  /** Runs it on copies of `args`. The views it returns are good until its next run. */
  run(args: readonly TensorView[]): readonly TensorView[];
}

/**
 * Finds another subgraph of the model.
 *
 * @throws {GraphError} for an index that the model does not have.
 */
export type SubgraphFinder = (index: number) => CallableSubgraph;

/** What outlives a run: resource variables and hash tables, shared by all subgraphs of one interpreter. */
export interface ResourceStore {
  /**
   * The handle of the resource of that kind and name; the same name always gives the same handle. "call" stands for
   * subgraphs that run once in the life of an interpreter.
   */
  handleOf(kind: "variable" | "table" | "call", name: string): number;
  get(handle: number): unknown;
  set(handle: number, value: unknown): void;
}

/** What surrounds an operator when it is bound. */
export interface KernelContext {
  /** Data of operands that are constant; undefined for the others. */
  readonly known: ValueOf;
  /** A constant of the subgraph by tensor index, as block-wise quantization names its scales; undefined for others. */
  constant(tensor: number): TensorView | undefined;
  readonly resources: ResourceStore;
  readonly subgraph: SubgraphFinder;
  /**
   * To be called now and then during long work.
   *
   * @throws {LimitError} when the time of the run is over.
   */
  readonly checkTime: () => void;
}

/** The computation, bound to one operator: caches (row sums, unpacked constants) live in its closure. */
export type KernelRun = (
  inputs: readonly (TensorView | undefined)[],
  outputs: readonly OutputView[],
) => void;

/** The definition of one operator, or of a custom one. */
export interface Kernel {
  /**
   * The result depends on more than the inputs (variables, tables, random numbers, other subgraphs), so that the
   * operator runs each time even where all its inputs are constant.
   */
  readonly stateful?: boolean;
  /** The result depends on the inputs' shapes only (SHAPE, RANK), so that it is known as soon as they are. */
  readonly readsOnlyShapes?: boolean;
  /** Throws UnsupportedError, ShapeError or GraphError when operands, types, ranks or options are not served. */
  check(node: KernelNode): void;
  /**
   * Output shapes; `undefined` for an output whose shape only the computation can tell.
   * Called again with values once operands that were unknown at load have been computed.
   */
  shapes(
    node: KernelNode,
    known: ValueOf,
    subgraph: SubgraphFinder,
  ): readonly (Shape | undefined)[];
  /** Binds the computation to the operator. Input and output shapes of `node` are final for this call. */
  create(node: KernelNode, context: KernelContext): KernelRun;
}

/** Rows of a kernel table, by operator name. */
export type KernelTable = Readonly<Record<string, Kernel>>;
