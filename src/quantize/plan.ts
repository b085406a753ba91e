/**
 * Decides first: asks the policy about every operator and gathers, for every constant, the forms it will be stored in
 * and who reads which. No data is touched.
 */
import { assert } from "../base/errors.ts";
import type { Model } from "../model/ir.ts";
import { type FloatConstant, findFloatConstants, type Use } from "./constants.ts";
import { GRAPH_BOUNDARY, type KeepReason, UNUSED } from "./keep-reason.ts";
import { type OperatorContext, type OperatorTreatment, type Policy, scopeOf } from "./policy.ts";
import { formatKey, type WeightFormat } from "./weight-format.ts";

/** A constant in one format. Operators that ask for the same format share it. */
export interface PlannedForm {
  readonly format: WeightFormat;
  /** Operands that read the stored type. */
  readonly direct: readonly Use[];
  /** Operands that read it through a DEQUANTIZE. */
  readonly dequantized: readonly Use[];
}

/** A use that goes on reading floats, or a reason that concerns the tensor as a whole (`use` absent). */
export interface KeptUse {
  readonly use?: Use;
  readonly reason: KeepReason;
}

export interface ConstantPlan {
  readonly constant: FloatConstant;
  readonly forms: readonly PlannedForm[];
  readonly kept: readonly KeptUse[];
}

export interface SubgraphPlan {
  /** By tensor index. */
  readonly constants: readonly ConstantPlan[];
  /** Values for `asymmetric_quantize_inputs`, by operator index. */
  readonly asymmetricInputs: ReadonlyMap<number, boolean>;
}

/** Why a constant's data cannot be quantized; undefined where nothing is known against it. */
export type Obstacles = (constant: FloatConstant) => KeepReason | undefined;

/** Plans every subgraph of the model. */
export function planModel(model: Model, policy: Policy, obstacleOf: Obstacles): SubgraphPlan[] {
  return model.subgraphs.map((_, subgraph) => planSubgraph(model, subgraph, policy, obstacleOf));
}

function planSubgraph(
  model: Model,
  subgraph: number,
  policy: Policy,
  obstacleOf: Obstacles,
): SubgraphPlan {
  const graph = model.subgraphs[subgraph]!;
  const constants = findFloatConstants(model, subgraph);
  const asymmetricInputs = new Map<number, boolean>();
  const treatments = graph.operators.map((operator, index): OperatorTreatment => {
    const context: OperatorContext = {
      graph,
      operator,
      scope: scopeOf(graph, operator),
      constantAt: (operand) => constants.get(operator.inputs[operand] ?? -1),
      obstacleOf,
    };
    const treatment = policy(context);
    if (treatment.asymmetricInputs !== undefined) {
      asymmetricInputs.set(index, treatment.asymmetricInputs);
    }
    return treatment;
  });
  return {
    constants: [...constants.values()].map((constant) => planConstant(constant, treatments)),
    asymmetricInputs,
  };
}

function planConstant(
  constant: FloatConstant,
  treatments: readonly OperatorTreatment[],
): ConstantPlan {
  const forms = new Map<string, { format: WeightFormat; direct: Use[]; dequantized: Use[] }>();
  const kept: KeptUse[] = [];
  for (const use of constant.uses) {
    const treatment = treatments[use.operator]?.operands.find(
      ({ operand }) => operand === use.operand,
    );
    assert(treatment !== undefined, "a policy passed over a constant operand");
    if (treatment.kind === "keep") {
      kept.push({ use, reason: treatment.reason });
      continue;
    }
    const key = formatKey(treatment.format);
    let form = forms.get(key);
    if (form === undefined) {
      form = { format: treatment.format, direct: [], dequantized: [] };
      forms.set(key, form);
    }
    (treatment.direct ? form.direct : form.dequantized).push(use);
  }
  if (constant.isBoundary) kept.push({ reason: GRAPH_BOUNDARY });
  else if (constant.uses.length === 0) kept.push({ reason: UNUSED });
  return { constant, forms: [...forms.values()], kept };
}
