/**
 * A dense layer on tensors of higher rank arrives as Reshape([-1, K]) → MatMul → Reshape([…, N]). One product with a
 * matrix on the right does the same: it becomes a FULLY_CONNECTED that keeps the leading dimensions.
 */
import { sameShape } from "../base/shape.ts";
import { boolAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";

export function mergeDense(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const merged = node.op === "Reshape" ? mergeAt(node, build) : undefined;
    return merged && [merged];
  });
}

function mergeAt(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const product = node.inputs[0] && build.producer(node.inputs[0]);
  if (product?.op !== "MatMul" || boolAttr(product, "transpose_a")) return undefined;
  const [flat, weights] = product.inputs;
  const flatten = flat && build.producer(flat);
  const x = flatten?.op === "Reshape" ? flatten.inputs[0] : undefined;
  if (x === undefined || weights === undefined || build.value(weights) === undefined)
    return undefined;
  const before = build.shape(x);
  const after = build.infer(node)[0]?.shape;
  const columns = build.shape({ node: product.name, output: 0 })?.at(-1);
  const inner = flat && build.shape(flat)?.at(-1);
  if (before === undefined || after === undefined || columns === undefined) return undefined;
  const keepsLast = before.at(-1) === inner && (inner ?? -1) >= 0;
  if (!keepsLast || !sameShape(after, [...before.slice(0, -1), columns])) return undefined;
  return build.add(product.name, "BatchMatMulV2", [x, weights], {
    adj_x: attr.bool(false),
    adj_y: attr.bool(boolAttr(product, "transpose_b")),
  });
}
