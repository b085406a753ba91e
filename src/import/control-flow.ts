/** Control flow of TensorFlow 1 (Enter, Merge, Switch …) in functional form, as everything after the import knows it. */
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { FlatNodes } from "./flat-nodes.ts";
import { convertConditions } from "./switch-merge.ts";
import { rewriteTensorArrays } from "./tensor-arrays.ts";
import { convertFrames } from "./while-frames.ts";

const OLD_FORMS: ReadonlySet<string> = new Set([
  "Enter",
  "RefEnter",
  "Merge",
  "RefMerge",
  "TensorArrayV3",
]);

export interface Functional {
  readonly nodes: readonly GraphNode[];
  readonly roots: readonly ValueRef[];
}

/**
 * Rewrites loops, conditions and TensorArrays; graphs without them come back as they are. Functions of the new While
 * and If nodes are added to `functions`. `kept` are nodes that stay even where nothing uses them.
 *
 * @throws {GraphError} when frames or branches are not built the way TensorFlow builds them.
 */
export function toFunctional(
  nodes: readonly GraphNode[],
  roots: readonly ValueRef[],
  kept: readonly string[],
  functions: Map<string, Graph>,
): Functional {
  if (!nodes.some(({ op }) => OLD_FORMS.has(op))) return { nodes, roots };
  const flat = new FlatNodes(nodes);
  rewriteTensorArrays(flat);
  const keptRoots = [...roots, ...kept.map((node) => ({ node, output: 0 }))];
  flat.prune(keptRoots.map(({ node }) => node));
  // Exits are redirected away: identities hold the places of the outputs until that is over.
  const held = keptRoots.map((root, i) => hold(flat, root, i));
  convertFrames(flat, functions);
  const converted = convertConditions(flat, held, functions);
  const released = converted.map((root) => release(flat, root));
  dropUnused(flat, functions);
  return { nodes: flat.all(), roots: released.slice(0, roots.length) };
}

/** Functions that moved into another function are not the graph's own any more. */
function dropUnused(flat: FlatNodes, functions: Map<string, Graph>): void {
  const used = new Set<string>();
  const note = (attr: Attr): void => {
    if (attr.kind === "func") used.add(attr.value);
    if (attr.kind === "list") attr.value.forEach(note);
  };
  for (const { attrs } of flat.all()) for (const attr of attrs.values()) note(attr);
  for (const name of functions.keys()) if (!used.has(name)) functions.delete(name);
}

const HOLDER = "\u0000held";

function hold(flat: FlatNodes, root: ValueRef, index: number): ValueRef {
  const name = `${HOLDER}${index}`;
  flat.set({ name, op: "Identity", inputs: [root], attrs: new Map(), outputCount: 1 });
  return { node: name, output: 0 };
}

function release(flat: FlatNodes, root: ValueRef): ValueRef {
  const node = flat.get(root.node);
  if (node === undefined || !node.name.startsWith(HOLDER)) return root;
  flat.delete(node.name);
  return node.inputs[0]!;
}
