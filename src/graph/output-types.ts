/** Element types of a node's outputs, from its operation's signature and its attributes. */
import { bitsOf, type DType } from "../base/dtype.ts";
import type { GraphNode } from "./ir.ts";
import { argLength, opDefinition } from "./op-table.ts";

/** The type of one output; undefined where the operation is unknown or its attributes do not say. */
export function outputType(node: GraphNode, output: number): DType | undefined {
  let index = output;
  for (const arg of opDefinition(node.op)?.outputs ?? []) {
    const length = argLength(arg, node.attrs);
    if (length === undefined) return undefined;
    if (index >= length) {
      index -= length;
      continue;
    }
    if (arg.listAttr !== undefined) {
      const list = node.attrs.get(arg.listAttr);
      const item = list?.kind === "list" ? list.value[index] : undefined;
      return item?.kind === "type" ? item.value : undefined;
    }
    const attr = node.attrs.get(arg.type!);
    if (attr !== undefined) return attr.kind === "type" ? attr.value : undefined;
    return isElementType(arg.type!) ? arg.type : undefined;
  }
  return undefined;
}

function isElementType(name: string): name is DType {
  return (
    bitsOf(name as DType) !== undefined ||
    name === "string" ||
    name === "resource" ||
    name === "variant"
  );
}
