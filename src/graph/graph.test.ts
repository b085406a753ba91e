import { describe, expect, it } from "vitest";
import { isOctavoError } from "../base/errors.ts";
import { boolAttr, findAttr, intAttr, intsAttr } from "./attrs.ts";
import type { Attr, Graph, GraphNode } from "./ir.ts";
import { opDefinition } from "./op-table.ts";
import { topologicalOrder } from "./order.ts";
import { outputType } from "./output-types.ts";
import { printGraph } from "./print.ts";
import { verifyGraph } from "./verify.ts";

function node(
  name: string,
  op: string,
  inputs: string[] = [],
  attrs: Record<string, Attr> = {},
): GraphNode {
  return {
    name,
    op,
    inputs: inputs.map((input) => ({ node: input, output: 0 })),
    attrs: new Map(Object.entries(attrs)),
    outputCount: 1,
  };
}

const FLOAT: Attr = { kind: "type", value: "float32" };

function graphOf(nodes: readonly GraphNode[], output: string): Graph {
  return {
    inputs: [{ key: "x", tensorName: "x", node: "x", dtype: "float32", signatureShape: [-1, 2] }],
    outputs: [{ key: "y", tensorName: "y", value: { node: output, output: 0 } }],
    nodes,
    functions: new Map(),
  };
}

const SMALL = graphOf(
  [
    node("x", "Placeholder", [], { dtype: FLOAT, shape: { kind: "shape", value: [1, 2] } }),
    node("c", "Const", [], {
      dtype: FLOAT,
      value: {
        kind: "tensor",
        value: { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) },
      },
    }),
    node("y", "AddV2", ["x", "c"], { T: FLOAT }),
  ],
  "y",
);

describe("opDefinition", () => {
  it("knows the defaults that TensorFlow strips", () => {
    const conv = opDefinition("Conv2D")!;
    expect(conv.inputs.map(({ name }) => name)).toEqual(["input", "filter"]);
    expect(conv.defaults.get("data_format")).toEqual({ kind: "string", value: "NHWC" });
    expect(conv.defaults.get("dilations")).toMatchObject({
      kind: "list",
      value: [{ value: 1 }, {}, {}, {}],
    });
    expect(conv.defaults.has("padding")).toBe(false);
    expect(opDefinition("FusedBatchNormV3")?.defaults.get("is_training")).toEqual({
      kind: "bool",
      value: true,
    });
    expect(opDefinition("Placeholder")?.defaults.get("shape")).toEqual({
      kind: "shape",
      value: undefined,
    });
  });

  it("knows arguments that stand for several tensors", () => {
    expect(opDefinition("Pack")?.inputs).toEqual([{ name: "values", type: "T", countAttr: "N" }]);
    expect(opDefinition("While")?.outputs).toEqual([{ name: "output", listAttr: "T" }]);
  });

  it("finds the first and the last row, and nothing else", () => {
    expect(opDefinition("Abs")?.name).toBe("Abs");
    expect(opDefinition("ZerosLike")?.name).toBe("ZerosLike");
    expect(opDefinition("")).toBeUndefined();
    expect(opDefinition("NoSuchOperation")).toBeUndefined();
    expect(opDefinition("zzz")).toBeUndefined();
  });
});

describe("outputType", () => {
  it("follows the signature: fixed types, attributes, lists of types", () => {
    expect(outputType(node("a", "Less", [], { T: FLOAT }), 0)).toBe("bool");
    expect(
      outputType(node("a", "Cast", [], { SrcT: FLOAT, DstT: { kind: "type", value: "int8" } }), 0),
    ).toBe("int8");
    const types: Attr = { kind: "list", value: [FLOAT, { kind: "type", value: "variant" }] };
    expect(outputType(node("w", "While", [], { T: types }), 1)).toBe("variant");
    expect(outputType(node("w", "While", [], { T: types }), 2)).toBeUndefined();
    expect(outputType(node("a", "NoSuchOperation"), 0)).toBeUndefined();
  });
});

