/**
 * The WebAssembly side of a subgraph: which operators get emitted kernels, one module with all their functions, and
 * one memory that holds activations, packed weights and scratch:
 *
 *   [reserved | activations | each kernel's own bytes … | scratch shared by all kernels]
 *
 * With more than one thread that memory is shared with workers. Without any emitted kernel the activations get a plain
 * ArrayBuffer instead.
 */
import { LimitError } from "../base/errors.ts";
import type { KernelRun } from "../kernels/kernel.ts";
import {
  type FastFeatures,
  type FastKernel,
  type FastPlace,
  type FastPlan,
  Region,
} from "../kernels/simd/fast-kernel.ts";
import { keptSumsEnd } from "../kernels/simd/kept-sums.ts";
import type { Compile } from "./compile.ts";
import { EmittedCode, MAX_PAGES, type Workers } from "./emitted-code.ts";
import { allocateBytes } from "./limits.ts";
import type { LoadedSubgraph } from "./load.ts";
import type { Plan } from "./plan.ts";
import { nodeWith, type Placement } from "./plan-step.ts";

/** Emitted kernels that a session may use. */
export interface FastChoice {
  readonly features: FastFeatures;
  /** How to start workers; absent where one thread does everything. */
  readonly workers?: Workers;
  /** Compiles with 256-bit vectors; absent where 128 bits are wanted. */
  readonly compileWide?: Compile;
  find(op: string): FastKernel | undefined;
}

export interface LinearMemory {
  readonly buffer: ArrayBufferLike;
  /** Byte offset of the activations in `buffer`. */
  readonly arenaStart: number;
  /** Bytes beside the activations: packed weights and scratch. */
  readonly kernelBytes: number;
  /**
   * Binds the emitted kernel of an operator; undefined where the reference kernel serves it. `isStored`: once again, to
   * the code that was settled on.
   */
  bind(operator: number, isStored?: boolean): KernelRun | undefined;
  /** Name of the emitted variant that serves an operator. */
  variantOf(operator: number): string | undefined;
  /** The emitted kernels' code; undefined where there are none. */
  readonly code: EmittedCode | undefined;
}

const PAGE_BYTES = 65536;
const MAX_MEMORY_BYTES = (MAX_PAGES - 1) * PAGE_BYTES;

/** Lays out memory for the plan and builds the module. */
export function openLinearMemory(
  graph: LoadedSubgraph,
  plan: Plan,
  choice: FastChoice | undefined,
  checkTime: () => void,
): LinearMemory {
  const where = `subgraph ${graph.index}`;
  const fast = choice === undefined ? new Map<number, FastPlan>() : planFast(graph, plan, choice);
  if (fast.size === 0) {
    const buffer = allocateBytes(where, plan.arenaByteLength);
    const none = () => undefined;
    const plain = { buffer, arenaStart: 0, kernelBytes: 0 };
    return { ...plain, bind: none, variantOf: none, code: undefined };
  }
  const reservedBytes = keptSumsEnd(1 + (choice?.workers?.count ?? 0));
  const region = new Region(reservedBytes);
  const arenaStart = region.take(plan.arenaByteLength);
  const persistent = new Map<number, number>();
  for (const [operator, { persistentBytes }] of fast) {
    persistent.set(operator, region.take(persistentBytes));
  }
  const scratch = region.take(Math.max(...[...fast.values()].map((entry) => entry.scratchBytes)));
  const totalBytes = reservedBytes + region.byteLength;
  const memory = allocateMemory(where, totalBytes, choice?.workers !== undefined);
  const functions = [...fast.values()].flatMap((entry) => entry.functions);
  const code = new EmittedCode(functions, memory, { ...choice, checkTime });
  const place = {
    memory,
    scratch,
    threads: code.threads,
    call: (name) => code.call(name),
    callAll: (name, calls, work) => code.callInTurn([{ name, calls }], work),
    callInTurn: (lists, work) => code.callInTurn(lists, work),
  } satisfies Omit<FastPlace, "persistent" | "isStored">;
  return {
    buffer: memory.buffer,
    arenaStart,
    kernelBytes: totalBytes - plan.arenaByteLength,
    bind: (operator, isStored = false) =>
      fast.get(operator)?.bind({
        ...place,
        persistent: persistent.get(operator) ?? 0,
        isStored,
      }),
    variantOf: (operator) => fast.get(operator)?.variant,
    code,
  };
}

/** Where operands of emitted kernels may be; variables only for kernels that say so. */
const SERVED: readonly Placement["kind"][] = ["arena", "known", "variable"];

/** Asks the emitted kernels of all operators whose activations have fixed addresses. */
function planFast(
  graph: LoadedSubgraph,
  plan: Plan,
  { features, find }: FastChoice,
): Map<number, FastPlan> {
  const plans = new Map<number, FastPlan>();
  for (const { operator: index, dynamic, sum } of plan.steps) {
    if (sum !== undefined) {
      plans.set(index, sum.plan);
      continue;
    }
    const operator = graph.operators[index];
    if (dynamic || operator === undefined || operator.isCustom) continue;
    const placements = [...operator.inputs, ...operator.outputs]
      .filter((tensor) => tensor >= 0)
      .map((tensor) => plan.placements[tensor]?.kind);
    if (!placements.every((kind) => kind !== undefined && SERVED.includes(kind))) continue;
    const fastPlan = find(operator.node.op)?.({
      node: nodeWith(operator, plan.tensors),
      reference: operator.kernel,
      known: (position) => {
        const placement = plan.placements[operator.inputs[position] ?? -1];
        return placement?.kind === "known" ? placement.value : undefined;
      },
      features,
    });
    const touchesVariables = placements.includes("variable");
    if (fastPlan === undefined || (touchesVariables && !fastPlan.readsVariables)) continue;
    plans.set(index, fastPlan);
  }
  return plans;
}

/** A shared memory needs a maximum; it never grows here. */
function allocateMemory(where: string, byteLength: number, shared: boolean): WebAssembly.Memory {
  const pages = Math.ceil(byteLength / PAGE_BYTES);
  if (byteLength <= MAX_MEMORY_BYTES) {
    try {
      return new WebAssembly.Memory(
        shared ? { initial: pages, maximum: pages, shared } : { initial: pages },
      );
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
  }
  throw new LimitError({
    where,
    found: `${byteLength} bytes of activations and packed weights`,
    expected: `at most ${MAX_MEMORY_BYTES} bytes, and what this machine can give`,
    remedy: 'Run with smaller input shapes, or with kernels "reference"',
    limit: "MAX_MEMORY_BYTES",
    value: byteLength,
    max: MAX_MEMORY_BYTES,
  });
}
