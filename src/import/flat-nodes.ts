/** A flat list of nodes under change: looking nodes up, following references, replacing and dropping them. */
import type { Attr, GraphNode, TensorValue, ValueRef } from "../graph/ir.ts";

/** Attributes from values that say their own kind. */
export function attrs(entries: Readonly<Record<string, Attr>>): Map<string, Attr> {
  return new Map(Object.entries(entries));
}

/** Reference as a map key. */
export function refKey({ node, output }: ValueRef): string {
  return `${node}:${output}`;
}

export class FlatNodes {
  readonly #byName: Map<string, GraphNode>;

  constructor(nodes: Iterable<GraphNode>) {
    this.#byName = new Map([...nodes].map((node) => [node.name, node]));
  }

  get(name: string): GraphNode | undefined {
    return this.#byName.get(name);
  }

  all(): GraphNode[] {
    return [...this.#byName.values()];
  }

  /** Adds a node, or replaces the one of this name. */
  set(node: GraphNode): void {
    this.#byName.set(node.name, node);
  }

  delete(name: string): void {
    this.#byName.delete(name);
  }

  uniqueName(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#byName.has(name); i++) name = `${wanted}_${i}`;
    return name;
  }

  /** Points every use of a key of `replacements` elsewhere; replacements of replacements are followed. */
  redirect(replacements: ReadonlyMap<string, ValueRef>): void {
    if (replacements.size === 0) return;
    for (const node of this.#byName.values()) {
      if (!node.inputs.some((input) => replacements.has(refKey(input)))) continue;
      this.set({ ...node, inputs: node.inputs.map((input) => followRef(input, replacements)) });
    }
  }

  /** Names of the nodes that use each node. */
  consumers(): Map<string, string[]> {
    const consumers = new Map<string, string[]>();
    for (const node of this.#byName.values()) {
      for (const input of node.inputs) {
        const list = consumers.get(input.node);
        if (list === undefined) consumers.set(input.node, [node.name]);
        else list.push(node.name);
      }
    }
    return consumers;
  }

  /** Names of all nodes that depend on one of `starts`, those included; the walk does not go past nodes that `stops`. */
  dependents(starts: readonly string[], stops: (node: GraphNode) => boolean): Set<string> {
    const consumers = this.consumers();
    const found = new Set(starts);
    const queue = [...starts];
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const node = this.#byName.get(name);
      if (node === undefined || stops(node)) continue;
      for (const consumer of consumers.get(name) ?? []) {
        if (found.has(consumer)) continue;
        found.add(consumer);
        queue.push(consumer);
      }
    }
    return found;
  }

  /** Drops every node that neither `roots` nor their inputs need. */
  prune(roots: readonly string[]): void {
    const needed = new Set<string>();
    const queue = [...roots];
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (needed.has(name)) continue;
      needed.add(name);
      for (const input of this.#byName.get(name)?.inputs ?? []) queue.push(input.node);
    }
    for (const name of this.#byName.keys()) if (!needed.has(name)) this.#byName.delete(name);
  }

  /** The constant behind a reference, through Identity and the like; undefined when there is none. */
  constantBehind(ref: ValueRef): GraphNode | undefined {
    let node = this.#byName.get(ref.node);
    for (let step = 0; step < 16 && node !== undefined; step++) {
      if (node.op === "Const") return node;
      const input = node.inputs[0];
      if (!PASSES.has(node.op) || input === undefined) return undefined;
      node = this.#byName.get(input.node);
    }
    return undefined;
  }

  /** Its value. */
  constantValue(ref: ValueRef): TensorValue | undefined {
    const value = this.constantBehind(ref)?.attrs.get("value");
    return value?.kind === "tensor" ? value.value : undefined;
  }
}

const PASSES: ReadonlySet<string> = new Set(["Identity", "Enter", "RefEnter", "StopGradient"]);

/** What a reference becomes. */
export function followRef(ref: ValueRef, replacements: ReadonlyMap<string, ValueRef>): ValueRef {
  let current = ref;
  for (let step = 0; step <= replacements.size; step++) {
    const next = replacements.get(refKey(current));
    if (next === undefined) return current;
    current = next;
  }
  return current;
}
