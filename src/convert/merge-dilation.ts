/**
 * SpaceToBatchND → convolution of stride 1 without padding → BatchToSpaceND is how dilation was written before there was
 * an attribute for it. With crops equal to the paddings the convolution was VALID, otherwise SAME; both are checked
 * against the shapes before the three become one.
 */
import { isStatic } from "../base/shape.ts";
import { stringAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr, intsOrNone } from "./attributes.ts";
import { integersOf } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { windowedSize } from "./infer/window.ts";

const CONVOLUTIONS: ReadonlySet<string> = new Set(["Conv2D", "DepthwiseConv2dNative"]);

/** Ops that may add or take away a dimension of size 1. */
const MOVES: ReadonlySet<string> = new Set(["ExpandDims", "Reshape", "Squeeze"]);

export function mergeDilation(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const merged = node.op === "BatchToSpaceND" ? mergeAt(node, build) : undefined;
    return merged && [merged];
  });
}

/** The three nodes, and how their spatial dimensions lie in the images and filters of the convolution. */
interface Dilated {
  readonly split: GraphNode;
  readonly conv: GraphNode;
  readonly x: ValueRef;
  readonly filter: ValueRef;
  readonly bias: ValueRef | undefined;
  /** 1 where lines of data pass through the convolution as images of height 1, else 2. */
  readonly rank: number;
}

function mergeAt(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const found = findDilated(node, build);
  if (found === undefined) return undefined;
  const { conv, filter, x, rank, bias } = found;
  const block = integersOf(build.value(node.inputs[1]));
  const before = integersOf(build.value(found.split.inputs[1]));
  const isPlain =
    intsOrNone(conv, "strides").every((stride) => stride === 1) &&
    stringAttr(conv, "padding") === "VALID";
  if (block?.length !== rank || `${block}` !== `${before}` || !isPlain) return undefined;
  const padding = paddingOf(node, found, block, build);
  if (padding === undefined) return undefined;
  const dilations = rank === 1 ? [1, 1, ...block, 1] : [1, ...block, 1];
  const convolve = (image: ValueRef): ValueRef =>
    build.add(conv.name, conv.op, [image, filter], {
      ...Object.fromEntries(conv.attrs),
      padding: attr.string(padding),
      dilations: attr.ints(dilations),
    });
  const merged = rank === 1 ? alongLine(node.name, x, convolve, build) : convolve(x);
  return merged && bias ? build.add(node.name, "Add", [merged, bias]) : merged;
}

/** [batch, steps, channels] as images of height 1, and back. */
function alongLine(
  name: string,
  x: ValueRef,
  convolve: (image: ValueRef) => ValueRef,
  build: GraphBuilder,
): ValueRef | undefined {
  const shape = build.shape(x);
  if (shape === undefined || shape.slice(1).some((size) => size < 0)) return undefined;
  const [batch, steps, channels] = shape as [number, number, number];
  const reshape = (part: string, from: ValueRef, to: readonly number[]): ValueRef =>
    build.add(`${name}/${part}`, "Reshape", [from, build.ints(to)], {
      T: attr.type(build.type(from).dtype),
    });
  const y = convolve(reshape("image", x, [batch, 1, steps, channels]));
  const [, , length, filters] = build.shape(y) ?? [];
  if (length === undefined || filters === undefined) return undefined;
  return reshape("line", y, [batch, length, filters]);
}

function findDilated(node: GraphNode, build: GraphBuilder): Dilated | undefined {
  const producer = (ref: ValueRef | undefined): GraphNode | undefined => ref && build.producer(ref);
  const inner = producer(node.inputs[0]);
  const bias =
    inner?.op === "Add"
      ? inner.inputs.find((ref) => build.value(ref)?.shape.length === 1)
      : undefined;
  const last = producer(
    bias === undefined ? node.inputs[0] : inner?.inputs.find((ref) => ref !== bias),
  );
  const isLine = last !== undefined && MOVES.has(last.op) && addsHeight(last, -1, build);
  const conv = isLine ? producer(last.inputs[0]) : last;
  const first = producer(conv?.inputs[0]);
  const split = isLine && first && addsHeight(first, 1, build) ? producer(first.inputs[0]) : first;
  const [x, filter] = [split?.inputs[0], conv?.inputs[1]];
  if (!conv || !split || !x || !filter) return undefined;
  if (!CONVOLUTIONS.has(conv.op) || split.op !== "SpaceToBatchND") return undefined;
  return { split, conv, x, filter, bias, rank: isLine ? 1 : 2 };
}

/** Whether a node puts a height of 1 behind the batch (`by` = 1), or takes it away (-1). */
function addsHeight(node: GraphNode, by: 1 | -1, build: GraphBuilder): boolean {
  const [from, to] = [build.shape(node.inputs[0]!), build.infer(node)[0]?.shape];
  const [line, image] = by === 1 ? [from, to] : [to, from];
  if (!MOVES.has(node.op) || line?.length !== 3 || image?.length !== 4) return false;
  return `${image}` === `${line.toSpliced(1, 0, 1)}` && line.slice(1).every((size) => size >= 0);
}

/** The padding with which one dilated convolution takes the same elements, if there is one. */
function paddingOf(
  node: GraphNode,
  { split, x, filter, rank }: Dilated,
  block: readonly number[],
  build: GraphBuilder,
): string | undefined {
  const pads = integersOf(build.value(split.inputs[2]));
  const crops = integersOf(build.value(node.inputs[2]));
  const input = build.shape(x);
  const output = build.infer(node)[0]?.shape;
  const kernel = build.shape(filter)?.slice(rank === 1 ? 1 : 0);
  if (!pads || !crops || !input || !output || !kernel) return undefined;
  const fits = (padding: "SAME" | "VALID") =>
    block.every((d, i) => {
      const [size = -1, result = -1, k = -1] = [input[i + 1], output[i + 1], kernel[i]];
      if (!isStatic([size, result, k]) || windowedSize(size, k, 1, d, padding) !== result)
        return false;
      const total = padding === "SAME" ? (k - 1) * d : 0;
      return pads[2 * i] === Math.floor(total / 2) && crops[2 * i] === 0;
    });
  if (fits("VALID")) return "VALID";
  return fits("SAME") ? "SAME" : undefined;
}
