/** All subgraphs of one model with what they share: resources, and each other. */
import { GraphError, LimitError } from "../base/errors.ts";
import type { ResourceStore } from "../kernels/kernel.ts";
import { Deadline } from "./deadline.ts";
import { MAX_CALL_DEPTH } from "./limits.ts";
import type { LoadedSubgraph } from "./load.ts";
import type { SessionMemory } from "./observations.ts";
import { createResourceStore } from "./resources.ts";
import type { SessionHost } from "./session-host.ts";
import { SubgraphSession } from "./subgraph-session.ts";

export class Program {
  readonly #graphs: readonly LoadedSubgraph[];
  readonly #options: Pick<SessionHost, "preserveAll" | "observe" | "remark" | "fast">;
  readonly #sessions = new Map<number, SubgraphSession>();
  readonly #resources: ResourceStore & { clear(): void };
  /** Limits the time of whatever session runs. */
  readonly deadline: Deadline = new Deadline();
  #isReleased = false;

  constructor(
    graphs: readonly LoadedSubgraph[],
    options: Pick<SessionHost, "preserveAll" | "observe" | "remark" | "fast">,
  ) {
    this.#graphs = graphs;
    this.#options = options;
    this.#resources = createResourceStore();
  }

  /**
   * The session of a subgraph, made at first use. `depth` counts the calls that lead to it.
   *
   * @throws {GraphError} for an index that the model does not have.
   * @throws {LimitError} for subgraphs nested too deeply.
   */
  session(index: number, depth = 0): SubgraphSession {
    const existing = this.#sessions.get(index);
    if (existing !== undefined) return existing;
    const graph = this.#graphs[index];
    if (graph === undefined) {
      throw new GraphError({
        where: "model",
        found: `a call of subgraph ${index}`,
        expected: `an index below ${this.#graphs.length}`,
      });
    }
    if (depth > MAX_CALL_DEPTH) {
      throw new LimitError({
        where: `subgraph ${index}`,
        found: `more than ${MAX_CALL_DEPTH} nested calls`,
        expected: "subgraphs that do not call each other in circles",
        limit: "MAX_CALL_DEPTH",
        value: depth,
        max: MAX_CALL_DEPTH,
      });
    }
    const { fast } = this.#options;
    const workers = fast?.workers && { ...fast.workers, onDemand: depth > 0 };
    const session = new SubgraphSession(graph, {
      ...this.#options,
      ...(fast === undefined || workers === undefined ? {} : { fast: { ...fast, workers } }),
      resources: this.#resources,
      deadline: this.deadline,
      callable: (callee) => this.session(callee, depth + 1),
    });
    this.#sessions.set(index, session);
    return session;
  }

  /** Zeroes variable tensors and empties the resource store. */
  reset(): void {
    for (const session of this.#sessions.values()) session.resetVariables();
    this.#resources.clear();
  }

  /** What all sessions together hold. */
  memory(): SessionMemory {
    const total = {
      arenaBytes: 0,
      kernelBytes: 0,
      unsharedBytes: 0,
      computedOnceBytes: 0,
      computedOnce: 0,
    };
    for (const session of this.#sessions.values()) {
      const own = session.memory();
      total.arenaBytes += own.arenaBytes;
      total.kernelBytes += own.kernelBytes;
      total.unsharedBytes += own.unsharedBytes;
      total.computedOnceBytes += own.computedOnceBytes;
      total.computedOnce += own.computedOnce;
    }
    return total;
  }

  /** Whether everything has been let go of. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Lets go of all sessions. */
  release(): void {
    this.#isReleased = true;
    for (const session of this.#sessions.values()) session.release();
    this.#sessions.clear();
    this.#resources.clear();
  }
}
