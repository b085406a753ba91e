/**
 * Start values of resource variables: a subgraph that assigns them, and a CALL_ONCE at the beginning of the main one
 * that runs it.
 */
import { makeOptions } from "../formats/tflite/options.ts";
import { findAttr } from "../graph/attrs.ts";
import type { Graph } from "../graph/ir.ts";
import type { Draft, DraftOperator, DraftTensor } from "./draft.ts";
import { sharedName } from "./legalize/resources.ts";

/** Adds the initializer where the graph has variables with start values. */
export function initializeVariables(drafts: readonly Draft[], graph: Graph): readonly Draft[] {
  const tensors: DraftTensor[] = [];
  const operators: DraftOperator[] = [];
  for (const node of graph.nodes) {
    const value = node.op === "VarHandleOp" ? findAttr(node, "initial_value", "tensor") : undefined;
    if (value === undefined) continue;
    const handle = tensors.push({ name: node.name, dtype: "resource", shape: [] }) - 1;
    const initial =
      tensors.push({
        name: `${node.name}/initial`,
        dtype: value.dtype,
        shape: value.shape,
        value,
      }) - 1;
    operators.push(
      {
        op: "VAR_HANDLE",
        inputs: [],
        outputs: [handle],
        options: makeOptions("VarHandleOptions", { container: "", shared_name: sharedName(node) }),
      },
      {
        op: "ASSIGN_VARIABLE",
        inputs: [handle, initial],
        outputs: [],
        options: makeOptions("AssignVariableOptions"),
      },
    );
  }
  const main = drafts[0];
  if (main === undefined || operators.length === 0) return drafts;
  const call: DraftOperator = {
    op: "CALL_ONCE",
    inputs: [],
    outputs: [],
    options: makeOptions("CallOnceOptions", { init_subgraph_index: drafts.length }),
  };
  return [
    { ...main, operators: [call, ...main.operators] },
    ...drafts.slice(1),
    { name: "initialize", tensors, operators, inputs: [], outputs: [] },
  ];
}
