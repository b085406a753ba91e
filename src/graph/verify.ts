/** The rules that every graph keeps between passes. */
import { bitsOf } from "../base/dtype.ts";
import { GraphError } from "../base/errors.ts";
import { elementCount } from "../base/shape.ts";
import type { Attr, Graph, GraphNode, PartialShape, TensorValue, ValueRef } from "./ir.ts";

/** Most outputs of a node, and most dimensions and the largest of them: TensorFlow Lite's are 32-bit integers. */
const MAX_OUTPUTS = 65_536;
const MAX_RANK = 254;
const MAX_SIZE = 0x7fff_ffff;

type Functions = ReadonlyMap<string, Graph>;

/**
 * Checks that names are unique, that each node comes after its inputs and uses only outputs that exist, that inputs
 * are Placeholders, that shapes are such, that constants have the data their shape asks for, and that functions named by attributes of
 * While, If and Case exist, in the graph or in one around it (`outer`); functions are checked in the same way.
 *
 * @throws {GraphError} on the first rule that is broken.
 */
export function verifyGraph(graph: Graph, name = "graph", outer: Functions = new Map()): void {
  const functions = outer.size === 0 ? graph.functions : new Map([...outer, ...graph.functions]);
  const seen = new Map<string, GraphNode>();
  for (const node of graph.nodes) {
    if (seen.has(node.name)) throw broken(name, node.name, "a second node of this name");
    if (!(node.outputCount >= 0 && node.outputCount <= MAX_OUTPUTS)) {
      throw broken(name, node.name, `${node.outputCount} outputs`);
    }
    for (const input of node.inputs) verifyRef(input, seen, `${name}, node "${node.name}"`);
    for (const attr of node.attrs.values())
      verifyAttr(attr, functions, `${name}, node "${node.name}"`);
    seen.set(node.name, node);
  }
  for (const { key, node } of graph.inputs) {
    if (seen.get(node)?.op !== "Placeholder") {
      throw broken(`${name}, input "${key}"`, node, "not a Placeholder of the graph");
    }
  }
  for (const { key, value } of graph.outputs) verifyRef(value, seen, `${name}, output "${key}"`);
  for (const [key, body] of graph.functions) {
    verifyGraph(body, `${name}, function "${key}"`, functions);
  }
}

function verifyRef(ref: ValueRef, seen: ReadonlyMap<string, GraphNode>, where: string): void {
  const node = seen.get(ref.node);
  if (node === undefined)
    throw broken(where, ref.node, "used before it is defined, or never defined");
  if (ref.output < 0 || ref.output >= node.outputCount) {
    throw broken(where, ref.node, `output ${ref.output} of ${node.outputCount} used`);
  }
}

function verifyAttr(attr: Attr, functions: Functions, where: string): void {
  if (attr.kind === "tensor") verifyTensor(attr.value, where);
  if (attr.kind === "shape") verifyShape(attr.value, where);
  if (attr.kind === "list") for (const item of attr.value) verifyAttr(item, functions, where);
  if (attr.kind === "func" && !functions.has(attr.value)) {
    throw broken(where, attr.value, "a function that the graph does not have");
  }
}

/** Unknown dimensions are -1. */
function verifyShape(shape: PartialShape, where: string): void {
  const fits = (size: number) => Number.isInteger(size) && size >= -1 && size <= MAX_SIZE;
  if (shape !== undefined && !(shape.length <= MAX_RANK && shape.every(fits))) {
    throw broken(where, "shape", `[${shape.slice(0, 8).join(", ")}]`);
  }
}

function verifyTensor({ dtype, shape, data }: TensorValue, where: string): void {
  verifyShape(shape, where);
  const bits = bitsOf(dtype);
  const perElement = dtype === "complex64" || dtype === "complex128" ? 2 : 1;
  const count = elementCount(shape) * perElement;
  const wanted = bits !== undefined && bits < 8 ? Math.ceil((count * bits) / 8) : count;
  if (data.length !== wanted) {
    throw broken(
      where,
      dtype,
      `a constant of ${data.length} numbers where its shape has ${wanted}`,
    );
  }
}

function broken(where: string, subject: string, found: string): GraphError {
  return new GraphError({ where, found: `"${subject}": ${found}`, node: subject });
}
