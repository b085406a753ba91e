/**
 * Attributes of nodes: typed reading and short construction. Importers fill in every default, so an attribute that is
 * missing or of another kind is a defect of the source file, and reading it says so with the node's name.
 */
import type { DType } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import type { Attr, GraphNode, PartialShape, TensorValue } from "./ir.ts";

/** Integer attribute. */
export const intAttr = (node: GraphNode, name: string): number => read(node, name, "int");
/** Floating-point attribute. */
export const floatAttr = (node: GraphNode, name: string): number => read(node, name, "float");
export const boolAttr = (node: GraphNode, name: string): boolean => read(node, name, "bool");
export const stringAttr = (node: GraphNode, name: string): string => read(node, name, "string");
export const typeAttr = (node: GraphNode, name: string): DType => read(node, name, "type");
export const shapeAttr = (node: GraphNode, name: string): PartialShape => read(node, name, "shape");
export const tensorAttr = (node: GraphNode, name: string): TensorValue =>
  read(node, name, "tensor");
/** Name of a graph in `Graph.functions`. */
export const funcAttr = (node: GraphNode, name: string): string => read(node, name, "func");

/** A list of integers; empty when the attribute is an empty list of any kind or absent. */
export function intsAttr(node: GraphNode, name: string): readonly number[] {
  return listAttr(node, name, "int");
}

/** A list of floating-point numbers, like `intsAttr`. */
export function floatsAttr(node: GraphNode, name: string): readonly number[] {
  return listAttr(node, name, "float");
}

/** A list of element types, like `intsAttr`. */
export function typesAttr(node: GraphNode, name: string): readonly DType[] {
  return listAttr(node, name, "type");
}

/** A list of function names, like `intsAttr`. */
export function funcsAttr(node: GraphNode, name: string): readonly string[] {
  return listAttr(node, name, "func");
}

/** Tells whether the node has the attribute. */
export function hasAttr(node: GraphNode, name: string): boolean {
  return node.attrs.has(name);
}

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
  ints: (values: readonly number[]): Attr => ({
    kind: "list",
    value: values.map((value) => ({ kind: "int", value })),
  }),
} as const;

type ValueOf<K extends Attr["kind"]> = Extract<Attr, { kind: K }>["value"];

function read<K extends Attr["kind"]>(node: GraphNode, name: string, kind: K): ValueOf<K> {
  const found = node.attrs.get(name);
  if (found?.kind !== kind) throw wrongKind(node, name, kind, found);
  return found.value as ValueOf<K>;
}

function listAttr<K extends Attr["kind"]>(
  node: GraphNode,
  name: string,
  kind: K,
): readonly ValueOf<K>[] {
  const found = node.attrs.get(name);
  if (found === undefined) return [];
  if (found.kind !== "list") throw wrongKind(node, name, `list of ${kind}`, found);
  return found.value.map((item) => {
    if (item.kind !== kind) throw wrongKind(node, name, `list of ${kind}`, item);
    return item.value as ValueOf<K>;
  });
}

function wrongKind(node: GraphNode, name: string, kind: string, found: Attr | undefined): Error {
  return new GraphError({
    where: `node ${node.name} (${node.op})`,
    found: found === undefined ? `no attribute ${name}` : `attribute ${name} of kind ${found.kind}`,
    expected: `${name} of kind ${kind}`,
    node: node.name,
  });
}
