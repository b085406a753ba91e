import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  funcAttr,
  functionDef,
  graphDef,
  savedModel,
  type TestNode,
  typeAttr,
} from "../../test/wire-writer.ts";
import { isOctavoError } from "../base/errors.ts";
import { funcAttr as functionOf, tensorAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode } from "../graph/ir.ts";
import { verifyGraph } from "../graph/verify.ts";
import { memoryTree } from "../io/memory.ts";
import { fileTree } from "../node/file-tree.ts";
import { importSavedModel, type SavedModelOptions } from "./saved-model.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/", import.meta.url));

async function importFixture(path: string, options: SavedModelOptions = {}) {
  const result = await importSavedModel(fileTree(`${fixtures}${path}`), options);
  verifyGraph(result.graph);
  return result;
}

function nodeOf(graph: Graph, op: string): GraphNode {
  const found = graph.nodes.filter((node) => node.op === op);
  expect(found).toHaveLength(1);
  return found[0]!;
}

function named(graph: Graph, name: string): GraphNode {
  const node = graph.nodes.find((each) => each.name === name);
  expect(node, name).toBeDefined();
  return node!;
}

/** The values that scripts/fixtures/make_import.py gives to weights. */
function counted(count: number, offset = 0): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (i + offset) / 8);
}

function importBytes(bytes: Uint8Array, options: SavedModelOptions = {}) {
  return importSavedModel(memoryTree(new Map([["saved_model.pb", bytes]]), "model"), options);
}

