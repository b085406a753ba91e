/**
 * Padding of convolutions and pools: explicit paddings become Pad nodes, and a Pad in front of a VALID window becomes
 * SAME where SAME means just that.
 */
import { FLOAT32_MAX } from "../base/dtype.ts";
import { isStatic } from "../base/shape.ts";
import { stringAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr, intsOrNone } from "./attributes.ts";
import { integersOf } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { layoutOf } from "./infer/window.ts";

const CONVOLUTIONS: ReadonlySet<string> = new Set(["Conv2D", "DepthwiseConv2dNative"]);

/** Explicit paddings → Pad and VALID. Maxima are padded with the lowest number. */
export function expandExplicitPadding(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const x = node.inputs[0];
    if (!CONVOLUTIONS.has(node.op) && node.op !== "MaxPool") return undefined;
    if (x === undefined || stringAttr(node, "padding") !== "EXPLICIT") return undefined;
    const pads = intsOrNone(node, "explicit_paddings");
    const paddings = build.constant(`${node.name}/paddings`, {
      dtype: "int32",
      shape: [4, 2],
      data: Int32Array.from(pads),
    });
    const padded =
      node.op === "MaxPool"
        ? build.add(`${node.name}/pad`, "PadV2", [x, paddings, build.scalar(-FLOAT32_MAX, x)])
        : build.add(`${node.name}/pad`, "Pad", [x, paddings]);
    return [withPadding(node, padded, "VALID", build)];
  });
}

/**
 * Pad + VALID → SAME when, per spatial dimension, the padding is the one that SAME works out:
 * (ceil(in / s) − 1)·s + (k − 1)·d + 1 − in in total, the odd element behind.
 */
export function mergePadding(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const x = node.inputs[0];
    if (x === undefined || !CONVOLUTIONS.has(node.op)) return undefined;
    if (stringAttr(node, "padding") !== "VALID") return undefined;
    const pad = build.producer(x);
    const source = pad.inputs[0];
    if (pad.op !== "Pad" || source === undefined || !isSamePadding(node, pad, build))
      return undefined;
    return [withPadding(node, source, "SAME", build)];
  });
}

function isSamePadding(node: GraphNode, pad: GraphNode, build: GraphBuilder): boolean {
  const paddings = integersOf(build.value(pad.inputs[1]));
  const shape = pad.inputs[0] && build.shape(pad.inputs[0]);
  const filter = node.inputs[1] && build.shape(node.inputs[1]);
  if (paddings?.length !== 8 || shape === undefined || filter === undefined) return false;
  const { spatial } = layoutOf(node);
  const strides = intsOrNone(node, "strides");
  const dilations = intsOrNone(node, "dilations");
  return shape.every((size, axis) => {
    const [before = 0, after = 0] = paddings.slice(2 * axis, 2 * axis + 2);
    const at = spatial.indexOf(axis);
    if (at < 0) return before === 0 && after === 0;
    const kernel = filter[at] ?? -1;
    if (!isStatic([size, kernel])) return false;
    const stride = strides[axis] ?? 1;
    const reach =
      (Math.ceil(size / stride) - 1) * stride + (kernel - 1) * (dilations[axis] ?? 1) + 1;
    const total = Math.max(0, reach - size);
    return before + after === total && before === Math.floor(total / 2);
  });
}

function withPadding(node: GraphNode, x: ValueRef, padding: string, build: GraphBuilder): ValueRef {
  const attrs = { ...Object.fromEntries(node.attrs), padding: attr.string(padding) };
  return build.add(node.name, node.op, [x, ...node.inputs.slice(1)], {
    ...attrs,
    explicit_paddings: attr.ints([]),
  });
}
