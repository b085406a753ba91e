/**
 * Moves elementwise steps from behind a Reshape to before it, where they can fuse with the convolution or dense layer
 * that the Reshape hides: a one-dimensional convolution ends in one. A step with a constant per channel may move when
 * the Reshape keeps the last dimension.
 */
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";

/** Ops that end in a fused operator, and steps that were moved already. */
const HOSTS: ReadonlySet<string> = new Set([
  "Conv2D",
  "DepthwiseConv2dNative",
  "Conv2DBackpropInput",
  "MatMul",
  "BatchMatMulV2",
  "MaxPool",
  "AvgPool",
]);
const UNARY: ReadonlySet<string> = new Set(["Relu", "Relu6", "ReluN1To1"]);
const BINARY: ReadonlySet<string> = new Set(["Add", "Sub", "Mul"]);

export function hoistElementwise(graph: Graph): Graph {
  const uses = new Map<string, number>();
  const refs = [
    ...graph.nodes.flatMap(({ inputs }) => inputs),
    ...graph.outputs.map(({ value }) => value),
  ];
  for (const { node } of refs) uses.set(node, (uses.get(node) ?? 0) + 1);
  const moved = new Set<string>();
  return rebuild(graph, (node, build) => {
    const at = node.inputs.findIndex((ref) => build.value(ref) === undefined);
    const reshape = node.inputs[at] && build.producer(node.inputs[at]);
    const source = reshape?.op === "Reshape" ? reshape.inputs[0] : undefined;
    if (reshape === undefined || source === undefined || uses.get(reshape.name) !== 1)
      return undefined;
    const host = build.producer(source);
    if (!HOSTS.has(host.op) && !moved.has(host.name)) return undefined;
    if (!mayMove(node, at, source, build)) return undefined;
    const inputs = node.inputs.with(at, source);
    const early = build.add(`${node.name}/early`, node.op, inputs, Object.fromEntries(node.attrs));
    moved.add(early.node);
    const target = reshape.inputs[1];
    const result = target && build.add(node.name, "Reshape", [early, target]);
    if (result === undefined) return undefined;
    uses.set(result.node, uses.get(node.name) ?? 0);
    return [result];
  });
}

function mayMove(node: GraphNode, at: number, source: ValueRef, build: GraphBuilder): boolean {
  if (UNARY.has(node.op)) return true;
  const constant = build.value(node.inputs[1 - at]);
  if (!BINARY.has(node.op) || constant === undefined || (node.op === "Sub" && at !== 0))
    return false;
  const before = build.shape(source)?.at(-1);
  const after = build.infer(node)[0]?.shape;
  const operand = node.inputs[at] && build.shape(node.inputs[at]);
  if (after === undefined || operand === undefined || `${after}` !== `${operand}`) return false;
  const elements = constant.shape.reduce((product, size) => product * size, 1);
  if (elements === 1) return constant.shape.length <= (build.shape(source)?.length ?? 0);
  return constant.shape.length === 1 && before === elements && after.at(-1) === elements;
}
