/**
 * Importers leave each function inside the graph or function that uses it, with names that are unique there only. The
 * passes see one flat set: here functions of functions move up, and get other names where theirs are taken.
 */
import type { Attr, Graph, GraphNode } from "../graph/ir.ts";

/** The same graph with every function, however deep it was, in `functions` of the graph itself. */
export function flattenFunctions(graph: Graph): Graph {
  const isFlat = [...graph.functions.values()].every(({ functions }) => functions.size === 0);
  if (isFlat) return graph;
  const flat = new Map<string, Graph>();
  const place = (scope: Graph): Graph => {
    const names = new Map<string, string>();
    for (const name of scope.functions.keys()) {
      const free = freeName(flat, name);
      names.set(name, free);
      // Holds the name while the function's own functions are placed.
      flat.set(free, scope);
    }
    for (const [name, body] of scope.functions) flat.set(names.get(name) ?? name, place(body));
    const nodes = scope.nodes.map((node) => renamed(node, names));
    return { ...scope, nodes, functions: new Map() };
  };
  return { ...place(graph), functions: flat };
}

function freeName(taken: ReadonlyMap<string, Graph>, wanted: string): string {
  let name = wanted;
  for (let i = 1; taken.has(name); i++) name = `${wanted}_${i}`;
  return name;
}

function renamed(node: GraphNode, names: ReadonlyMap<string, string>): GraphNode {
  const rename = (attr: Attr): Attr => {
    if (attr.kind === "func") return { kind: "func", value: names.get(attr.value) ?? attr.value };
    return attr.kind === "list" ? { kind: "list", value: attr.value.map(rename) } : attr;
  };
  const callsAny = [...node.attrs.values()].some(
    ({ kind, value }) =>
      kind === "func" || (kind === "list" && value.some((each) => each.kind === "func")),
  );
  if (!callsAny) return node;
  return { ...node, attrs: new Map([...node.attrs].map(([key, attr]) => [key, rename(attr)])) };
}
