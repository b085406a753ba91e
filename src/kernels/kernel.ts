/**
 * The contract between an operator's definition and whoever runs it. A kernel is a row in a table
 * (`reference/table.ts`): how to check an operator before anything runs, what shapes come out, and the computation.
 *
 * Life of an operator: `check` once at load (all failures of a model are collected and reported together), `shapes`
 * whenever the input shapes are known or have changed, `create` after that, and the returned function at each run.
 */
import type { DType, TensorData } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Quantization } from "../model/ir.ts";

/** What is known about an operand before the model runs. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Current shape; every dimension is known by the time `shapes` or `create` see an input. */
  readonly shape: Shape;
  readonly quantization?: Quantization;
  /** Constant in the file: its data never changes. */
  readonly isConstant: boolean;
  readonly isVariable: boolean;
}

/** An operand with its elements. `data` has exactly the elements that `shape` asks for, in row-major order. */
export interface TensorView extends TensorInfo {
  readonly data: TensorData;
}

/** An output. Where the shape depends on data that only a run produces, the kernel sets it through `resize`. */
export interface OutputView extends TensorView {
  /** Gives the output its shape and zeroed storage, and returns that. Only for outputs declared dynamic by `shapes`. */
  resize(shape: Shape): TensorData;
}

/** One operator of a model, as a kernel sees it. Absent optional operands are undefined. */
export interface KernelNode<Options = unknown> {
  readonly op: string;
  /** Where it stands, for messages: `subgraph 0, operator 12 (CONV_2D)`. */
  readonly where: string;
  readonly version: number;
  readonly options: Options;
  readonly customOptions?: Uint8Array;
  readonly inputs: readonly (TensorInfo | undefined)[];
  readonly outputs: readonly TensorInfo[];
  readonly intermediates?: readonly TensorInfo[];
}

/** Values of operands that decide shapes (RESHAPE's second, say): undefined while not known. */
export type ValueOf = (inputIndex: number) => TensorView | undefined;

/** The computation, bound to one operator: caches (row sums, dequantized constants) live in its closure. */
export type KernelRun = (
  inputs: readonly (TensorView | undefined)[],
  outputs: readonly OutputView[],
) => void;

export interface Kernel<Options = unknown> {
  /** Throws UnsupportedError or ShapeError when types, ranks or options are not served. */
  check(node: KernelNode<Options>): void;
  /**
   * Output shapes; `undefined` for an output whose shape only the computation can tell.
   * Called again with values once operands that were unknown at load have been computed.
   */
  shapes(node: KernelNode<Options>, valueOf: ValueOf): readonly (Shape | undefined)[];
  /** Binds the computation to the operator. Input and output shapes of `node` are final for this call. */
  create(node: KernelNode<Options>): KernelRun;
}