describe("attribute readers", () => {
  const pad = node("p", "Op", [], {
    axis: { kind: "int", value: -1 },
    sizes: {
      kind: "list",
      value: [
        { kind: "int", value: 1 },
        { kind: "int", value: 2 },
      ],
    },
  });

  it("return the value of the kind that is asked for", () => {
    expect(intAttr(pad, "axis")).toBe(-1);
    expect(intsAttr(pad, "sizes")).toEqual([1, 2]);
    expect(findAttr(pad, "axis", "bool")).toBeUndefined();
  });

  it("name node and attribute when it is missing or of another kind", () => {
    expect(() => boolAttr(pad, "keep")).toThrow(
      'node "p" (Op), attribute "keep": nothing, expected bool.',
    );
    expect(() => boolAttr(pad, "axis")).toThrow(
      'node "p" (Op), attribute "axis": int, expected bool.',
    );
  });
});

describe("topologicalOrder", () => {
  it("puts nodes after their inputs and leaves the rest in order", () => {
    const nodes = [
      node("d", "Op", ["b"]),
      node("a", "Op"),
      node("c", "Op", ["a"]),
      node("b", "Op", ["c"]),
    ];
    expect(topologicalOrder(nodes).map(({ name }) => name)).toEqual(["a", "c", "b", "d"]);
  });

  it("obeys what else must come before", () => {
    const nodes = [node("read", "Op"), node("write", "Op")];
    const after = new Map([["read", ["write"]]]);
    expect(topologicalOrder(nodes, after).map(({ name }) => name)).toEqual(["write", "read"]);
  });

  it("names the nodes of a cycle", () => {
    const nodes = [node("a", "Op", ["c"]), node("b", "Op", ["a"]), node("c", "Op", ["b"])];
    expect(() => topologicalOrder(nodes)).toThrow("a cycle through a → c → b → a");
  });

  it("sorts a chain deeper than the call stack", () => {
    const depth = 30_000;
    const nodes = Array.from({ length: depth }, (_, i) =>
      node(`n${i}`, "Op", i + 1 < depth ? [`n${i + 1}`] : []),
    );
    expect(topologicalOrder(nodes)[0]?.name).toBe(`n${depth - 1}`);
  });
});

describe("verifyGraph", () => {
  const [x, c, y] = SMALL.nodes as [GraphNode, GraphNode, GraphNode];

  it("accepts a graph that keeps the rules", () => {
    expect(() => verifyGraph(SMALL)).not.toThrow();
  });

  it.each<[string, Graph]>([
    ["a node before its input", graphOf([x, y, c], "y")],
    ["two nodes of one name", graphOf([x, c, c, y], "y")],
    ["an output that is not there", graphOf([x, c, y], "z")],
    ["an input that is no Placeholder", graphOf([{ ...x, op: "Identity" }, c, y], "y")],
    ["a use of output 1 of 1", graphOf([x, c, { ...y, inputs: [{ node: "c", output: 1 }] }], "y")],
    [
      "a function that is not there",
      graphOf([x, c, { ...y, attrs: new Map([["f", { kind: "func", value: "g" }]]) }], "y"),
    ],
    [
      "a constant with too little data",
      graphOf(
        [
          x,
          node("c", "Const", [], {
            value: {
              kind: "tensor",
              value: { dtype: "float32", shape: [3], data: Float32Array.of(1) },
            },
          }),
          y,
        ],
        "y",
      ),
    ],
  ])("refuses %s", (_, graph) => {
    let error: unknown;
    try {
      verifyGraph(graph);
    } catch (caught) {
      error = caught;
    }
    expect(isOctavoError(error, "GraphError")).toBe(true);
  });
});

it("prints a graph one node a line", () => {
  expect(printGraph(SMALL).split("\n")).toEqual([
    "input x = x float32[?, 2]",
    "x = Placeholder() {dtype=float32, shape=[1, 2]}",
    "c = Const() {dtype=float32, value=float32[2](1 2)}",
    "y = AddV2(x, c) {T=float32}",
    "output y = y",
  ]);
});
