/** Putting nodes in an order in which each comes after its inputs. */
import { GraphError } from "../base/errors.ts";
import type { GraphNode } from "./ir.ts";

/** What ordering needs of a node: its name and the names of the nodes it must come after. */
export interface Dependent {
  readonly name: string;
  readonly after: readonly string[];
}

/**
 * Sorts so that each item follows everything in its `after`; items that do not depend on each other keep their order.
 * Names that no item has are ignored.
 *
 * @throws {GraphError} when there is a cycle; it names the nodes on it.
 */
export function orderByDependency<T extends Dependent>(items: readonly T[]): T[] {
  const byName = new Map(items.map((item) => [item.name, item]));
  const done = new Set<string>();
  const open = new Set<string>();
  const ordered: T[] = [];
  for (const root of items) {
    if (done.has(root.name)) continue;
    // An explicit stack: graphs may be deeper than the call stack allows.
    const stack: { item: T; next: number }[] = [{ item: root, next: 0 }];
    open.add(root.name);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const name = top.item.after[top.next++];
      if (name === undefined) {
        stack.pop();
        open.delete(top.item.name);
        done.add(top.item.name);
        ordered.push(top.item);
        continue;
      }
      const dependency = byName.get(name);
      if (dependency === undefined || done.has(name)) continue;
      if (open.has(name))
        throw cycleError(
          stack.map(({ item }) => item.name),
          name,
        );
      open.add(name);
      stack.push({ item: dependency, next: 0 });
    }
  }
  return ordered;
}

/** Sorts nodes by their data inputs, and by what else they must come `after`, by node name. */
export function topologicalOrder(
  nodes: readonly GraphNode[],
  after: ReadonlyMap<string, readonly string[]> = new Map(),
): GraphNode[] {
  const items = nodes.map((node) => ({
    name: node.name,
    after: [...node.inputs.map((input) => input.node), ...(after.get(node.name) ?? [])],
    node,
  }));
  return orderByDependency(items).map(({ node }) => node);
}

function cycleError(path: readonly string[], back: string): GraphError {
  const cycle = path.slice(path.indexOf(back));
  const shown = cycle.length > 8 ? [...cycle.slice(0, 8), "…"] : cycle;
  return new GraphError({
    where: `node "${back}"`,
    found: `a cycle through ${[...shown, back].join(" → ")}`,
    expected: "a graph without cycles",
    remedy: "Save the model again",
    node: back,
  });
}
