/**
 * Evaluates what does not depend on the inputs: nodes with constant operands, and shape arithmetic whose elements turn
 * out to be known. A shape operand with one unknown element becomes a constant with -1 there, which Reshape accepts.
 */
import { byteLengthOf } from "../base/dtype.ts";
import { elementCount } from "../base/shape.ts";
import type { Graph, GraphNode, TensorValue, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { evaluate } from "./fold/table.ts";
import { valueFrom } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";

/** Results beyond this many bytes are folded only when the operands are at least half as large. */
const GROWTH_LIMIT = 1 << 16;

/** Ops that are never evaluated: what they make depends on more than their operands. */
const IMPURE: ReadonlySet<string> = new Set(["Placeholder", "Const", "NoOp", "While", "If"]);

export function foldConstants(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    if (IMPURE.has(node.op)) return undefined;
    return (
      foldOperands(node, build) ?? foldShape(node, build) ?? reshapeWithOneUnknown(node, build)
    );
  });
}

function foldOperands(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  if (node.inputs.length === 0) return undefined;
  const values = node.inputs.map((ref) => build.value(ref));
  if (!values.every((value) => value !== undefined)) return undefined;
  const results = mayGrow(node, build, values) ? evaluate(node, values) : undefined;
  return results && asConstants(node, build, results);
}

/** Keeps small constants from being blown up, as by a Fill or a Tile of large tensors. */
function mayGrow(node: GraphNode, build: GraphBuilder, values: readonly TensorValue[]): boolean {
  const operandBytes = values.reduce((sum, { dtype, shape }) => sum + bytes(dtype, shape), 0);
  const limit = Math.max(GROWTH_LIMIT, 2 * operandBytes);
  return build.typed(node).inputs.every(({ dtype }) => dtype !== "resource" && dtype !== "variant")
    ? probe(node, build, limit)
    : false;
}

function probe(node: GraphNode, build: GraphBuilder, limit: number): boolean {
  return build
    .infer(node)
    .every(
      ({ dtype, shape }) =>
        shape === undefined || shape.some((size) => size < 0) || bytes(dtype, shape) <= limit,
    );
}

function bytes(dtype: TensorValue["dtype"], shape: readonly number[]): number {
  return byteLengthOf(dtype, elementCount(shape)) ?? 8 * elementCount(shape);
}

function foldShape(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  const parts = build.partialOutputs(node);
  if (parts.length === 0) return undefined;
  const types = build.infer(node);
  const values = parts.map((part, output) => {
    const dtype = types[output]?.dtype;
    if (part === undefined || dtype === undefined || part.numbers.some(Number.isNaN))
      return undefined;
    return valueFrom(dtype, part.shape, part.numbers);
  });
  return values.every((value) => value !== undefined)
    ? asConstants(node, build, values)
    : undefined;
}

function asConstants(
  node: GraphNode,
  build: GraphBuilder,
  values: readonly TensorValue[],
): readonly ValueRef[] {
  return values.map((value, output) =>
    build.constant(output === 0 ? node.name : `${node.name}_${output}`, value),
  );
}

function reshapeWithOneUnknown(
  node: GraphNode,
  build: GraphBuilder,
): readonly ValueRef[] | undefined {
  const [x, target] = node.inputs;
  if (node.op !== "Reshape" || x === undefined || build.value(target) !== undefined)
    return undefined;
  const numbers = build.partial(target)?.numbers;
  if (numbers === undefined || numbers.filter(Number.isNaN).length !== 1) return undefined;
  const dims = Array.from(numbers, (n) => (Number.isNaN(n) ? -1 : n));
  if (dims.filter((size) => size < 0).length !== 1) return undefined;
  return [
    build.add(node.name, "Reshape", [x, build.ints(dims)], { T: attr.type(build.type(x).dtype) }),
  ];
}
