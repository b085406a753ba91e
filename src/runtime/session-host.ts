/** What a session asks of its surroundings, and what it tells them. */
import type { Diagnostic } from "../base/errors.ts";
import type { CallableSubgraph, ResourceStore, TensorView } from "../kernels/kernel.ts";
import type { Deadline } from "./deadline.ts";
import type { FastChoice } from "./linear-memory.ts";

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

/** What a session needs from its surroundings. */
export interface SessionHost {
  readonly resources: ResourceStore;
  readonly preserveAll: boolean;
  /** Emitted kernels; absent where the reference serves everything. */
  readonly fast?: FastChoice;
  readonly observe?: (event: OperatorEvent) => void;
  /** When the run must end. */
  readonly deadline: Deadline;
  /** Takes what a caller should know about how the session runs. */
  readonly remark?: (remark: Diagnostic) => void;
  callable(subgraph: number): CallableSubgraph;
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
