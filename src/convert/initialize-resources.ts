/**
 * Start values of resource variables and the entries of hash tables: a subgraph that stores them, and a CALL_ONCE at the
 * beginning of the main one that runs it.
 */
import { makeOptions } from "../formats/tflite/options.ts";
import { findAttr, intAttr, tensorAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode, TensorValue } from "../graph/ir.ts";
import type { Draft, DraftOperator, DraftTensor } from "./draft.ts";
import { hashtableOptions, sharedName } from "./legalize/resources.ts";

/** Adds the initializer where the graph has variables with start values, or it or one of its functions has tables. */
export function initializeResources(drafts: readonly Draft[], graph: Graph): readonly Draft[] {
  const initializer = new Initializer();
  for (const node of graph.nodes) initializer.addVariable(node);
  for (const { nodes } of [graph, ...graph.functions.values()]) {
    const constants = new Map(nodes.map((node) => [node.name, node]));
    for (const node of nodes) initializer.addTable(node, constants);
  }
  const main = drafts[0];
  const { tensors, operators } = initializer;
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

class Initializer {
  readonly tensors: DraftTensor[] = [];
  readonly operators: DraftOperator[] = [];
  readonly #tables = new Set<number>();

  addVariable(node: GraphNode): void {
    const value = node.op === "VarHandleOp" ? findAttr(node, "initial_value", "tensor") : undefined;
    if (value === undefined) return;
    const handle = this.#tensor({ name: node.name, dtype: "resource", shape: [] });
    const initial = this.#constant(`${node.name}/initial`, value);
    this.operators.push(
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

  /** Each table is filled once, however many functions use it. */
  addTable(node: GraphNode, constants: ReadonlyMap<string, GraphNode>): void {
    if (node.op !== "HashTableV2") return;
    const id = intAttr(node, "table_id");
    const [keys, values] = node.inputs.flatMap((ref) => {
      const constant = constants.get(ref.node);
      return constant?.op === "Const" ? [tensorAttr(constant, "value")] : [];
    });
    if (keys === undefined || values === undefined || this.#tables.has(id)) return;
    this.#tables.add(id);
    const handle = this.#tensor({ name: node.name, dtype: "resource", shape: [1] });
    this.operators.push(
      {
        op: "HASHTABLE",
        inputs: [],
        outputs: [handle],
        options: hashtableOptions(node, keys.dtype, values.dtype),
      },
      {
        op: "HASHTABLE_IMPORT",
        inputs: [
          handle,
          this.#constant(`${node.name}/keys`, keys),
          this.#constant(`${node.name}/values`, values),
        ],
        outputs: [],
        options: makeOptions("HashtableImportOptions"),
      },
    );
  }

  #tensor(tensor: DraftTensor): number {
    return this.tensors.push(tensor) - 1;
  }

  #constant(name: string, value: TensorValue): number {
    return this.#tensor({ name, dtype: value.dtype, shape: value.shape, value });
  }
}
