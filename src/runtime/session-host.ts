/** What a session asks of its surroundings. */
import type { Diagnostic } from "../base/errors.ts";
import type { CallableSubgraph, ResourceStore } from "../kernels/kernel.ts";
import type { Deadline } from "./deadline.ts";
import type { FastChoice } from "./linear-memory.ts";
import type { OperatorEvent } from "./observations.ts";

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