async function failure(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    if (isOctavoError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

describe("importSavedModel, a TensorFlow 2 model", () => {
  it("inlines functions, shared and nested, once for each call", async () => {
    const { graph } = await importFixture("import/functions");
    expect(graph.nodes.filter(({ op }) => op === "MatMul")).toHaveLength(2);
    expect(graph.nodes.some(({ op }) => op.includes("PartitionedCall"))).toBe(false);
    expect(tensorAttr(named(graph, "kernel"), "value")).toEqual({
      dtype: "float32",
      shape: [4, 4],
      data: counted(16),
    });
    expect(tensorAttr(named(graph, "bias"), "value").data).toEqual(counted(4, 16));
  });

  it("orders and names inputs and outputs as TensorFlow's converter does", async () => {
    const { graph } = await importFixture("import/functions");
    expect(graph.signatureKey).toBe("serving_default");
    expect(graph.inputs).toMatchObject([
      { key: "x", tensorName: "serving_default_x:0", dtype: "float32", signatureShape: [-1, 4] },
    ]);
    expect(graph.outputs.map(({ key, tensorName }) => [key, tensorName])).toEqual([
      ["branched", "StatefulPartitionedCall:0"],
      ["looped", "StatefulPartitionedCall:2"],
      ["first", "StatefulPartitionedCall:1"],
    ]);
  });

  it("builds the functions of loops and branches with the variables that they read inside", async () => {
    const { graph } = await importFixture("import/functions");
    const loop = nodeOf(graph, "While");
    // Of the operands only the counters and the value are left; the variable's handle went inside.
    expect(loop.inputs).toHaveLength(4);
    const body = graph.functions.get(functionOf(loop, "body"))!;
    expect(body.inputs).toHaveLength(4);
    expect(body.outputs).toHaveLength(4);
    expect(tensorAttr(named(body, "kernel"), "value").data).toEqual(counted(16));
    const branch = nodeOf(graph, "If");
    const thenBranch = graph.functions.get(functionOf(branch, "then_branch"))!;
    expect(tensorAttr(named(thenBranch, "gain"), "value").data).toEqual(Float32Array.of(2));
  });

  it("imports the signature that is asked for", async () => {
    const { graph, diagnostics } = await importFixture("import/functions", { signature: "other" });
    expect(graph.inputs.map(({ key, dtype }) => [key, dtype])).toEqual([
      ["b", "int32"],
      ["a", "int32"],
    ]);
    expect(graph.outputs.find(({ key }) => key === "parts")?.value.node).toContain("Identity");
    expect(nodeOf(graph, "Split").outputCount).toBe(3);
    expect(diagnostics).toEqual([]);
  });

  it("fills in attributes that the file leaves out", async () => {
    const { graph } = await importFixture("digits/saved_model");
    const conv = graph.nodes.find(({ op }) => op === "Conv2D")!;
    expect(conv.attrs.get("data_format")).toEqual({ kind: "string", value: "NHWC" });
    expect(conv.attrs.get("explicit_paddings")).toEqual({ kind: "list", value: [] });
  });

  it("keeps a variable that the model changes, with reads and writes in order", async () => {
    const { graph } = await importFixture("import/stateful");
    expect(tensorAttr(named(graph, "total"), "initial_value").data).toEqual(counted(4));
    const ops = graph.nodes
      .filter(({ inputs }) => inputs[0]?.node === "total")
      .map(({ name, op }) => [op, name.split("/").slice(2).join("/")]);
    expect(ops).toEqual([
      ["ReadVariableOp", "Identity/ReadVariableOp"],
      ["ReadVariableOp", "AssignAddVariableOp/read"],
      ["AssignVariableOp", "AssignAddVariableOp"],
      ["ReadVariableOp", "ReadVariableOp"],
    ]);
  });
});

describe("importSavedModel, a TensorFlow 1 model", () => {
  it("leaves the training graph out and cuts partitions from their whole", async () => {
    const { graph } = await importFixture("import/partitioned");
    expect(graph.inputs[0]).toMatchObject({ key: "images", tensorName: "x" });
    expect(graph.outputs[0]).toMatchObject({ key: "scores", tensorName: "y" });
    const parts = [0, 1, 2].map((i) => tensorAttr(named(graph, `net/parts/part_${i}`), "value"));
    expect(parts.map(({ shape }) => shape)).toEqual([
      [3, 5],
      [2, 5],
      [2, 5],
    ]);
    expect(parts.flatMap(({ data }) => [...data])).toEqual([...counted(35)]);
    expect(tensorAttr(named(graph, "net/offset"), "value").data).toEqual(counted(5, 35));
    expect(graph.nodes.length).toBeLessThan(20);
  });

  it("takes the only graph, or the one with exactly the tags", async () => {
    const tags = ["tpu", "serve"];
    expect((await importFixture("import/partitioned", { tags })).graph.outputs).toHaveLength(1);
    expect(await failure(importFixture("import/partitioned", { tags: ["serve"] }))).toMatch(
      /UsageError.*no graph with the tags "serve", expected "serve,tpu"/,
    );
  });
});

const X: TestNode = { name: "x", op: "Placeholder", attr: { dtype: typeAttr(1) } };
const call = (name: string, f: string, input: string): TestNode => ({
  name,
  op: "PartitionedCall",
  input: [input],
  attr: { f: funcAttr(f) },
});

describe("importSavedModel, input that is wrong", () => {
  it("says what is missing", async () => {
    const empty = memoryTree(new Map(), "folder");
    expect(await failure(importSavedModel(empty))).toBe(
      "IoError: folder/saved_model.pb: no such file, expected a SavedModel folder, which holds saved_model.pb. Check the path.",
    );
    const text = memoryTree(new Map([["saved_model.pbtxt", new Uint8Array(1)]]), "folder");
    expect(await failure(importSavedModel(text))).toContain("a SavedModel in text form");
  });

  it("lists the signatures there are", async () => {
    expect(await failure(importFixture("import/functions", { signature: "predict" }))).toMatch(
      /UsageError.*no signature "predict", expected "other" or "serving_default"/,
    );
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(0), /FormatError.*no graph in it/],
    ["a text file", new TextEncoder().encode("this is not a model\n"), /FormatError/],
    [
      "a missing function",
      savedModel(graphDef([X, call("y", "f", "x")])),
      /GraphError.*a call of function "f"/,
    ],
    [
      "a missing node",
      savedModel(graphDef([X, { name: "y", op: "Relu", input: ["z"] }])),
      /GraphError.*input "z"/,
    ],
    ["a missing output", savedModel(graphDef([X])), /GraphError.*input "y"/],
    [
      "a cycle",
      savedModel(
        graphDef([
          { name: "y", op: "AddV2", input: ["x", "z"] },
          { name: "z", op: "Relu", input: ["y"] },
          X,
        ]),
      ),
      /GraphError.*a cycle through/,
    ],
    [
      "a function that calls itself",
      savedModel(
        graphDef(
          [X, call("y", "f", "x")],
          [functionDef("f", ["a"], [call("c", "f", "a")], { r: "c:output:0" })],
        ),
      ),
      /GraphError.*calls nested more than 64 deep/,
    ],
    [
      "calls that pass each other's results",
      savedModel(
        graphDef(
          [X, call("y", "f", "z"), call("z", "f", "y")],
          [functionDef("f", ["a"], [], { r: "a" })],
        ),
      ),
      /GraphError.*only pass each other's results/,
    ],
    [
      "more values than a function takes",
      savedModel(
        graphDef([X, call("y", "f", "x")], [functionDef("f", ["a", "b"], [], { r: "a" })]),
      ),
      /GraphError.*1 values passed for 2 arguments/,
    ],
    [
      "an output argument that the operation does not have",
      savedModel(
        graphDef(
          [X, call("y", "f", "x")],
          [
            functionDef("f", ["a"], [{ name: "n", op: "Relu", input: ["a"] }], {
              r: "n:product:0",
            }),
          ],
        ),
      ),
      /GraphError.*output "product" used, expected "activations"/,
    ],
    ["two nodes of one name", savedModel(graphDef([X, X])), /GraphError.*two nodes named "x"/],
    [
      "a placeholder that is no input",
      savedModel(graphDef([X, { name: "y", op: "AddV2", input: ["x", "p"] }, { ...X, name: "p" }])),
      /GraphError.*node "p".*not among the inputs/,
    ],
    [
      "a variable without a checkpoint",
      savedModel(
        graphDef([
          X,
          { name: "v", op: "VarHandleOp" },
          { name: "r", op: "ReadVariableOp", input: ["v"] },
          { name: "y", op: "AddV2", input: ["x", "r"] },
        ]),
      ),
      /IoError.*variables.index: no such file, expected the values of 1 variables/,
    ],
  ])("refuses %s", async (_, bytes, message) => {
    expect(await failure(importBytes(bytes))).toMatch(message);
  });

  it("ends on functions that double with every level", async () => {
    const levels = 40;
    const doubling = Array.from({ length: levels }, (_, i) =>
      functionDef(
        `f${i}`,
        ["a"],
        [
          call("left", `f${i + 1}`, "a"),
          call("right", `f${i + 1}`, "left:output:0"),
          { name: "sum", op: "AddV2", input: ["left:output:0", "right:output:0"] },
        ],
        { r: "sum:z:0" },
      ),
    );
    const last = functionDef(`f${levels}`, ["a"], [{ name: "n", op: "Relu", input: ["a"] }], {
      r: "n:activations:0",
    });
    const bytes = savedModel(graphDef([X, call("y", "f0", "x")], [...doubling, last]));
    expect(await failure(importBytes(bytes))).toMatch(
      /LimitError.*functions that call functions without end/,
    );
  });

  it("is deaf to names that mean something to JavaScript", async () => {
    const nodes: TestNode[] = [
      X,
      {
        name: "__proto__",
        op: "Relu",
        input: ["x"],
        attr: { __proto__: typeAttr(1), T: typeAttr(1) },
      },
      { name: "y", op: "constructor", input: ["__proto__"] },
    ];
    const { graph } = await importBytes(savedModel(graphDef(nodes)));
    verifyGraph(graph);
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Placeholder", "Relu", "constructor"]);
  });
});
