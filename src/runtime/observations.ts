/** What can be seen of a running model: each operator, and the memory of all. */
import type { TensorView } from "../kernels/kernel.ts";

/** One executed operator, told to an observer right after it ran. */
export interface OperatorEvent {
  readonly subgraph: number;
  readonly operator: number;
  readonly op: string;
  /** Name of the emitted kernel that ran; undefined for the reference. */
  readonly variant: string | undefined;
  /** Wall time of the computation. */
  readonly milliseconds: number;
  /** Good until the observer returns. */
  readonly inputs: readonly (TensorView | undefined)[];
  readonly outputs: readonly TensorView[];
}

/** What a session holds, in bytes and counts. */
export interface SessionMemory {
  /** Planned block of activations. */
  readonly arenaBytes: number;
  /** Packed weights and scratch of emitted kernels. */
  readonly kernelBytes: number;
  /** What the same activations would take without sharing addresses. */
  readonly unsharedBytes: number;
  /** Results of operators that were computed once. */
  readonly computedOnceBytes: number;
  /** Operators computed once since the session was made. */
  readonly computedOnce: number;
}

/** One step of a run of the main subgraph. */
export interface PlannedStep {
  /** Index of the operator in its subgraph. */
  readonly operator: number;
  readonly op: string;
  /** The emitted kernel, `kind-tile-instructions`; absent where the reference kernel runs. */
  readonly kernel?: string;
  /** Index of the sum that the kernel computes as well. */
  readonly adds?: number;
}
