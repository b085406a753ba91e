/** One spelling for ops that TensorFlow has under several names or in several forms, so that later passes look for one. */
import type { Graph } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { EARLY_DECOMPOSITIONS } from "./decompose/table.ts";
import { rebuild } from "./graph-builder.ts";
import { layoutOf } from "./infer/window.ts";

const NAMES: Readonly<Record<string, string>> = {
  AddV2: "Add",
  RealDiv: "Div",
  BatchMatMul: "BatchMatMulV2",
  BatchMatMulV3: "BatchMatMulV2",
  Inv: "Reciprocal",
  AccumulateNV2: "AddN",
  StatelessWhile: "While",
  StatelessIf: "If",
  BiasAddV1: "Add",
};

export function canonicalize(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const isAdd =
      (node.op === "BiasAdd" && layoutOf(node).channel !== 1) ||
      (node.op === "AddN" && node.inputs.length === 2);
    const op = isAdd ? "Add" : NAMES[node.op];
    if (op === undefined) return EARLY_DECOMPOSITIONS.get(node.op)?.(node, build);
    const attrs = isAdd
      ? { T: attr.type(build.typed(node).inputs[0]?.dtype ?? "float32") }
      : Object.fromEntries(node.attrs);
    const first = build.add(node.name, op, node.inputs, attrs, node.outputCount);
    return Array.from({ length: node.outputCount }, (_, output) => ({ node: first.node, output }));
  });
}
