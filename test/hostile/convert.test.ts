/**
 * Damaged graphs on their way to a model: an error of ours or a model that verifies, in bounded time, never anything
 * else. Files are damaged bit by bit; graphs that a file could also have held are damaged node by node.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { attr } from "../../src/convert/attributes.ts";
import { type ConvertOptions, convertGraph } from "../../src/convert/pipeline.ts";
import { randomSequence } from "../../src/evaluate/random-inputs.ts";
import type { Attr, Graph, GraphNode } from "../../src/graph/ir.ts";
import { importGraphDef } from "../../src/import/graph-def.ts";
import { importSavedModel } from "../../src/import/saved-model.ts";
import { memoryTree } from "../../src/io/memory.ts";
import { verifyModel } from "../../src/model/verify.ts";
import {
  encodeFields,
  funcAttr,
  graphDef,
  type Message,
  message,
  type TestNode,
  typeAttr,
} from "../wire-writer.ts";

/** Longest time for one damaged graph. */
const MAX_MS = 2000;

const fixture = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../fixtures/convert/${path}`, import.meta.url)));

const SAVED_MODELS = ["tagged_lstm", "nested_loops", "spectrum"];
const FROZEN = ["gru", "lstm_lengths"];

async function graphOf(name: string, bytes: Uint8Array): Promise<Graph> {
  if (FROZEN.includes(name)) {
    return importGraphDef(bytes, { inputs: ["x"], outputs: ["y0"] }).graph;
  }
  return (await importSavedModel(memoryTree(new Map([["saved_model.pb", bytes]])))).graph;
}

const bytesOf = (name: string): Uint8Array =>
  FROZEN.includes(name) ? gunzipSync(fixture(`${name}.pb.gz`)) : fixture(`${name}/saved_model.pb`);

/** "converted", or the sentence of an error of ours; fails for anything else, and when it takes too long. */
async function outcome(
  make: () => Graph | Promise<Graph>,
  what: string,
  options: ConvertOptions = {},
): Promise<string> {
  const start = performance.now();
  let result = "converted";
  try {
    verifyModel(convertGraph(await make(), options).model);
  } catch (error) {
    if (!isOctavoError(error)) throw new Error(what, { cause: error });
    result = `${error.code}: ${error.message}`;
  }
  expect(performance.now() - start, what).toBeLessThan(MAX_MS);
  return result;
}

describe("a damaged file", () => {
  it.each([...SAVED_MODELS, ...FROZEN])("of %s with 20 seeded bit flips", async (name) => {
    const next = randomSequence(name.length);
    const bytes = bytesOf(name);
    expect(await outcome(() => graphOf(name, bytes), name)).toBe("converted");
    for (let i = 0; i < 20; i++) {
      const damaged = bytes.slice();
      const bit = Math.floor(next() * bytes.length * 8);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      await outcome(() => graphOf(name, damaged), `${name}, bit ${bit}`, { unroll: i % 2 });
    }
  });
});

describe("a damaged graph", () => {
  it.each([...SAVED_MODELS, ...FROZEN])("of %s with 40 seeded changes", async (name) => {
    const next = randomSequence(name.length + 1);
    const graph = await graphOf(name, bytesOf(name));
    const outcomes = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const damaged = damage(graph, next);
      const result = await outcome(() => damaged, `${name}, change ${i}`, {
        unroll: i % 3 === 0 ? 8 : 0,
        allowCustomOps: i % 5 === 0,
      });
      outcomes.add(result.replace(/:.*/s, ""));
    }
    expect([...outcomes]).toContain("converted");
    expect(outcomes.size).toBeGreaterThan(1);
  });
});

type Random = () => number;

function pick<T>(items: readonly T[], next: Random): T {
  return items[Math.floor(next() * items.length)]!;
}

/** Changes one node, of the graph or of one of its functions. */
function damage(graph: Graph, next: Random): Graph {
  if (graph.functions.size > 0 && next() < 0.5) {
    const name = pick([...graph.functions.keys()], next);
    const body = damage(graph.functions.get(name)!, next);
    return { ...graph, functions: new Map([...graph.functions, [name, body]]) };
  }
  const at = Math.floor(next() * graph.nodes.length);
  const node = graph.nodes[at];
  if (node === undefined) return graph;
  const changed =
    next() < 0.4 ? otherInputs(node, graph.nodes.slice(0, at), next) : otherAttr(node, next);
  return { ...graph, nodes: graph.nodes.with(at, changed) };
}

/** One input less, one more, or another one in its place. */
function otherInputs(node: GraphNode, before: readonly GraphNode[], next: Random): GraphNode {
  const sources = before.filter(({ outputCount }) => outputCount > 0);
  if (sources.length === 0 || node.inputs.length === 0) return node;
  const source = pick(sources, next);
  const ref = { node: source.name, output: Math.floor(next() * source.outputCount) };
  const place = Math.floor(next() * node.inputs.length);
  const forms = [node.inputs.slice(1), [...node.inputs, ref], node.inputs.with(place, ref)];
  return { ...node, inputs: pick(forms, next) };
}

function otherAttr(node: GraphNode, next: Random): GraphNode {
  if (node.attrs.size === 0) return node;
  const name = pick([...node.attrs.keys()], next);
  const attrs = new Map(node.attrs);
  const other = next() < 0.25 ? undefined : otherValue(attrs.get(name)!, next);
  if (other === undefined) attrs.delete(name);
  else attrs.set(name, other);
  return { ...node, attrs };
}

function otherValue(value: Attr, next: Random): Attr | undefined {
  switch (value.kind) {
    case "int":
      return attr.int(pick([-1, 0, 1, 7, 2 ** 31 - 1, 1e15], next));
    case "float":
      return attr.float(pick([Number.NaN, Number.POSITIVE_INFINITY, -1, 0], next));
    case "bool":
      return attr.bool(!value.value);
    case "string":
      return attr.string(pick(["", "SAME", "NCHW", "ii->i"], next));
    case "type":
      return attr.type(pick(["float32", "int64", "bool", "string", "variant", "complex64"], next));
    case "shape":
      return attr.shape(pick([undefined, [], [0], [-1, -1], [3, 0], [100_000, 100_000]], next));
    case "list":
      return {
        kind: "list",
        value: [...value.value, ...value.value.slice(0, 1)].slice(next() < 0.5 ? 1 : 0),
      };
    case "tensor": {
      const { data } = value.value;
      if (!(data instanceof Int32Array) || data.length === 0) return value;
      const extreme = pick([0, -1, 1_000_000, 2 ** 31 - 1], next);
      const changed = data.slice().fill(extreme, Math.floor(next() * data.length));
      return attr.tensor({ ...value.value, data: changed });
    }
    case "func":
      return { kind: "func", value: "missing" };
  }
}

describe("a graph that breaks the rules", () => {
  const float = { dtype: typeAttr(1) };
  const X: TestNode = {
    name: "x",
    op: "Placeholder",
    attr: {
      ...float,
      shape: message([7, message([2, message([1, 2])], [2, message([1, 3])])]),
    },
  };
  const typed = { T: typeAttr(1) };
  const oneFloat = new Uint8Array(Float32Array.of(1).buffer);
  /** Attributes of a constant of int32. */
  const int32s = (shape: readonly number[], values: readonly number[]) => ({
    dtype: typeAttr(3),
    value: message([
      8,
      message(
        [1, 3],
        [2, message(...shape.map((size): [number, Message] => [2, message([1, size])]))],
        [4, new Uint8Array(Int32Array.from(values).buffer)],
      ),
    ]),
  });

  it.each<[string, readonly TestNode[], RegExp]>([
    [
      "a cycle",
      [
        X,
        { name: "a", op: "AddV2", input: ["x", "y"], attr: typed },
        { name: "y", op: "Relu", input: ["a"], attr: typed },
      ],
      /GraphError: .*a cycle through a → y → a|GraphError: .*a cycle through y → a → y/,
    ],
    [
      "a call of a function that is not there",
      [
        X,
        {
          name: "y",
          op: "PartitionedCall",
          input: ["x"],
          attr: { f: funcAttr("gone"), Tin: message([1, message([6, 1])]) },
        },
      ],
      /GraphError: .*a call of function "gone"/,
    ],
    [
      "too few operands",
      [X, { name: "y", op: "AddV2", input: ["x"], attr: typed }],
      /GraphError: node "y" \(AddV2\): 1 operand, expected 2/,
    ],
    [
      "a variable without a value",
      [
        X,
        { name: "v", op: "VarHandleOp", attr: float },
        { name: "r", op: "ReadVariableOp", input: ["v"], attr: float },
        { name: "y", op: "AddV2", input: ["x", "r"], attr: typed },
      ],
      /GraphError: .*1 variables \("v" …\), whose values a GraphDef does not hold/,
    ],
    [
      "shapes that do not fit",
      [X, { name: "y", op: "MatMul", input: ["x", "x"], attr: typed }],
      /ShapeError: node y \(MatMul\): a product with rows of 3, expected 2/,
    ],
    [
      "a filter for other channels",
      [
        X,
        { name: "four", op: "Const", attr: int32s([4], [1, 1, 2, 3]) },
        { name: "image", op: "Reshape", input: ["x", "four"], attr: typed },
        { name: "sizes", op: "Const", attr: int32s([4], [1, 1, 2, 5]) },
        {
          name: "one",
          op: "Const",
          attr: {
            dtype: typeAttr(1),
            value: message([8, message([1, 1], [2, message()], [5, oneFloat])]),
          },
        },
        { name: "filter", op: "Fill", input: ["sizes", "one"], attr: typed },
        {
          name: "y",
          op: "Conv2D",
          input: ["image", "filter"],
          attr: {
            ...typed,
            strides: message([1, message([3, 1], [3, 1], [3, 1], [3, 1])]),
            padding: message([2, "VALID"]),
          },
        },
      ],
      /ShapeError: node y \(Conv2D\): 3 channels, of which groups of 2 leave 1, expected 0/,
    ],
    [
      "operations that nobody knows, all of them",
      [
        X,
        { name: "a", op: "FirstUnknown", input: ["x"] },
        { name: "b", op: "SecondUnknown", input: ["a"] },
        { name: "y", op: "Relu", input: ["b"], attr: typed },
      ],
      /UnsupportedError: .*2 operations .*FirstUnknown \(node a\); SecondUnknown \(node b\)/,
    ],
    [
      "a table that nothing fills",
      [
        X,
        {
          name: "t",
          op: "HashTableV2",
          attr: { key_dtype: typeAttr(7), value_dtype: typeAttr(9) },
        },
        { name: "k", op: "AsString", input: ["x"], attr: typed },
        {
          name: "d",
          op: "Const",
          attr: {
            dtype: typeAttr(9),
            value: message([8, message([1, 9], [2, message()], [10, 7])]),
          },
        },
        {
          name: "y",
          op: "LookupTableFindV2",
          input: ["t", "k", "d"],
          attr: { Tin: typeAttr(7), Tout: typeAttr(9) },
        },
      ],
      /UnsupportedError: .*HashTableV2 with contents that the model does not say \(node t\)/,
    ],
  ])("with %s says so", async (_, nodes, expected) => {
    const bytes = encodeFields(graphDef(nodes).fields);
    const made = () => importGraphDef(bytes, { inputs: ["x"], outputs: ["y"] }).graph;
    expect(await outcome(made, "broken")).toMatch(expected);
  });
});
