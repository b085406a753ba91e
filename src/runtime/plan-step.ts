/** What a plan is made of: where tensors are, and what is done in which order. */
import type { KernelNode, TensorInfo, TensorView } from "../kernels/kernel.ts";
import type { FastPlan, FastRequest } from "../kernels/simd/fast-kernel.ts";
import type { LoadedOperator } from "./load.ts";

/** Where the elements of a tensor are. */
export type Placement =
  /** In the file, or computed once when the plan was made: `value` holds them. */
  | { readonly kind: "known"; readonly value: TensorView }
  /** Kept from run to run. */
  | { readonly kind: "variable" }
  | { readonly kind: "arena"; readonly byteOffset: number; readonly byteLength: number }
  /** Of known shape, but not bytes (strings). */
  | { readonly kind: "heap" }
  | { readonly kind: "dynamic" }
  /** Never in memory: the next operator is computed in the registers that hold it. */
  | { readonly kind: "folded" }
  /** Neither fed, nor constant, nor computed by an operator. */
  | { readonly kind: "unset" };

export interface PlanStep {
  readonly operator: number;
  /** Shapes are found while running. */
  readonly dynamic: boolean;
  /** A sum that the operator's kernel computes as well; it has no step of its own. */
  readonly sum?: FusedSum;
}

/** A sum that is computed by the step before it. */
export interface FusedSum {
  /** The operator that sums. */
  readonly operator: number;
  /** The tensor that is added. */
  readonly residual: number;
  /** The tensor that holds the sum. */
  readonly output: number;
  /** The kernel that computes both. */
  readonly plan: FastPlan;
}

/** Asks the emitted kernel of an operator to add a tensor to its result; undefined where there is none that can. */
export type PlanSum = (request: Omit<FastRequest, "features">) => FastPlan | undefined;

/** The operator's node with operands as `tensors` has them now. */
export function nodeWith(operator: LoadedOperator, tensors: readonly TensorInfo[]): KernelNode {
  return {
    ...operator.node,
    inputs: operator.inputs.map((index) => tensors[index]),
    outputs: operator.outputs.map((index) => tensors[index]!),
  };
}
