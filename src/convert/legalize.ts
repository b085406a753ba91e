/**
 * TensorFlow graph → TFLite drafts, one subgraph for the graph and one for each function that a WHILE or IF needs.
 * Nodes that have no lowering are collected over the whole model and reported in one UnsupportedError.
 */
import { UnsupportedError } from "../base/errors.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { opDefinition } from "../graph/op-table.ts";
import type { Draft } from "./draft.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { type FallbackOptions, fallbackRow } from "./legalize/custom.ts";
import {
  type DraftParts,
  describe,
  type LegalizationRow,
  Lowering,
  NotLowered,
} from "./legalize/lowering.ts";
import { LEGALIZATION_ROWS } from "./legalize/table.ts";

/** Subgraph 0 is the graph itself, the others are the functions in the order in which they are met. */
export function legalize(graph: Graph, fallback: FallbackOptions = {}): readonly Draft[] {
  const drafts: Draft[] = [];
  const indexOf = new Map<string, number>();
  const queue: { readonly name: string; readonly graph: Graph }[] = [{ name: "main", graph }];
  const missing: string[] = [];
  const shared = { fallback, missing };
  const subgraphOf = (name: string): number => {
    const known = indexOf.get(name);
    if (known !== undefined) return known;
    const body = graph.functions.get(name);
    if (body === undefined) throw new NotLowered(`function ${name} is missing`);
    queue.push({ name, graph: { ...body, functions: graph.functions } });
    indexOf.set(name, queue.length - 1);
    return queue.length - 1;
  };
  for (let at = 0; at < queue.length; at++) {
    const next = queue[at];
    if (next !== undefined) drafts.push(lowerGraph(next.name, next.graph, subgraphOf, shared));
  }
  if (missing.length > 0) throw unsupported(missing);
  return drafts;
}

interface SharedByGraphs {
  readonly fallback: FallbackOptions;
  /** What has no lowering, in words. */
  readonly missing: string[];
}

function lowerGraph(
  name: string,
  graph: Graph,
  subgraphOf: DraftParts["subgraphOf"],
  { fallback, missing }: SharedByGraphs,
): Draft {
  const build = new GraphBuilder(graph.functions);
  const parts: DraftParts = { tensors: [], operators: [], places: new Map(), subgraphOf };
  const keys = new Map(graph.inputs.map((input) => [input.node, input.tensorName]));
  for (const node of graph.nodes) {
    build.addNode(node);
    const tensorName = keys.get(node.name);
    if (tensorName !== undefined) place({ node: node.name, output: 0 }, tensorName, build, parts);
    const problem = lowerNode(node, build, parts, fallback);
    if (problem !== undefined) missing.push(problem);
  }
  const inputs = graph.inputs.map(({ node, tensorName }) =>
    place({ node, output: 0 }, tensorName, build, parts),
  );
  const taken = new Set(inputs);
  const outputs = graph.outputs.map(({ value, tensorName }) => {
    const index = place(value, tensorName, build, parts);
    if (!taken.has(index)) parts.tensors[index] = { ...parts.tensors[index]!, name: tensorName };
    taken.add(index);
    return index;
  });
  return { name, tensors: parts.tensors, operators: parts.operators, inputs, outputs };
}

/** The tensor of a graph input or output; named `tensorName` when it is new. */
function place(ref: ValueRef, tensorName: string, build: GraphBuilder, parts: DraftParts): number {
  const key = `${ref.node}:${ref.output}`;
  const found = parts.places.get(key);
  if (found !== undefined) return found;
  const index = parts.tensors.push({ ...describe(ref, build), name: tensorName }) - 1;
  parts.places.set(key, index);
  return index;
}

/** Lowers a node, if need be in the form that `fallback` allows; returns what is wrong where that fails too. */
function lowerNode(
  node: GraphNode,
  build: GraphBuilder,
  parts: DraftParts,
  fallback: FallbackOptions,
): string | undefined {
  if (node.op === "Placeholder" || node.op === "Const" || node.op === "NoOp") return undefined;
  const row = LEGALIZATION_ROWS.get(node.op);
  const problem = row === undefined ? "" : attempt(row, node, build, parts);
  if (problem === undefined) return undefined;
  // Operators that only this converter knows are no operations that anybody else could run.
  const isTheirs = row === undefined || opDefinition(node.op) !== undefined;
  const other = isTheirs ? fallbackRow(node, fallback) : undefined;
  const reason = other === undefined ? problem : attempt(other, node, build, parts);
  if (reason === undefined) return undefined;
  return `${node.op}${reason === "" ? "" : ` with ${reason}`} (node ${node.name})`;
}

function attempt(
  row: LegalizationRow,
  node: GraphNode,
  build: GraphBuilder,
  parts: DraftParts,
): string | undefined {
  try {
    row(new Lowering(node, build, parts));
    return undefined;
  } catch (error) {
    if (error instanceof NotLowered) return error.message;
    throw error;
  }
}

function unsupported(missing: readonly string[]): UnsupportedError {
  return new UnsupportedError({
    where: "conversion",
    found: `${missing.length === 1 ? "an operation" : `${missing.length} operations`} that TensorFlow Lite has no operator for: ${missing.join("; ")}`,
    remedy:
      "Cut the graph before them with inputs and outputs, replace them in the source model, or allow custom operators",
    features: missing,
  });
}
