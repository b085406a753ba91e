/** A plan told to people: what runs in which order, on which kernels, and what it takes. */
import type { ComputedOnce } from "./computed-once.ts";
import type { LinearMemory } from "./linear-memory.ts";
import type { LoadedSubgraph } from "./load.ts";
import type { PlannedStep, SessionMemory } from "./observations.ts";
import type { Plan } from "./plan.ts";

/** The steps of a plan, in order; nothing while there is none. */
export function plannedSteps(
  graph: LoadedSubgraph,
  plan: Plan | undefined,
  memory: LinearMemory | undefined,
): PlannedStep[] {
  return (plan?.steps ?? []).map(({ operator, sum }) => {
    const kernel = memory?.variantOf(operator);
    return {
      operator,
      op: graph.operators[operator]?.node.op ?? "",
      ...(kernel === undefined ? {} : { kernel }),
      ...(sum === undefined ? {} : { adds: sum.operator }),
    };
  });
}

/** What a session holds. */
export function memoryOf(
  plan: Plan | undefined,
  memory: LinearMemory | undefined,
  { byteLength, computations }: ComputedOnce,
): SessionMemory {
  let unsharedBytes = 0;
  for (const placement of plan?.placements ?? []) {
    if (placement.kind === "arena") unsharedBytes += placement.byteLength;
  }
  return {
    arenaBytes: plan?.arenaByteLength ?? 0,
    kernelBytes: memory?.kernelBytes ?? 0,
    unsharedBytes,
    computedOnceBytes: byteLength,
    computedOnce: computations,
  };
}
