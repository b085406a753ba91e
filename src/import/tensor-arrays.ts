/**
 * TensorFlow 1's TensorArrays as the TensorLists that TensorFlow 2 uses, so that everything after sees one form. An
 * array was a handle that operations changed, with a "flow" of floats to keep them in order; a list is a value, and
 * takes the place of the flow.
 */
import type { DType } from "../base/dtype.ts";
import type { Attr, GraphNode, PartialShape, TensorValue, ValueRef } from "../graph/ir.ts";
import { attrs, type FlatNodes } from "./flat-nodes.ts";
import { constantNode } from "./graph-plan.ts";

/** What is known of the array that a handle stands for. */
interface ArrayInfo {
  readonly dtype: DType;
  readonly elementShape: PartialShape;
}

const HANDLE_PASSES: ReadonlySet<string> = new Set(["Enter", "Identity", "Switch", "Merge"]);

/** Rewrites every TensorArray operation in place. */
export function rewriteTensorArrays(nodes: FlatNodes): void {
  const lists = new Map<string, ValueRef>();
  for (const node of nodes.all()) {
    const rewrite = REWRITES.get(node.op);
    if (rewrite === undefined) continue;
    const info = node.op === "TensorArrayV3" ? infoOf(node) : arrayBehind(nodes, node.inputs[0]);
    if (info === undefined) continue;
    rewrite(nodes, node, info);
    // Output 1, the flow, is what the others use; the handle has no users left.
    if (node.op === "TensorArrayV3") {
      lists.set(`${node.name}:1`, { node: listName(node), output: 0 });
    }
  }
  nodes.redirect(lists);
}

function listName(array: GraphNode): string {
  return `${array.name}/list`;
}

type Rewrite = (nodes: FlatNodes, node: GraphNode, info: ArrayInfo) => void;

/** The inputs of an operation on a list. The list comes from the flow, which is always the last input. */
function flowOf(node: GraphNode): ValueRef {
  return node.inputs[node.inputs.length - 1]!;
}

const REWRITES: ReadonlyMap<string, Rewrite> = new Map(
  Object.entries<Rewrite>({
    TensorArrayV3(nodes, node, info) {
      const shape = elementShape(nodes, node, info);
      const size = node.inputs[0]!;
      const inputs = [shape, size];
      nodes.set(listNode(listName(node), "TensorListReserve", inputs, info, { shape_type: INT32 }));
    },
    TensorArrayScatterV3(nodes, node, info) {
      const [, indices, value] = node.inputs as [ValueRef, ValueRef, ValueRef];
      const shape = elementShape(nodes, node, info);
      const [op, inputs, extra] = isWholeRange(nodes, indices)
        ? (["TensorListFromTensor", [value, shape], { shape_type: INT32 }] as const)
        : (["TensorListScatterIntoExistingList", [flowOf(node), value, indices], {}] as const);
      nodes.set(listNode(node.name, op, inputs, info, extra));
    },
    TensorArrayReadV3(nodes, node, info) {
      const inputs = [flowOf(node), node.inputs[1]!, elementShape(nodes, node, info)];
      nodes.set(listNode(node.name, "TensorListGetItem", inputs, info));
    },
    TensorArrayWriteV3(nodes, node, info) {
      const inputs = [flowOf(node), node.inputs[1]!, node.inputs[2]!];
      nodes.set(
        listNode(node.name, "TensorListSetItem", inputs, info, {
          resize_if_index_out_of_bounds: { kind: "bool", value: false },
        }),
      );
    },
    TensorArrayGatherV3(nodes, node, info) {
      const indices = node.inputs[1]!;
      const shape = elementShape(nodes, node, info);
      const [op, inputs, extra] = isWholeRange(nodes, indices)
        ? (["TensorListStack", [flowOf(node), shape], { num_elements: MINUS_ONE }] as const)
        : (["TensorListGather", [flowOf(node), indices, shape], {}] as const);
      nodes.set(listNode(node.name, op, inputs, info, extra));
    },
    TensorArraySizeV3(nodes, node) {
      const inputs = [flowOf(node)];
      nodes.set({ ...node, op: "TensorListLength", inputs, attrs: new Map(), outputCount: 1 });
    },
  }),
);

const INT32: Attr = { kind: "type", value: "int32" };
const MINUS_ONE: Attr = { kind: "int", value: -1 };

function listNode(
  name: string,
  op: string,
  inputs: readonly ValueRef[],
  info: ArrayInfo,
  extra: Readonly<Record<string, Attr>> = {},
): GraphNode {
  const own = attrs({ element_dtype: { kind: "type", value: info.dtype }, ...extra });
  return { name, op, inputs, attrs: own, outputCount: 1 };
}

/** Unfolds and folds go over all elements: their indices are Range(0, n, 1). */
function isWholeRange(nodes: FlatNodes, indices: ValueRef): boolean {
  const range = nodes.get(indices.node);
  if (range?.op !== "Range") return false;
  const [start, , delta] = range.inputs.map((input) => scalar(nodes.constantValue(input)));
  return start === 0 && delta === 1;
}

function scalar(value: TensorValue | undefined): number | undefined {
  return value === undefined || value.data.length !== 1 ? undefined : Number(value.data[0]);
}

/** A constant with the shape of the elements: -1 for what is not known, a scalar -1 for an unknown rank. */
function elementShape(nodes: FlatNodes, node: GraphNode, { elementShape }: ArrayInfo): ValueRef {
  const name = `${node.name}/element_shape`;
  const shape = elementShape === undefined ? [] : [elementShape.length];
  const data = Int32Array.from(elementShape ?? [-1]);
  nodes.set(constantNode(name, { dtype: "int32", shape, data }));
  return { node: name, output: 0 };
}

function infoOf(node: GraphNode): ArrayInfo | undefined {
  const dtype = node.attrs.get("dtype");
  const shape = node.attrs.get("element_shape");
  if (dtype?.kind !== "type") return undefined;
  return { dtype: dtype.value, elementShape: shape?.kind === "shape" ? shape.value : undefined };
}

function arrayBehind(nodes: FlatNodes, handle: ValueRef | undefined): ArrayInfo | undefined {
  let node = handle && nodes.get(handle.node);
  for (let step = 0; step < 64 && node !== undefined; step++) {
    if (node.op === "TensorArrayV3") return infoOf(node);
    const input = node.inputs[0];
    if (!HANDLE_PASSES.has(node.op) || input === undefined) return undefined;
    node = nodes.get(input.node);
  }
  return undefined;
}
