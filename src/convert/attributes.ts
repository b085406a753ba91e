/** Making attributes, and reading those that an op may do without. */
import type { DType } from "../base/dtype.ts";
import { findAttr } from "../graph/attrs.ts";
import type { Attr, GraphNode, PartialShape, TensorValue } from "../graph/ir.ts";

/** Constructors, so that passes can write `{ axis: attr.int(1) }`. */
export const attr = {
  int: (value: number): Attr => ({ kind: "int", value }),
  float: (value: number): Attr => ({ kind: "float", value }),
  bool: (value: boolean): Attr => ({ kind: "bool", value }),
  string: (value: string): Attr => ({ kind: "string", value }),
  type: (value: DType): Attr => ({ kind: "type", value }),
  shape: (value: PartialShape): Attr => ({ kind: "shape", value }),
  tensor: (value: TensorValue): Attr => ({ kind: "tensor", value }),
  func: (value: string): Attr => ({ kind: "func", value }),
  ints: (values: readonly number[]): Attr => listOf(values, attr.int),
  types: (values: readonly DType[]): Attr => listOf(values, attr.type),
  shapes: (values: readonly PartialShape[]): Attr => listOf(values, attr.shape),
} as const;

function listOf<T>(values: readonly T[], item: (value: T) => Attr): Attr {
  return { kind: "list", value: values.map(item) };
}

/** Tells whether the node has the attribute. */
export function hasAttr(node: GraphNode, name: string): boolean {
  return node.attrs.has(name);
}

/** A boolean attribute; false where there is none. */
export function flagAttr(node: GraphNode, name: string): boolean {
  return findAttr(node, name, "bool") ?? false;
}

/** A list of integers; empty where there is none. */
export function intsOrNone(node: GraphNode, name: string): readonly number[] {
  const items = findAttr(node, name, "list") ?? [];
  return items.flatMap((item) => (item.kind === "int" ? [item.value] : []));
}

/** Shapes of a `list(shape)` attribute; empty where there is none. */
export function shapesOrNone(node: GraphNode, name: string): readonly PartialShape[] {
  const items = findAttr(node, name, "list") ?? [];
  return items.map((item) => (item.kind === "shape" ? item.value : undefined));
}
