import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  encodeFields,
  graphDef,
  message,
  type TestNode,
  typeAttr,
} from "../../test/wire-writer.ts";
import { funcAttr, typesAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode } from "../graph/ir.ts";
import { verifyGraph } from "../graph/verify.ts";
import { type GraphDefOptions, importGraphDef } from "./graph-def.ts";

const frames = new Uint8Array(
  readFileSync(new URL("../../test/fixtures/import/frames.pb", import.meta.url)),
);

function importNodes(nodes: readonly TestNode[], options: GraphDefOptions = {}) {
  const result = importGraphDef(encodeFields(graphDef(nodes).fields), options);
  verifyGraph(result.graph);
  return result;
}

function importFrames(...outputs: string[]): Graph {
  const { graph } = importGraphDef(frames, { inputs: ["x", "p"], outputs });
  verifyGraph(graph);
  return graph;
}

function only(graph: Graph, op: string): GraphNode {
  const found = graph.nodes.filter((node) => node.op === op);
  expect(found).toHaveLength(1);
  return found[0]!;
}

const opsOf = (graph: Graph): string[] => graph.nodes.map(({ op }) => op).sort();

describe("importGraphDef, loops and conditions of TensorFlow 1", () => {
  it("makes While of nested frames, the inner one inside the outer one's body", () => {
    const graph = importFrames("rows_out", "last_out");
    const loop = only(graph, "While");
    expect(typesAttr(loop, "T")).toEqual(["int32", "float32", "variant", "variant"]);
    const body = graph.functions.get(funcAttr(loop, "body"))!;
    const inner = only(body, "While");
    expect(typesAttr(inner, "T")).toEqual(["int32", "float32", "int32"]);
    expect([...graph.functions.keys()]).toHaveLength(2);
    expect([...body.functions.keys()]).toHaveLength(2);
    expect(body.outputs).toHaveLength(4);
    expect(
      opsOf(graph).filter((op) => /^(Enter|Exit|Merge|Switch|NextIteration|LoopCond)$/.test(op)),
    ).toEqual([]);
  });

  it("gives loops their constants inside", () => {
    const graph = importFrames("last_out");
    const body = graph.functions.get(funcAttr(only(graph, "While"), "body"))!;
    expect(body.nodes.find(({ name }) => name === "kernel")?.op).toBe("Const");
  });

  it("turns TensorArrays into lists", () => {
    const graph = importFrames("rows_out");
    expect(opsOf(graph)).toEqual(
      expect.arrayContaining(["TensorListFromTensor", "TensorListReserve", "TensorListStack"]),
    );
    const body = graph.functions.get(funcAttr(only(graph, "While"), "body"))!;
    expect(opsOf(body)).toEqual(expect.arrayContaining(["TensorListGetItem", "TensorListSetItem"]));
  });

  it("makes If of conditions, one inside the branch of another", () => {
    const graph = importFrames("cond_out");
    const outer = only(graph, "If");
    expect(graph.nodes.map(({ op }) => op).sort()).toEqual([
      "Identity",
      "Identity",
      "If",
      "Placeholder",
      "Placeholder",
    ]);
    const live = graph.functions.get(funcAttr(outer, "then_branch"))!;
    const inner = only(live, "If");
    const positive = live.functions.get(funcAttr(inner, "then_branch"))!;
    expect(opsOf(positive)).toEqual(["AddV2", "Const", "Placeholder"]);
    const other = graph.functions.get(funcAttr(outer, "else_branch"))!;
    expect(opsOf(other)).toEqual(["Const", "Mul", "Placeholder"]);
  });

  it("keeps only the live branch of a condition that is a constant", () => {
    expect(opsOf(importFrames("live_out"))).toEqual([
      "Abs",
      "Identity",
      "Placeholder",
      "Placeholder",
    ]);
  });
});

const FLOAT = { T: typeAttr(1) };
const X: TestNode = {
  name: "x",
  op: "Placeholder",
  attr: {
    dtype: typeAttr(1),
    shape: message([7, message([2, message([1, -1])], [2, message([1, 4])])]),
  },
};
const relu = (name: string, input: string): TestNode => ({
  name,
  op: "Relu",
  input: [input],
  attr: FLOAT,
});

describe("importGraphDef, inputs and outputs", () => {
  it("guesses them where there is one way, and says so", () => {
    const { graph, diagnostics } = importNodes([
      X,
      relu("y", "x"),
      { name: "n", op: "NoOp", input: ["^y"] },
      relu("z", "y"),
    ]);
    expect(graph.inputs).toMatchObject([{ key: "x", tensorName: "x", signatureShape: [-1, 4] }]);
    expect(graph.outputs).toMatchObject([{ key: "z", tensorName: "z" }]);
    expect(diagnostics.map(({ id }) => id)).toEqual([
      "outputs-guessed",
      "inputs-guessed",
      "batch-fixed",
    ]);
  });

  it("does not guess between several outputs, but lists them", () => {
    expect(() => importNodes([X, relu("y", "x"), relu("z", "x")])).toThrow(
      '2 nodes that could be the output, expected one of "y", "z". Name the outputs with --outputs.',
    );
  });

  it("cuts the graph at any tensor, further outputs included", () => {
    const nodes: TestNode[] = [
      X,
      { name: "s", op: "Split", input: ["d", "x"], attr: { ...FLOAT, num_split: message([3, 2]) } },
      { name: "d", op: "Const" },
      { name: "y", op: "AddV2", input: ["s", "s:1"], attr: FLOAT },
    ];
    const { graph } = importNodes(nodes, {
      inputs: ["s:1", "s"],
      outputs: ["y"],
      inputShapes: [{ shape: [1, 2] }, { name: "s", shape: [1, 2] }],
    });
    expect(graph.inputs.map(({ tensorName, node, dtype }) => [tensorName, node, dtype])).toEqual([
      ["s:1", "s_1", "float32"],
      ["s", "s", "float32"],
    ]);
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Placeholder", "Placeholder", "AddV2"]);
  });

  it.each<[string, readonly TestNode[], GraphDefOptions, RegExp]>([
    [
      "an input that is not there",
      [X, relu("y", "x")],
      { inputs: ["q"] },
      /no node "q".*Check --inputs/,
    ],
    [
      "an output that is not there",
      [X, relu("y", "x")],
      { outputs: ["q"] },
      /no node "q".*Check --outputs/,
    ],
    [
      "no input at all",
      [{ name: "c", op: "Const" }, relu("y", "c")],
      {},
      /no placeholder that the outputs need/,
    ],
    [
      "a variable",
      [X, { name: "v", op: "VariableV2" }, { name: "y", op: "AddV2", input: ["x", "v"] }],
      {},
      /expected a frozen graph/,
    ],
    ["no node", [], {}, /no node in it/],
  ])("refuses %s", (_, nodes, options, messagePattern) => {
    expect(() => importNodes(nodes, options)).toThrow(messagePattern);
  });
});
