/** Telling lists from tensors: what was the flow of a TensorArray says float32 in its attributes, but is a list now. */
import type { ValueRef } from "../graph/ir.ts";
import { outputType } from "../graph/output-types.ts";
import type { FlatNodes } from "./flat-nodes.ts";

const PASSES: ReadonlySet<string> = new Set([
  "Enter",
  "RefEnter",
  "Exit",
  "RefExit",
  "Merge",
  "RefMerge",
  "Switch",
  "RefSwitch",
  "NextIteration",
  "RefNextIteration",
  "Identity",
]);

/** Whether the value comes from an operation that makes a variant, through operations that pass it on. */
export function isVariant(nodes: FlatNodes, ref: ValueRef): boolean {
  let at = ref;
  for (let step = 0; step < 64; step++) {
    const node = nodes.get(at.node);
    if (node === undefined) return false;
    const input = node.inputs[0];
    if (!PASSES.has(node.op) || input === undefined) {
      return outputType(node, at.output) === "variant";
    }
    at = input;
  }
  return false;
}
