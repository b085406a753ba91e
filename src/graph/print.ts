/** A graph as text, one node a line: for messages, tests and the curious. Large constants are cut short. */
import type { Attr, Graph, GraphNode, PartialShape, TensorValue } from "./ir.ts";

const SHOWN_ELEMENTS = 8;

/** Prints inputs, nodes, outputs and functions. */
export function printGraph(graph: Graph): string {
  return [...linesOf(graph, "")].join("\n");
}

function* linesOf(graph: Graph, indent: string): Generator<string> {
  for (const { key, node, dtype, signatureShape } of graph.inputs) {
    yield `${indent}input ${key} = ${node} ${dtype}${formatPartial(signatureShape)}`;
  }
  for (const node of graph.nodes) yield `${indent}${printNode(node)}`;
  for (const { key, value } of graph.outputs) {
    yield `${indent}output ${key} = ${formatRef(value)}`;
  }
  for (const [name, body] of graph.functions) {
    yield `${indent}function ${name}`;
    yield* linesOf(body, `${indent}  `);
  }
}

/** `name = Op(input, other:1) {attr=value}`. */
export function printNode(node: GraphNode): string {
  const inputs = node.inputs.map(formatRef).join(", ");
  const attrs = [...node.attrs]
    .map(([name, attr]) => `${name}=${formatAttr(attr)}`)
    .sort()
    .join(", ");
  const outputs = node.outputCount === 1 ? "" : `:${node.outputCount}`;
  return `${node.name}${outputs} = ${node.op}(${inputs})${attrs === "" ? "" : ` {${attrs}}`}`;
}

function formatRef({ node, output }: { node: string; output: number }): string {
  return output === 0 ? node : `${node}:${output}`;
}

function formatAttr(attr: Attr): string {
  switch (attr.kind) {
    case "string":
      return JSON.stringify(attr.value);
    case "shape":
      return formatPartial(attr.value);
    case "tensor":
      return formatTensor(attr.value);
    case "func":
      return `@${attr.value}`;
    case "list":
      return `[${attr.value.map(formatAttr).join(", ")}]`;
    default:
      return String(attr.value);
  }
}

function formatPartial(shape: PartialShape): string {
  if (shape === undefined) return "[*]";
  return `[${shape.map((size) => (size < 0 ? "?" : size)).join(", ")}]`;
}

function formatTensor({ dtype, shape, data }: TensorValue): string {
  const shown: string[] = [];
  for (let i = 0; i < Math.min(data.length, SHOWN_ELEMENTS); i++) {
    const value = data[i];
    shown.push(value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value));
  }
  if (data.length > SHOWN_ELEMENTS) shown.push("…");
  return `${dtype}${formatPartial(shape)}(${shown.join(" ")})`;
}
