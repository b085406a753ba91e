/**
 * Layout: operations on [batch, channels, height, width] become the same on [batch, height, width, channels] between two
 * transposes. Filters have one order in both layouts. `sinkTransposes` then moves the transposes together, where they
 * cancel.
 */
import { findAttr } from "../graph/attrs.ts";
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr, intsOrNone } from "./attributes.ts";
import { integersOf, valueFrom } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";

/** Op and the inputs that are images. */
const IMAGE_INPUTS: ReadonlyMap<string, readonly number[]> = new Map([
  ["Conv2D", [0]],
  ["DepthwiseConv2dNative", [0]],
  ["Conv2DBackpropInput", [2]],
  ["MaxPool", [0]],
  ["AvgPool", [0]],
  ["BiasAdd", [0]],
  ["FusedBatchNorm", [0]],
  ["FusedBatchNormV2", [0]],
  ["FusedBatchNormV3", [0]],
  ["SpaceToDepth", [0]],
  ["DepthToSpace", [0]],
]);

/** Attributes with one entry per dimension. */
const PER_DIMENSION = ["strides", "dilations", "ksize"];

const TO_LAST = [0, 2, 3, 1];
const TO_FIRST = [0, 3, 1, 2];

export function toChannelsLast(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const images = IMAGE_INPUTS.get(node.op);
    if (images === undefined || findAttr(node, "data_format", "string") !== "NCHW")
      return undefined;
    if (images.some((i) => node.inputs[i] && build.shape(node.inputs[i])?.length !== 4))
      return undefined;
    const inputs = node.inputs.map((ref, i) => {
      if (images.includes(i)) return transposed(`${node.name}/to_nhwc`, ref, TO_LAST, build);
      return node.op === "Conv2DBackpropInput" && i === 0 ? permutedSizes(ref, build) : ref;
    });
    const first = build.add(node.name, node.op, inputs, channelsLastAttrs(node), node.outputCount);
    const back = transposed(`${node.name}/to_nchw`, first, TO_FIRST, build);
    return Array.from({ length: node.outputCount }, (_, output) =>
      output === 0 ? back : { node: first.node, output },
    );
  });
}

const transposed = (
  name: string,
  x: ValueRef,
  perm: readonly number[],
  build: GraphBuilder,
): ValueRef => build.add(name, "Transpose", [x, build.ints(perm)]);

/** The output size that a transposed convolution is given, in the new order. */
function permutedSizes(ref: ValueRef, build: GraphBuilder): ValueRef {
  const sizes = integersOf(build.value(ref));
  if (sizes?.length === 4) return build.ints(TO_LAST.map((axis) => sizes[axis] ?? -1));
  return build.add(`${ref.node}/nhwc`, "GatherV2", [ref, build.ints(TO_LAST), build.int(0)]);
}

function channelsLastAttrs(node: GraphNode): Record<string, Attr> {
  const attrs: Record<string, Attr> = {
    ...Object.fromEntries(node.attrs),
    data_format: attr.string("NHWC"),
  };
  for (const name of PER_DIMENSION) {
    const values = intsOrNone(node, name);
    if (values.length === 4) attrs[name] = attr.ints(TO_LAST.map((axis) => values[axis] ?? 1));
  }
  const pads = intsOrNone(node, "explicit_paddings");
  if (pads.length === 8) {
    attrs["explicit_paddings"] = attr.ints(
      TO_LAST.flatMap((axis) => pads.slice(2 * axis, 2 * axis + 2)),
    );
  }
  return attrs;
}

/** A constant of up to `perm.length` dimensions as it broadcasts before a transpose instead of after it. */
export function untransposedConstant(
  name: string,
  ref: ValueRef,
  perm: readonly number[],
  build: GraphBuilder,
): ValueRef | undefined {
  const value = build.value(ref);
  if (value === undefined || value.shape.length > perm.length) return undefined;
  if (value.data.length === 1) return ref;
  const padded = [...new Array<number>(perm.length - value.shape.length).fill(1), ...value.shape];
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  const constant = build.constant(`${name}/constant`, { ...value, shape: padded });
  return build.add(`${name}/permuted`, "Transpose", [constant, build.ints(inverse)]);
}

/** Paddings [rank, 2] of a Pad as they are before a transpose. */
export function untransposedPaddings(
  ref: ValueRef,
  perm: readonly number[],
  build: GraphBuilder,
): ValueRef | undefined {
  const pads = integersOf(build.value(ref));
  if (pads?.length !== 2 * perm.length) return undefined;
  const moved = new Array<number>(pads.length).fill(0);
  perm.forEach((from, to) => {
    moved[2 * from] = pads[2 * to] ?? 0;
    moved[2 * from + 1] = pads[2 * to + 1] ?? 0;
  });
  const value = valueFrom("int32", [perm.length, 2], moved);
  return value && build.constant(`${ref.node}/permuted`, value);
}
