/**
 * Sums that the kernel of the operator before them can compute along with its own result, so that this result is never in
 * memory: residual connections of convolutional networks. Decided on the plan's steps before activations get addresses.
 */
import { sameShape } from "../base/shape.ts";
import type { TensorInfo, ValueOf } from "../kernels/kernel.ts";
import { optionsOf } from "../kernels/options.ts";
import { RESIDUAL_OPERAND } from "../kernels/simd/fast-kernel.ts";
import type { FastChoice } from "./linear-memory.ts";
import type { LoadedOperator, LoadedSubgraph } from "./load.ts";
import {
  type FusedSum,
  nodeWith,
  type Placement,
  type PlanStep,
  type PlanSum,
} from "./plan-step.ts";

/** What is known of tensors when steps are fused. */
export interface StepTensors {
  readonly tensors: readonly TensorInfo[];
  /** Changed where a result is folded away. */
  readonly placements: Placement[];
}

/** Asks the emitted kernels of a choice. */
export function sumPlanner({ find, features }: FastChoice): PlanSum {
  return (request) => find(request.node.op)?.({ ...request, features });
}

/** The steps, each pair of an operator and a sum that its kernel takes on as one. */
export function fuseSums(
  graph: LoadedSubgraph,
  draft: StepTensors,
  steps: readonly PlanStep[],
  planSum: PlanSum,
): PlanStep[] {
  const fused: PlanStep[] = [];
  const uses = countUses(graph);
  for (const step of steps) {
    const before = fused.at(-1);
    const sum = before && fusedSum(graph, uses, draft, [before, step], planSum);
    if (before === undefined || sum === undefined) {
      fused.push(step);
      continue;
    }
    fused[fused.length - 1] = { ...before, sum };
    for (const folded of graph.operators[before.operator]?.outputs ?? []) {
      draft.placements[folded] = { kind: "folded" };
    }
  }
  return fused;
}

function fusedSum(
  graph: LoadedSubgraph,
  uses: readonly number[],
  draft: StepTensors,
  [before, step]: readonly [PlanStep, PlanStep],
  planSum: PlanSum,
): FusedSum | undefined {
  const [operator, addition] = [graph.operators[before.operator], graph.operators[step.operator]];
  if (operator === undefined || addition === undefined) return undefined;
  if (before.dynamic || step.dynamic || before.sum !== undefined) return undefined;
  if (operator.isCustom || addition.isCustom || addition.node.op !== "ADD") return undefined;
  const [result, output] = [onlyOne(operator.outputs), onlyOne(addition.outputs)];
  if (result === undefined || output === undefined || operator.inputs.length > RESIDUAL_OPERAND)
    return undefined;
  const residual = addition.inputs.find((tensor) => tensor !== result);
  if (residual === undefined || !isUsedOnce(graph, uses, result, addition)) return undefined;
  const operands = [...operator.inputs.filter((tensor) => tensor >= 0), residual, output];
  const kinds = operands.map((tensor) => draft.placements[tensor]?.kind);
  if (!kinds.every((kind) => kind === "arena" || kind === "known")) return undefined;
  if (!areEqualFloats([result, residual, output].map((tensor) => draft.tensors[tensor])))
    return undefined;
  if (draft.placements[residual]?.kind !== "arena") return undefined;
  const known: ValueOf = (position) => {
    const placement = draft.placements[operator.inputs[position] ?? -1];
    return placement?.kind === "known" ? placement.value : undefined;
  };
  const plan = planSum({
    node: nodeWith(operator, draft.tensors),
    reference: operator.kernel,
    known,
    residual: optionsOf(addition.node, "AddOptions").fused_activation_function,
  });
  return plan?.addsResidual ? { operator: step.operator, residual, output, plan } : undefined;
}

function onlyOne(tensors: readonly number[]): number | undefined {
  return tensors.length === 1 ? tensors[0] : undefined;
}

/** Operands that each tensor is, over all operators. */
function countUses({ operators, tensors }: LoadedSubgraph): readonly number[] {
  const uses = new Array<number>(tensors.length).fill(0);
  for (const { inputs } of operators) {
    for (const input of inputs) if (input >= 0) uses[input]! += 1;
  }
  return uses;
}

/** Whether a tensor goes into one operand of one operator, and nowhere else. */
function isUsedOnce(
  graph: LoadedSubgraph,
  uses: readonly number[],
  tensor: number,
  by: LoadedOperator,
): boolean {
  return uses[tensor] === 1 && by.inputs.includes(tensor) && !graph.kept.includes(tensor);
}

function areEqualFloats(tensors: readonly (TensorInfo | undefined)[]): boolean {
  const [first] = tensors;
  return tensors.every(
    (tensor) =>
      tensor?.dtype === "float32" &&
      !tensor.isVariable &&
      first !== undefined &&
      sameShape(tensor.shape, first.shape),
  );
}
