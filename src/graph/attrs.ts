/** Reading a node's attributes: the value of the kind that is wanted, or a GraphError that names node and attribute. */
import type { DType } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import type { Attr, GraphNode, PartialShape, TensorValue } from "./ir.ts";

type AttrKind = Attr["kind"];
type ValueByKind = { [A in Attr as A["kind"]]: A["value"] };
type ValueOf<K extends AttrKind> = ValueByKind[K];

/** The attribute's value when it is there and of this kind. */
export function findAttr<K extends AttrKind>(
  node: GraphNode,
  name: string,
  kind: K,
): ValueOf<K> | undefined {
  const attr = node.attrs.get(name);
  return attr?.kind === kind ? (attr.value as ValueOf<K>) : undefined;
}

/** @throws {GraphError} when the attribute is missing or of another kind; so do the readers below. */
export function intAttr(node: GraphNode, name: string): number {
  return attrOf(node, name, "int");
}

export function floatAttr(node: GraphNode, name: string): number {
  return attrOf(node, name, "float");
}

export function boolAttr(node: GraphNode, name: string): boolean {
  return attrOf(node, name, "bool");
}

export function stringAttr(node: GraphNode, name: string): string {
  return attrOf(node, name, "string");
}

export function typeAttr(node: GraphNode, name: string): DType {
  return attrOf(node, name, "type");
}

export function shapeAttr(node: GraphNode, name: string): PartialShape {
  return attrOf(node, name, "shape");
}

export function tensorAttr(node: GraphNode, name: string): TensorValue {
  return attrOf(node, name, "tensor");
}

/** Key of the function in `Graph.functions`. */
export function funcAttr(node: GraphNode, name: string): string {
  return attrOf(node, name, "func");
}

export function intsAttr(node: GraphNode, name: string): number[] {
  return itemsOf(node, name, "int");
}

export function floatsAttr(node: GraphNode, name: string): number[] {
  return itemsOf(node, name, "float");
}

export function stringsAttr(node: GraphNode, name: string): string[] {
  return itemsOf(node, name, "string");
}

export function typesAttr(node: GraphNode, name: string): DType[] {
  return itemsOf(node, name, "type");
}

export function funcsAttr(node: GraphNode, name: string): string[] {
  return itemsOf(node, name, "func");
}

function attrOf<K extends AttrKind>(node: GraphNode, name: string, kind: K): ValueOf<K> {
  const attr = node.attrs.get(name);
  if (attr?.kind !== kind) throw wrongAttr(node, name, attr?.kind ?? "nothing", kind);
  return attr.value as ValueOf<K>;
}

function itemsOf<K extends AttrKind>(node: GraphNode, name: string, kind: K): ValueOf<K>[] {
  return attrOf(node, name, "list").map((item) => {
    if (item.kind !== kind)
      throw wrongAttr(node, name, `a list with ${item.kind}`, `list of ${kind}`);
    return item.value as ValueOf<K>;
  });
}

function wrongAttr(node: GraphNode, name: string, found: string, expected: string): GraphError {
  return new GraphError({
    where: `node "${node.name}" (${node.op}), attribute "${name}"`,
    found,
    expected,
    node: node.name,
  });
}
