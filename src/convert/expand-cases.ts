/**
 * Case as a chain of Ifs: one for each branch but the last, which also serves indices that no branch has. The branches
 * are copied with the index as one more argument, because both sides of an If take the same ones.
 */
import type { DType } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import { typesAttr } from "../graph/attrs.ts";
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";

const CASES: ReadonlySet<string> = new Set(["Case", "StatelessCase"]);
const INDEX = "branch_index";

/** Sees to the functions of the graph too, which have to be flat. */
export function expandCases(graph: Graph): Graph {
  const all = [graph, ...graph.functions.values()];
  if (!all.some(({ nodes }) => nodes.some(({ op }) => CASES.has(op)))) return graph;
  const functions = new Map<string, Graph>(graph.functions);
  const expand = (each: Graph): Graph => ({
    ...each,
    nodes: each.nodes.flatMap((node) =>
      CASES.has(node.op) ? new Chain(node, functions).nodes() : [node],
    ),
  });
  for (const [name, body] of graph.functions) functions.set(name, expand(body));
  return { ...expand(graph), functions };
}

class Chain {
  readonly #node: GraphNode;
  readonly #functions: Map<string, Graph>;
  readonly #branches: readonly string[];

  constructor(node: GraphNode, functions: Map<string, Graph>) {
    this.#node = node;
    this.#functions = functions;
    const branches = node.attrs.get("branches");
    const items = branches?.kind === "list" ? branches.value : [];
    this.#branches = items.flatMap((item) => (item.kind === "func" ? [item.value] : []));
    if (this.#branches.length > 0) return;
    throw new GraphError({
      where: `node "${node.name}" (${node.op})`,
      found: "no branches",
      expected: "one at least",
      node: node.name,
    });
  }

  /** Nodes in place of the Case: its index compared, and an If of its name. */
  nodes(): GraphNode[] {
    const [index, ...values] = this.#node.inputs;
    return index === undefined ? [this.#node] : this.#choice(0, this.#node.name, index, values);
  }

  #choice(branch: number, name: string, index: ValueRef, values: readonly ValueRef[]): GraphNode[] {
    const isLast = branch >= this.#branches.length - 2;
    const rest = isLast
      ? this.#withIndex(Math.min(branch + 1, this.#branches.length - 1))
      : this.#rest(branch + 1);
    const { attrs, outputCount } = this.#node;
    const kept = [...attrs].filter(([key]) => key === "Tout" || key === "output_shapes");
    const number = node(`${name}/branch`, "Const", [], {
      dtype: attr.type("int32"),
      value: attr.tensor({ dtype: "int32", shape: [], data: Int32Array.of(branch) }),
    });
    const condition = node(`${name}/is_branch`, "Equal", [index, refTo(number)], {
      T: attr.type("int32"),
      incompatible_shape_error: attr.bool(true),
    });
    const choice = node(name, "If", [refTo(condition), index, ...values], {
      ...Object.fromEntries(kept),
      then_branch: attr.func(this.#withIndex(branch)),
      else_branch: attr.func(rest),
    });
    return [number, condition, { ...choice, outputCount }];
  }

  /** The function that chooses among the branches from `branch` on. */
  #rest(branch: number): string {
    const like = this.#functions.get(this.#branches[branch] ?? "");
    const types: DType[] = ["int32", ...typesAttr(this.#node, "Tin")];
    const names = types.map((_, i) => (i === 0 ? INDEX : `argument_${i}`));
    const [index, ...values] = names.map((name): ValueRef => ({ node: name, output: 0 }));
    const placeholders = names.map((name, i) => placeholder(name, types[i] ?? "float32"));
    const choice = "choice";
    return this.#add(`${this.#node.name}/from_${branch}`, {
      inputs: names.map((name, i) => argument(name, types[i] ?? "float32")),
      nodes: [...placeholders, ...this.#choice(branch, choice, index!, values)],
      outputs: (like?.outputs ?? []).map((output, i) => ({
        ...output,
        value: { node: choice, output: i },
      })),
      functions: new Map(),
    });
  }

  #withIndex(branch: number): string {
    const name = this.#branches[branch] ?? "";
    const body = this.#functions.get(name);
    if (body === undefined) return name;
    const taken = new Set(body.nodes.map((each) => each.name));
    let free = INDEX;
    for (let i = 1; taken.has(free); i++) free = `${INDEX}_${i}`;
    return this.#add(`${this.#node.name}/${name}`, {
      ...body,
      inputs: [argument(free, "int32"), ...body.inputs],
      nodes: [placeholder(free, "int32"), ...body.nodes],
    });
  }

  #add(wanted: string, body: Graph): string {
    let name = wanted;
    for (let i = 1; this.#functions.has(name); i++) name = `${wanted}_${i}`;
    this.#functions.set(name, body);
    return name;
  }
}

const refTo = ({ name }: GraphNode): ValueRef => ({ node: name, output: 0 });

const node = (
  name: string,
  op: string,
  inputs: readonly ValueRef[],
  attrs: Readonly<Record<string, Attr>>,
): GraphNode => ({ name, op, inputs, attrs: new Map(Object.entries(attrs)), outputCount: 1 });

const placeholder = (name: string, dtype: DType): GraphNode =>
  node(name, "Placeholder", [], { dtype: attr.type(dtype), shape: attr.shape(undefined) });

const argument = (name: string, dtype: DType) => ({
  key: name,
  tensorName: name,
  node: name,
  dtype,
  signatureShape: undefined,
});
