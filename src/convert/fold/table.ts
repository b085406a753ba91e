/** All evaluators by TensorFlow op. */
import type { GraphNode, TensorValue } from "../../graph/ir.ts";
import { DATA_MOVEMENT } from "./data-movement.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { FAKE_QUANT } from "./fake-quant.ts";
import { GENERATORS } from "./generators.ts";
import { REDUCTION } from "./reductions.ts";
import type { Evaluator } from "./values.ts";

const EVALUATORS: ReadonlyMap<string, Evaluator> = new Map([
  ...ELEMENTWISE,
  ...DATA_MOVEMENT,
  ...GENERATORS,
  ...REDUCTION,
  ...FAKE_QUANT,
]);

/** The outputs of a node with constant inputs, or undefined where it cannot be evaluated. */
export function evaluate(
  node: GraphNode,
  inputs: readonly TensorValue[],
): readonly TensorValue[] | undefined {
  return EVALUATORS.get(node.op)?.(node, inputs);
}
