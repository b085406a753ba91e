/**
 * Calls that the importer left because their functions say what they compute: an operator where there is one for it,
 * the function's own nodes otherwise.
 */
import type { Diagnostic } from "../base/errors.ts";
import { funcAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode } from "../graph/ir.ts";
import { foldConstants } from "./fold-constants.ts";
import { rebuild } from "./graph-builder.ts";
import { inlineGraph } from "./loops/inline.ts";
import { fuseTaggedLstm } from "./recurrent/tagged-lstm.ts";
import { removeIdentities } from "./remove-identities.ts";
import { usedOutputs } from "./used-outputs.ts";

const CALLS: ReadonlySet<string> = new Set(["PartitionedCall", "StatefulPartitionedCall"]);

/**
 * Leaves no call in the graph. What a function's nodes make of constants is folded. In loops and branches there are no
 * operators that keep a state: they would keep it from one round to the next.
 */
export function inlineCalls(
  graph: Graph,
  note: (diagnostic: Diagnostic) => void,
  { isMain }: { readonly isMain: boolean },
): Graph {
  let current = graph;
  while (current.nodes.some((node) => bodyOf(node, current.functions) !== undefined)) {
    current = foldConstants(removeIdentities(inlineOnce(current, note, isMain)));
  }
  return current;
}

function bodyOf(node: GraphNode, functions: ReadonlyMap<string, Graph>): Graph | undefined {
  return CALLS.has(node.op) ? functions.get(funcAttr(node, "f")) : undefined;
}

/** Functions may hold calls too, which come up with them. */
function inlineOnce(graph: Graph, note: (diagnostic: Diagnostic) => void, isMain: boolean): Graph {
  const used = usedOutputs(graph);
  return rebuild(graph, (node, build) => {
    const body = bodyOf(node, build.functions);
    if (body === undefined) return undefined;
    const isUsed = (output: number) => used.has(`${node.name}:${output}`);
    const fused = isMain ? fuseTaggedLstm(node, isUsed, build, note) : undefined;
    return fused ?? inlineGraph(body, node.inputs, node.name, build);
  });
}
