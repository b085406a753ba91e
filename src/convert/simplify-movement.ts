/**
 * Reduces operations that only move data to the cheapest form: nothing where the result is the operand, one Reshape
 * where only the shape changes, one Reshape or Transpose where two follow each other.
 */
import { elementCount, isStatic, type Shape, sameShape } from "../base/shape.ts";
import { boolAttr, intAttr, typeAttr } from "../graph/attrs.ts";
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { intsOrNone } from "./attributes.ts";
import { normalizeAxis } from "./broadcast.ts";
import { integersOf } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { placeOf } from "./infer/typed-node.ts";

type Rule = (node: GraphNode, build: GraphBuilder) => ValueRef | undefined;

const RULES: Readonly<Record<string, Rule>> = {
  Reshape: reshape,
  Squeeze: asReshape,
  ExpandDims: asReshape,
  Transpose: transpose,
  MatMul: (node, build) => product(node, build, ["transpose_a", "transpose_b"]),
  BatchMatMul: (node, build) => product(node, build, ["adj_x", "adj_y"]),
  BatchMatMulV2: (node, build) => product(node, build, ["adj_x", "adj_y"]),
  BatchMatMulV3: (node, build) => product(node, build, ["adj_x", "adj_y"]),
  Pack: packOfOne,
  ConcatV2: (node) => (node.inputs.length === 2 ? node.inputs[0] : undefined),
  AddN: (node) => (node.inputs.length === 1 ? node.inputs[0] : undefined),
  Split: (node) => (intAttr(node, "num_split") === 1 ? node.inputs[1] : undefined),
  Cast: (node, build) => sameTypeAs(node, build),
  Slice: wholeInput,
  StridedSlice: wholeSlice,
  Pad: zeroPad,
  PadV2: zeroPad,
  Tile: wholeInput,
  BroadcastTo: wholeInput,
  Sum: reduceNothing,
  Mean: reduceNothing,
  Max: reduceNothing,
  Min: reduceNothing,
  Prod: reduceNothing,
};

export function simplifyMovement(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const value = RULES[node.op]?.(node, build);
    return value && [value];
  });
}

/** A shape that a constant RESHAPE operand can state: at most one unknown size. */
function stated(shape: Shape | undefined): Shape | undefined {
  return shape !== undefined && shape.filter((size) => size < 0).length <= 1 ? shape : undefined;
}

function reshape(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const [x, target] = node.inputs;
  if (x === undefined || target === undefined) return undefined;
  const shape = build.infer(node)[0]?.shape;
  const before = build.shape(x);
  if (shape && before && sameShape(shape, before) && stated(shape)) return x;
  const producer = build.producer(x);
  const source = producer.inputs[0];
  if (producer.op !== "Reshape" || source === undefined) return undefined;
  const dims = integersOf(build.value(target));
  if (dims === undefined) return undefined;
  if (shape && sameShape(shape, build.shape(source) ?? [-2]) && stated(shape)) return source;
  return build.add(node.name, "Reshape", [source, target]);
}

function asReshape(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const shape = stated(build.infer(node)[0]?.shape);
  const x = node.inputs[0];
  if (shape === undefined || x === undefined || build.type(x).dtype === "string") return undefined;
  return emitReshape(node.name, x, shape, build);
}

/** A Reshape to a known shape, merged with the one before it. */
function emitReshape(name: string, x: ValueRef, shape: Shape, build: GraphBuilder): ValueRef {
  const producer = build.producer(x);
  const source = producer.op === "Reshape" ? (producer.inputs[0] ?? x) : x;
  const before = build.shape(source);
  if (before !== undefined && sameShape(before, shape)) return source;
  return build.add(name, "Reshape", [source, build.ints(shape)]);
}

function permOf(node: GraphNode, build: GraphBuilder): readonly number[] | undefined {
  return integersOf(build.value(node.inputs[1]))?.map((axis, _, perm) =>
    normalizeAxis(axis, perm.length, placeOf(node)),
  );
}

