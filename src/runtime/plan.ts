/**
 * What a subgraph does for given input shapes, decided before anything runs: the shape of every tensor, which
 * operators are computed once because nothing they read ever changes, which run each time, and where activations live.
 * A tensor whose shape only a run can tell is dynamic, and so is all that is computed from it.
 */
import { GraphError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { KernelNode, SubgraphFinder, TensorInfo, TensorView } from "../kernels/kernel.ts";
import { type ArenaPlan, type Lifetime, planArena } from "./arena.ts";
import { fuseSums } from "./fuse-sums.ts";
import { checkedByteLength } from "./limits.ts";
import type { LoadedOperator, LoadedSubgraph } from "./load.ts";
import { nodeWith, type Placement, type PlanStep, type PlanSum } from "./plan-step.ts";
import { livesInArena } from "./tensor-data.ts";

export interface Plan {
  /** With current shapes; a dynamic tensor keeps the shape that the file names. */
  readonly tensors: readonly TensorInfo[];
  readonly placements: readonly Placement[];
  /** Operators that each run executes, in order. */
  readonly steps: readonly PlanStep[];
  readonly arenaByteLength: number;
}

export interface PlanRequest {
  /** One for each input of the subgraph, in order. */
  readonly inputShapes: readonly Shape[];
  /** Keeps every activation at an address of its own, so that all can be read after a run. */
  readonly preserveAll: boolean;
  readonly subgraph: SubgraphFinder;
  /** Plans an operator together with a sum behind it; absent where emitted kernels are not wanted. */
  readonly planSum?: PlanSum;
  /** Computes an operator of which all inputs are known now; the results have their shapes. */
  computeOnce(
    operator: number,
    node: KernelNode,
    inputs: readonly (TensorView | undefined)[],
    shapes: readonly (Shape | undefined)[],
  ): readonly TensorView[];
}

/**
 * Plans one subgraph.
 *
 * @throws {ShapeError | GraphError} when operators do not fit their operands.
 * @throws {LimitError} for tensors beyond any sensible size.
 */
export function planSubgraph(graph: LoadedSubgraph, request: PlanRequest): Plan {
  const draft = draftOf(graph, request.inputShapes);
  const drafted: PlanStep[] = [];
  for (const [index, operator] of graph.operators.entries()) {
    const step = planOperator(graph, draft, index, operator, request);
    if (step !== undefined) drafted.push(step);
  }
  const { planSum, preserveAll } = request;
  const steps =
    planSum === undefined || preserveAll ? drafted : fuseSums(graph, draft, drafted, planSum);
  const arena = placeActivations(graph, draft, steps, request.preserveAll);
  return {
    tensors: draft.tensors,
    placements: draft.placements,
    steps,
    arenaByteLength: arena.byteLength,
  };
}

/** What is known so far while operators are visited in order. */
interface Draft {
  readonly tensors: TensorInfo[];
  readonly placements: Placement[];
}

/** Address still open; filled in by `placeActivations`. */
const UNPLACED: Placement = { kind: "arena", byteOffset: -1, byteLength: -1 };

function draftOf(graph: LoadedSubgraph, inputShapes: readonly Shape[]): Draft {
  const tensors = [...graph.tensors];
  const placements = graph.tensors.map((tensor, index): Placement => {
    const data = graph.constants[index];
    if (data !== undefined) return { kind: "known", value: { ...tensor, data } };
    return tensor.isVariable ? { kind: "variable" } : { kind: "unset" };
  });
  for (const [position, index] of graph.inputs.entries()) {
    const tensor = tensors[index];
    const shape = inputShapes[position];
    if (tensor === undefined || shape === undefined) continue;
    checkedByteLength(`input ${JSON.stringify(tensor.name)}`, tensor.dtype, shape);
    tensors[index] = { ...tensor, shape };
    placements[index] = livesInArena(tensor.dtype) ? UNPLACED : { kind: "heap" };
  }
  return { tensors, placements };
}

function planOperator(
  graph: LoadedSubgraph,
  draft: Draft,
  index: number,
  operator: LoadedOperator,
  request: PlanRequest,
): PlanStep | undefined {
  const { kernel } = operator;
  for (const input of operator.inputs) requireSet(draft, input, operator.node.where);
  if (operator.inputs.some((input) => draft.placements[input]?.kind === "dynamic")) {
    for (const output of operator.outputs) draft.placements[output] = { kind: "dynamic" };
    return { operator: index, dynamic: true };
  }
  const node = nodeWith(operator, draft.tensors);
  const values = operator.inputs.map((input) => knownValue(draft, input));
  const shapes = kernel.shapes(node, (position) => values[position], request.subgraph);
  const allKnown = operator.inputs.every((input, at) => input < 0 || values[at] !== undefined);
  if (kernel.readsOnlyShapes || (allKnown && !kernel.stateful)) {
    const results = request.computeOnce(index, node, values, shapes);
    for (const [at, output] of operator.outputs.entries()) {
      const value = results[at];
      const tensor = graph.tensors[output];
      if (value === undefined || tensor === undefined) continue;
      draft.tensors[output] = { ...tensor, shape: value.shape, isConstant: true };
      draft.placements[output] = { kind: "known", value };
    }
    return undefined;
  }
  const dynamic = operator.outputs.some((_, at) => shapes[at] === undefined);
  for (const [at, output] of operator.outputs.entries()) {
    placeOutput(draft, output, dynamic ? undefined : shapes[at], operator.node.where);
  }
  return { operator: index, dynamic };
}

function placeOutput(draft: Draft, output: number, shape: Shape | undefined, where: string): void {
  const tensor = draft.tensors[output];
  if (tensor === undefined) return;
  if (shape === undefined) {
    draft.placements[output] = { kind: "dynamic" };
    return;
  }
  checkedByteLength(`${where}, output ${JSON.stringify(tensor.name)}`, tensor.dtype, shape);
  draft.tensors[output] = { ...tensor, shape };
  draft.placements[output] = livesInArena(tensor.dtype) ? UNPLACED : { kind: "heap" };
}

function requireSet(draft: Draft, input: number, where: string): void {
  if (input < 0 || draft.placements[input]?.kind !== "unset") return;
  throw new GraphError({
    where,
    found: `input tensor ${input} ${JSON.stringify(draft.tensors[input]?.name)} that nothing sets`,
    expected: "a constant, an input of the subgraph or the result of an earlier operator",
  });
}

function knownValue(draft: Draft, tensor: number): TensorView | undefined {
  const placement = draft.placements[tensor];
  return placement?.kind === "known" ? placement.value : undefined;
}

/** Gives every tensor in the arena its address. Inputs and outputs of the subgraph live through the whole run. */
function placeActivations(
  graph: LoadedSubgraph,
  draft: Draft,
  steps: readonly PlanStep[],
  preserveAll: boolean,
): ArenaPlan {
  const lastStep = steps.length;
  const lives = new Map<number, { first: number; last: number }>();
  const extend = (tensor: number, step: number) => {
    if (draft.placements[tensor]?.kind !== "arena") return;
    const life = lives.get(tensor);
    if (life === undefined) lives.set(tensor, { first: step, last: step });
    else life.last = step;
  };
  for (const input of graph.inputs) extend(input, 0);
  for (const [at, step] of steps.entries()) {
    const operator = graph.operators[step.operator];
    for (const tensor of operator?.inputs ?? []) extend(tensor, at);
    for (const tensor of operator?.outputs ?? []) extend(tensor, at);
    if (step.sum !== undefined) {
      extend(step.sum.residual, at);
      extend(step.sum.output, at);
    }
  }
  const kept = preserveAll ? [...lives.keys()] : graph.kept;
  for (const tensor of kept) extend(tensor, lastStep);

  const order = [...lives.keys()];
  const lifetimes = order.map((tensor): Lifetime => {
    const { dtype, shape, name } = draft.tensors[tensor]!;
    const { first, last } = lives.get(tensor)!;
    return { byteLength: checkedByteLength(name, dtype, shape), first, last };
  });
  const arena = planArena(lifetimes);
  for (const [at, tensor] of order.entries()) {
    draft.placements[tensor] = {
      kind: "arena",
      byteOffset: arena.offsets[at]!,
      byteLength: lifetimes[at]!.byteLength,
    };
  }
  return arena;
}
