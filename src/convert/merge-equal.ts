/** Common subexpressions: nodes with equal op, operands and attributes become one. */
import { bytesOf } from "../base/dtype.ts";
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { rebuild } from "./graph-builder.ts";

/** Ops that make something new each time. */
const NOT_MERGED: ReadonlySet<string> = new Set([
  "Placeholder",
  "RandomUniform",
  "RandomStandardNormal",
  "Multinomial",
  "While",
  "StatelessWhile",
  "If",
  "StatelessIf",
  "VarHandleOp",
  "ReadVariableOp",
  "AssignVariableOp",
  "HashTableV2",
]);

/** Constants are compared by content up to this size; larger ones only by identity. */
const CONTENT_LIMIT = 4096;

export function mergeEqual(graph: Graph): Graph {
  const seen = new Map<string, readonly ValueRef[]>();
  const identities = new Identities();
  return rebuild(graph, (node) => {
    if (NOT_MERGED.has(node.op) || node.outputCount === 0) return undefined;
    const key = keyOf(node, identities);
    const found = seen.get(key);
    if (found !== undefined) return found;
    seen.set(
      key,
      Array.from({ length: node.outputCount }, (_, output) => ({ node: node.name, output })),
    );
    return undefined;
  });
}

function keyOf(node: GraphNode, identities: Identities): string {
  const inputs = node.inputs.map((ref) => `${ref.node}:${ref.output}`).join(",");
  const attrs = [...node.attrs]
    .filter(([name]) => !name.startsWith("_"))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${attrKey(value, identities)}`)
    .join(";");
  return `${node.op}(${inputs})${attrs}`;
}

function attrKey(value: Attr, identities: Identities): string {
  switch (value.kind) {
    case "list":
      return `[${value.value.map((item) => attrKey(item, identities)).join(",")}]`;
    case "tensor":
      return identities.keyOf(value.value.dtype, value.value.shape, value.value.data);
    default:
      return `${value.kind}:${Object.is(value.value, -0) ? "-0" : value.value}`;
  }
}

/** Names for constants, equal for equal content. */
class Identities {
  readonly #numbers = new Map<object, number>();

  keyOf(dtype: string, shape: readonly number[], data: object): string {
    if (!ArrayBuffer.isView(data) || data.byteLength > CONTENT_LIMIT) {
      const known = this.#numbers.get(data) ?? this.#numbers.size;
      this.#numbers.set(data, known);
      return `${dtype}[${shape}]#${known}`;
    }
    return `${dtype}[${shape}]${bytesOf(data as Uint8Array)}`;
  }
}
