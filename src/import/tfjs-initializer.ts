/**
 * The second graph of a TF.js graph model, which fills hash tables when the model is loaded
 * (tfjs-converter/src/executor/graph_model.ts). A table has one name in both graphs, or the model gets it as an input
 * whose `resourceId` is that of an output of the initializer: of the table, or of what fills it, which returns it in TF.js.
 */
import type { GraphDef, NodeDef } from "../formats/tensorflow/graph-messages.ts";
import { isTable } from "./tables.ts";

/** In front of the names of the initializer's nodes, which may be names of the model's, too. */
const PREFIX = "initializer/";

/**
 * One graph of both. `captured` are the model's placeholders for tables, by the initializer's node: they give way to it.
 */
export function withInitializer(
  model: GraphDef,
  initializer: GraphDef,
  captured: ReadonlyMap<string, string>,
): GraphDef {
  const byName = new Map(initializer.node.map((node) => [node.name, node]));
  const tableOf = (name: string): string => {
    const node = byName.get(name);
    return node === undefined || isTable(node) ? name : nodeName(node.input[0] ?? "");
  };
  const stands = new Map([...captured].map(([maker, input]) => [tableOf(maker), input]));
  const placeholders = new Set(stands.values());
  const kept = model.node.filter(({ name }) => !placeholders.has(name));
  const tables = new Set(kept.filter(isTable).map(({ name }) => name));
  const newName = (name: string): string =>
    stands.get(name) ?? (tables.has(name) ? name : `${PREFIX}${name}`);
  const added = initializer.node.filter(({ name }) => !tables.has(name));
  return { ...model, node: [...kept, ...added.map((node) => renamed(node, newName))] };
}

const nodeName = (input: string): string => input.replace(/^\^/, "").replace(/:.*$/, "");

function renamed(node: NodeDef, newName: (name: string) => string): NodeDef {
  const input = node.input.map((text) => {
    const [, control = "", name = "", output = ""] = /^(\^?)([^:]*)(.*)$/.exec(text) ?? [];
    return `${control}${newName(name)}${output}`;
  });
  return { ...node, name: newName(node.name), input };
}
