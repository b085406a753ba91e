/** Type inference: one rule per TensorFlow op, and a cautious fallback for the ops that have none. */
import type { DType } from "../../base/dtype.ts";
import type { GraphNode } from "../../graph/ir.ts";
import { outputType } from "../../graph/output-types.ts";
import { AUDIO_TYPES } from "./audio.ts";
import { CONTROL_FLOW_TYPES } from "./control-flow.ts";
import { DATA_MOVEMENT_TYPES } from "./data-movement.ts";
import { ELEMENTWISE_TYPES } from "./elementwise.ts";
import { REDUCTION_TYPES } from "./reductions.ts";
import type { TypedNode, TypeRule, ValueType } from "./typed-node.ts";
import { WINDOW_TYPES } from "./window.ts";

const RULES: ReadonlyMap<string, TypeRule> = new Map([
  ...ELEMENTWISE_TYPES,
  ...WINDOW_TYPES,
  ...DATA_MOVEMENT_TYPES,
  ...REDUCTION_TYPES,
  ...CONTROL_FLOW_TYPES,
  ...AUDIO_TYPES,
]);

/** Types of a node's outputs. Throws ShapeError when the inputs do not fit the op. */
export function inferTypes(typed: TypedNode): readonly ValueType[] {
  const { node } = typed;
  const rule = RULES.get(node.op);
  if (rule !== undefined) return rule(typed);
  const dtype = declaredType(node) ?? typed.inputs[0]?.dtype ?? "float32";
  return Array.from({ length: node.outputCount }, (_, output) => ({
    dtype: outputType(node, output) ?? dtype,
    shape: undefined,
  }));
}

function declaredType(node: GraphNode): DType | undefined {
  for (const name of ["dtype", "out_type", "Tout", "T"]) {
    const found = node.attrs.get(name);
    if (found?.kind === "type") return found.value;
  }
  return undefined;
}