function transpose(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const perm = permOf(node, build);
  let x = node.inputs[0];
  if (perm === undefined || x === undefined) return undefined;
  let total = perm;
  const producer = build.producer(x);
  const inner = producer.op === "Transpose" ? permOf(producer, build) : undefined;
  if (inner !== undefined && producer.inputs[0] !== undefined) {
    x = producer.inputs[0];
    total = perm.map((axis) => inner[axis] ?? 0);
  }
  if (total.every((axis, i) => axis === i)) return x;
  const shape = build.shape(x);
  const moved = stated(shape && total.map((axis) => shape[axis] ?? -1));
  if (shape !== undefined && moved !== undefined && movesOnlyOnes(shape, total)) {
    return emitReshape(node.name, x, moved, build);
  }
  return inner === undefined
    ? undefined
    : build.add(node.name, "Transpose", [x, build.ints(total)]);
}

/**
 * A product of two computed matrices reads each of them either way: a Transpose of the last two dimensions before it
 * becomes a flag. Products with constant weights are dense layers, whose operator has no such flags.
 */
function product(
  node: GraphNode,
  build: GraphBuilder,
  flags: readonly [string, string],
): ValueRef | undefined {
  if (node.inputs.some((ref) => build.value(ref) !== undefined)) return undefined;
  const attrs: Record<string, Attr> = Object.fromEntries(node.attrs);
  const inputs = node.inputs.map((ref, i) => {
    const source = beforeSwap(build.producer(ref), build);
    if (source === undefined) return ref;
    attrs[flags[i]!] = { kind: "bool", value: !boolAttr(node, flags[i]!) };
    return source;
  });
  const isSame = inputs.every((ref, i) => ref === node.inputs[i]);
  return isSame ? undefined : build.add(node.name, node.op, inputs, attrs);
}

/** What a Transpose reads that swaps the last two dimensions and no others. */
function beforeSwap(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const perm = node.op === "Transpose" ? permOf(node, build) : undefined;
  const last = (perm?.length ?? 0) - 1;
  const swaps = perm?.every((axis, i) => axis === (i < last - 1 ? i : 2 * last - 1 - i)) ?? false;
  return swaps && last > 0 ? node.inputs[0] : undefined;
}

/** True when the dimensions other than 1 keep their order. */
function movesOnlyOnes(shape: Shape, perm: readonly number[]): boolean {
  const large = perm.filter((axis) => shape[axis] !== 1);
  return large.every((axis, i) => i === 0 || axis > (large[i - 1] ?? -1));
}

function packOfOne(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  return node.inputs.length === 1 ? asReshape(node, build) : undefined;
}

function sameTypeAs(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const x = node.inputs[0];
  return x && build.type(x).dtype === typeAttr(node, "DstT") ? x : undefined;
}

/** The operand, where an operation that can only take parts or repeat keeps its whole static shape. */
function wholeInput(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const x = node.inputs[0];
  const before = x && build.shape(x);
  const after = build.infer(node)[0]?.shape;
  return before && after && isStatic(before) && sameShape(before, after) ? x : undefined;
}

/** A slice that takes every element in order at most adds or drops dimensions of size 1. */
function wholeSlice(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const strides = integersOf(build.value(node.inputs[3]));
  if (strides === undefined || strides.some((stride) => stride < 0)) return undefined;
  const reshapes = intAttr(node, "new_axis_mask") !== 0 || intAttr(node, "shrink_axis_mask") !== 0;
  if (!reshapes) return wholeInput(node, build);
  const before = node.inputs[0] && build.shape(node.inputs[0]);
  const after = build.infer(node)[0]?.shape;
  const isWhole =
    before &&
    after &&
    isStatic(before) &&
    isStatic(after) &&
    elementCount(before) === elementCount(after);
  return isWhole ? asReshape(node, build) : undefined;
}

function zeroPad(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  return integersOf(build.value(node.inputs[1]))?.every((pad) => pad === 0)
    ? node.inputs[0]
    : undefined;
}

function reduceNothing(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const x = node.inputs[0];
  const axes = integersOf(build.value(node.inputs[1]));
  return x !== undefined && axes?.length === 0 && intsOrNone(node, "axis").length === 0
    ? x
    : undefined;
}
