/**
 * float64 has almost no kernels in TFLite: a graph that computes with it computes with float32 instead, its inputs and
 * outputs included, and the report says so. A graph that only casts to and from float64 is left as it is.
 */
import type { Diagnostic } from "../base/errors.ts";
import type { Attr, Graph, GraphNode } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { valueFrom } from "./fold/values.ts";
import { GraphBuilder, rebuild } from "./graph-builder.ts";

/** Ops that hold or pass on float64 without computing. */
const CARRIERS: ReadonlySet<string> = new Set(["Cast", "Const", "Placeholder", "Identity", "NoOp"]);

/** Sees to the functions of the graph too. */
export function narrowDoubles(graph: Graph, note: (diagnostic: Diagnostic) => void): Graph {
  const bodies = [...graph.functions].map(
    ([name, body]) => [name, { ...body, functions: graph.functions }] as const,
  );
  const computing = [graph, ...bodies.map(([, body]) => body)]
    .map(firstComputing)
    .find((node) => node !== undefined);
  if (computing === undefined) return graph;
  note({
    id: "float64-narrowed",
    text: "The graph computes in float64, which TensorFlow Lite does not; it now computes in float32.",
    location: computing.name,
  });
  const functions = new Map(bodies.map(([name, body]) => [name, narrowGraph(body)]));
  return { ...narrowGraph(graph), functions };
}

function narrowGraph(graph: Graph): Graph {
  const narrowed = rebuild(graph, (node, build) => {
    if (![...node.attrs.values()].some(mentionsDouble)) return undefined;
    const attrs = Object.fromEntries([...node.attrs].map(([name, value]) => [name, narrow(value)]));
    const first = build.add(node.name, node.op, node.inputs, attrs, node.outputCount);
    return Array.from({ length: node.outputCount }, (_, output) => ({ node: first.node, output }));
  });
  const inputs = narrowed.inputs.map((input) =>
    input.dtype === "float64" ? { ...input, dtype: "float32" as const } : input,
  );
  return { ...narrowed, inputs };
}

function firstComputing(graph: Graph): GraphNode | undefined {
  const build = new GraphBuilder(graph.functions);
  return graph.nodes.find((node) => {
    build.addNode(node);
    const types = [...build.types(node.name), ...node.inputs.map((ref) => build.type(ref))];
    return !CARRIERS.has(node.op) && types.some(({ dtype }) => dtype === "float64");
  });
}

function mentionsDouble(value: Attr): boolean {
  if (value.kind === "list") return value.value.some(mentionsDouble);
  if (value.kind === "tensor") return value.value.dtype === "float64";
  return value.kind === "type" && value.value === "float64";
}

function narrow(value: Attr): Attr {
  if (!mentionsDouble(value)) return value;
  if (value.kind === "list") return { kind: "list", value: value.value.map(narrow) };
  if (value.kind !== "tensor") return attr.type("float32");
  const { shape, data } = value.value;
  return attr.tensor(valueFrom("float32", shape, data as Float64Array) ?? value.value);
}
