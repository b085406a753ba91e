/**
 * Layout: operations on [batch, channels, height, width] become the same on [batch, height, width, channels] between two
 * transposes, and so do those on rows and on volumes. Filters have one order in both layouts. `sinkTransposes` then moves
 * the transposes together, where they cancel.
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
  ["Conv3D", [0]],
  ["Conv3DBackpropInputV2", [2]],
  ["MaxPool", [0]],
  ["MaxPool3D", [0]],
  ["AvgPool", [0]],
  ["AvgPool3D", [0]],
  ["BiasAdd", [0]],
  ["FusedBatchNorm", [0]],
  ["FusedBatchNormV2", [0]],
  ["FusedBatchNormV3", [0]],
  ["SpaceToDepth", [0]],
  ["DepthToSpace", [0]],
]);

/** Attributes with one entry per dimension. */
const PER_DIMENSION = ["strides", "dilations", "ksize"];

/** Of a transpose from channels first to channels last, and of the one back. */
interface Turn {
  readonly toLast: readonly number[];
  readonly toFirst: readonly number[];
}

function turnOf(rank: number): Turn {
  const spatial = Array.from({ length: rank - 2 }, (_, i) => i + 1);
  return { toLast: [0, ...spatial.map((axis) => axis + 1), 1], toFirst: [0, rank - 1, ...spatial] };
}

export function toChannelsLast(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const images = IMAGE_INPUTS.get(node.op);
    const format = findAttr(node, "data_format", "string");
    if (images === undefined || format === undefined || !/^NCD?HW$/.test(format)) return undefined;
    const [image] = images.map((i) => node.inputs[i]);
    const rank = image && rankOf(node, image, format, build);
    if (rank === undefined) return undefined;
    const turn = turnOf(rank);
    const inputs = node.inputs.map((ref, i) => {
      if (images.includes(i)) return transposed(`${node.name}/to_nhwc`, ref, turn.toLast, build);
      const isSize = i === 0 && node.op.includes("BackpropInput");
      return isSize ? permutedSizes(ref, turn, build) : ref;
    });
    const attrs = channelsLastAttrs(node, turn);
    const last = build.add(node.name, node.op, inputs, attrs, node.outputCount);
    const back = transposed(`${node.name}/to_nchw`, last, turn.toFirst, build);
    return Array.from({ length: node.outputCount }, (_, output) =>
      output === 0 ? back : { node: last.node, output },
    );
  });
}

/** BiasAdd takes any rank under the name of one layout; the others take that of the name. */
function rankOf(
  { op }: GraphNode,
  image: ValueRef,
  format: string,
  build: GraphBuilder,
): number | undefined {
  const known = build.shape(image)?.length;
  if (op === "BiasAdd") return known !== undefined && known > 2 ? known : undefined;
  return known === undefined || known === format.length ? format.length : undefined;
}

const transposed = (
  name: string,
  x: ValueRef,
  perm: readonly number[],
  build: GraphBuilder,
): ValueRef => build.add(name, "Transpose", [x, build.ints(perm)]);

/** The output size that a transposed convolution is given, in the new order. */
function permutedSizes(ref: ValueRef, { toLast }: Turn, build: GraphBuilder): ValueRef {
  const sizes = integersOf(build.value(ref));
  if (sizes?.length === toLast.length) return build.ints(toLast.map((axis) => sizes[axis] ?? -1));
  return build.add(`${ref.node}/nhwc`, "GatherV2", [ref, build.ints(toLast), build.int(0)]);
}

function channelsLastAttrs(node: GraphNode, { toLast }: Turn): Record<string, Attr> {
  const format = findAttr(node, "data_format", "string");
  const attrs: Record<string, Attr> = {
    ...Object.fromEntries(node.attrs),
    data_format: attr.string(format === "NCDHW" ? "NDHWC" : "NHWC"),
  };
  for (const name of PER_DIMENSION) {
    const values = intsOrNone(node, name);
    if (values.length === toLast.length)
      attrs[name] = attr.ints(toLast.map((axis) => values[axis] ?? 1));
  }
  const pads = intsOrNone(node, "explicit_paddings");
  if (pads.length === 2 * toLast.length) {
    attrs["explicit_paddings"] = attr.ints(
      toLast.flatMap((axis) => pads.slice(2 * axis, 2 * axis + 2)),
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
