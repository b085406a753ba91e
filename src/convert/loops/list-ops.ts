/**
 * Tensor lists as tensors with one dimension more: reading is Gather, writing replaces one row. A list that was only
 * reserved gets its zeros when the shape of its elements is known.
 */
import { isStatic } from "../../base/shape.ts";
import type { GraphNode, ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { ListType } from "../infer/typed-node.ts";

/** The value in place of the op, or the values where it has several. */
type ListRule = (
  node: GraphNode,
  build: GraphBuilder,
) => ValueRef | readonly ValueRef[] | undefined;

/** The list operand as a tensor; undefined while it is still a variant without known elements. */
function listTensor(ref: ValueRef | undefined, build: GraphBuilder): ValueRef | undefined {
  if (ref === undefined) return undefined;
  const { dtype, list } = build.type(ref);
  if (dtype !== "variant") return ref;
  return list && materialize(ref, list, build);
}

/**
 * Zeros of [length, …element] in place of a reserved list. Sizes of the elements that are not known come from `like`, a
 * value of the same shape.
 */
export function materialize(
  ref: ValueRef,
  { element, length }: ListType,
  build: GraphBuilder,
  like?: ValueRef,
): ValueRef | undefined {
  const producer = build.producer(ref);
  const isReserve = producer.op === "TensorListReserve" || producer.op === "EmptyTensorList";
  const count = producer.inputs[1];
  if (!isReserve || element.shape === undefined || count === undefined) return undefined;
  const zero = build.scalarOf(0, element.dtype);
  const isKnown = isStatic(element.shape);
  if (isKnown && length >= 0) {
    return build.add(`${ref.node}/zeros`, "Fill", [build.ints([length, ...element.shape]), zero]);
  }
  const rows =
    length >= 0
      ? build.ints([length])
      : build.add(`${ref.node}/rows`, "Reshape", [count, build.ints([1])]);
  const sizes = isKnown
    ? build.ints(element.shape)
    : like && build.add(`${ref.node}/element`, "Shape", [like], { out_type: attr.type("int32") });
  if (sizes === undefined) return undefined;
  const dims = build.add(`${ref.node}/shape`, "ConcatV2", [rows, sizes, build.int(0)]);
  return build.add(`${ref.node}/zeros`, "Fill", [dims, zero]);
}

const getItem: ListRule = (node, build) => {
  const list = listTensor(node.inputs[0], build);
  const index = node.inputs[1];
  return (
    list &&
    index &&
    build.add(node.name, "GatherV2", [list, index, build.int(0)], { batch_dims: attr.int(0) })
  );
};

const setItem: ListRule = (node, build) => {
  const [handle, index, item] = node.inputs;
  if (!handle || !index || !item) return undefined;
  const { dtype } = build.type(handle);
  const list = dtype === "variant" ? reservedFor(handle, item, build) : handle;
  if (list === undefined) return undefined;
  const row = build.add(`${node.name}/row`, "ExpandDims", [item, build.int(0)]);
  if (build.shape(list)?.[0] === 1) return row;
  const rank = build.shape(list)?.length;
  if (rank === undefined || rank === 0) return undefined;
  const start = [index, ...new Array<ValueRef>(rank - 1).fill(build.int(0))];
  const begin = build.add(`${node.name}/begin`, "Pack", start, { axis: attr.int(0) });
  return build.add(node.name, "XlaDynamicUpdateSlice", [list, row, begin]);
};

/** A reserved list whose elements are like `item`. */
function reservedFor(handle: ValueRef, item: ValueRef, build: GraphBuilder): ValueRef | undefined {
  const length = build.type(handle).list?.length ?? -1;
  return materialize(handle, { element: build.type(item), length }, build);
}

const pushBack: ListRule = (node, build) => {
  const [handle, item] = node.inputs;
  if (!handle || !item) return undefined;
  const row = build.add(`${node.name}/row`, "ExpandDims", [item, build.int(0)]);
  const { dtype, list } = build.type(handle);
  if (dtype === "variant") return list?.length === 0 ? row : undefined;
  return build.add(node.name, "ConcatV2", [handle, row, build.int(0)]);
};

const length: ListRule = (node, build) => {
  const list = listTensor(node.inputs[0], build);
  if (list === undefined) return undefined;
  const shape = build.add(`${node.name}/shape`, "Shape", [list], { out_type: attr.type("int32") });
  return build.add(node.name, "GatherV2", [shape, build.int(0), build.int(0)]);
};

const gather: ListRule = (node, build) => {
  const list = listTensor(node.inputs[0], build);
  const indices = node.inputs[1];
  return list && indices && build.add(node.name, "GatherV2", [list, indices, build.int(0)]);
};

/** Most lengths of elements that are written into the file. */
const MAX_LENGTHS = 65_536;

/** The elements of a list of known length joined along their first dimension, and how long each is. */
const concat: ListRule = (node, build) => {
  const list = listTensor(node.inputs[0], build);
  const [count = -1, size = -1, ...rest] = (list && build.shape(list)) ?? [];
  if (list === undefined || count < 0 || size < 0 || rest.some((each) => each < 0))
    return undefined;
  if (count > MAX_LENGTHS) return undefined;
  const joined = build.ints([count * size, ...rest]);
  const lengths = BigInt64Array.from({ length: count }, () => BigInt(size));
  return [
    build.add(node.name, "Reshape", [list, joined]),
    build.constant(`${node.name}/lengths`, { dtype: "int64", shape: [count], data: lengths }),
  ];
};

/** The list ops, each as the value that takes its place. */
export const LIST_RULES: ReadonlyMap<string, ListRule> = new Map<string, ListRule>([
  ["TensorListFromTensor", (node) => node.inputs[0]],
  ["TensorListStack", (node, build) => listTensor(node.inputs[0], build)],
  ["TensorListGetItem", getItem],
  ["TensorListSetItem", setItem],
  ["TensorListPushBack", pushBack],
  ["TensorListLength", length],
  ["TensorListGather", gather],
  ["TensorListConcatV2", concat],
]);
