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

export function mergeDilation(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const merged = node.op === "BatchToSpaceND" ? mergeAt(node, build) : undefined;
    return merged && [merged];
  });
}

function mergeAt(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const inner = node.inputs[0] && build.producer(node.inputs[0]);
  const bias =
    inner?.op === "Add"
      ? inner.inputs.find((ref) => build.value(ref)?.shape.length === 1)
      : undefined;
  const convRef = bias === undefined ? node.inputs[0] : inner?.inputs.find((ref) => ref !== bias);
  const conv = convRef && build.producer(convRef);
  const split = conv?.inputs[0] && build.producer(conv.inputs[0]);
  const x = split?.inputs[0];
  const filter = conv?.inputs[1];
  if (
    !conv ||
    !split ||
    !x ||
    !filter ||
    !CONVOLUTIONS.has(conv.op) ||
    split.op !== "SpaceToBatchND"
  )
    return undefined;
  const block = integersOf(build.value(node.inputs[1]));
  const before = integersOf(build.value(split.inputs[1]));
  const isPlain =
    intsOrNone(conv, "strides").every((stride) => stride === 1) &&
    stringAttr(conv, "padding") === "VALID";
  if (block?.length !== 2 || `${block}` !== `${before}` || !isPlain) return undefined;
  const dilations = [1, ...block, 1];
  const padding = paddingOf(node, split, x, filter, block, build);
  if (padding === undefined) return undefined;
  const merged = build.add(conv.name, conv.op, [x, filter], {
    ...Object.fromEntries(conv.attrs),
    padding: attr.string(padding),
    dilations: attr.ints(dilations),
  });
  return bias === undefined ? merged : build.add(node.name, "Add", [merged, bias]);
}

/** The padding with which one dilated convolution takes the same elements, if there is one. */
function paddingOf(
  node: GraphNode,
  split: GraphNode,
  x: ValueRef,
  filter: ValueRef,
  block: readonly number[],
  build: GraphBuilder,
): string | undefined {
  const pads = integersOf(build.value(split.inputs[2]));
  const crops = integersOf(build.value(node.inputs[2]));
  const input = build.shape(x);
  const output = build.infer(node)[0]?.shape;
  const kernel = build.shape(filter);
  if (!pads || !crops || !input || !output || !kernel) return undefined;
  const fits = (padding: "SAME" | "VALID") =>
    [0, 1].every((i) => {
      const [size = -1, result = -1, k = -1, d = 1] = [
        input[i + 1],
        output[i + 1],
        kernel[i],
        block[i],
      ];
      if (!isStatic([size, result, k]) || windowedSize(size, k, 1, d, padding) !== result)
        return false;
      const total = padding === "SAME" ? (k - 1) * d : 0;
      return pads[2 * i] === Math.floor(total / 2) && crops[2 * i] === 0;
    });
  if (fits("VALID")) return "VALID";
  return fits("SAME") ? "SAME" : undefined;
}
