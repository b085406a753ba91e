import { describe, expect, it } from "vitest";
import { isOctavoError } from "../base/errors.ts";
import { tensorAttr } from "../graph/attrs.ts";
import { verifyGraph } from "../graph/verify.ts";
import { memoryTree } from "../io/memory.ts";
import { importTfjs } from "./tfjs.ts";

const base64 = (text: string): string => btoa(text);
const FLOAT = { type: "DT_FLOAT" };

function node(name: string, op: string, input: readonly string[], attr: object = {}): object {
  return { name, op, input, attr: { T: FLOAT, ...attr } };
}

const constant = (name: string): object => ({
  name,
  op: "Const",
  attr: { dtype: FLOAT, value: { tensor: {} } },
});
const X = {
  name: "x",
  op: "Placeholder",
  attr: { dtype: FLOAT, shape: { shape: { dim: [{ size: "-1" }, { size: "2" }] } } },
};

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: object;
}

function modelOf(
  nodes: readonly object[],
  weights: readonly Weight[],
  data: Uint8Array,
  extra: object = {},
  paths = ["w.bin"],
) {
  const json = {
    modelTopology: { node: nodes, versions: {} },
    weightsManifest: [{ paths, weights }],
    ...extra,
  };
  return new Map([
    ["model.json", new TextEncoder().encode(JSON.stringify(json))],
    ["w.bin", data],
  ]);
}

async function imported(files: ReadonlyMap<string, Uint8Array>) {
  const { graph } = await importTfjs(memoryTree(files, "web"));
  verifyGraph(graph);
  return graph;
}

async function failure(files: ReadonlyMap<string, Uint8Array>): Promise<string> {
  try {
    await imported(files);
  } catch (error) {
    if (isOctavoError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

const KERNEL: Weight = { name: "k", shape: [2, 2], dtype: "float32" };
const floats = (...values: number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer);

describe("importTfjs, graph models", () => {
  it("takes fused operations apart, in their order", async () => {
    const fused = node("y", "_FusedMatMul", ["x", "k", "b"], {
      fused_ops: { list: { s: [base64("BiasAdd"), base64("Relu6")] } },
      num_args: { i: "1" },
      transpose_a: { b: false },
    });
    const weights = [KERNEL, { name: "b", shape: [2], dtype: "float32" }];
    const graph = await imported(
      modelOf([X, constant("k"), constant("b"), fused], weights, floats(1, 2, 3, 4, 5, 6)),
    );
    expect(graph.nodes.map(({ name, op }) => `${name} ${op}`)).toEqual([
      "x Placeholder",
      "k Const",
      "y/MatMul MatMul",
      "b Const",
      "y/BiasAdd BiasAdd",
      "y Relu6",
    ]);
    expect(tensorAttr(graph.nodes[3]!, "value").data).toEqual(Float32Array.of(5, 6));
  });

  it("writes Prelu as the difference of two ReLUs", async () => {
    const nodes = [X, constant("a"), node("y", "Prelu", ["x", "a"])];
    const graph = await imported(
      modelOf(nodes, [{ name: "a", shape: [2], dtype: "float32" }], floats(1, 2)),
    );
    expect(graph.nodes.map(({ op }) => op).sort()).toEqual([
      "AddV2",
      "Const",
      "Mul",
      "Neg",
      "Neg",
      "Placeholder",
      "Relu",
      "Relu",
    ]);
  });

  it("restores quantized weights: value = q · scale + min, and half floats", async () => {
    const weights: Weight[] = [
      { ...KERNEL, quantization: { dtype: "uint8", scale: 0.5, min: -1 } },
      { name: "h", shape: [2], dtype: "float32", quantization: { dtype: "float16" } },
      {
        name: "i",
        shape: [1],
        dtype: "int32",
        quantization: { dtype: "uint16", scale: 1.4, min: 0 },
      },
    ];
    const data = Uint8Array.from([0, 1, 2, 255, 0x00, 0x3c, 0x00, 0xc0, 2, 0]);
    const nodes = [
      X,
      ...["k", "h", "i"].map(constant),
      node("m", "MatMul", ["x", "k"]),
      node("n", "AddV2", ["m", "h"]),
      node("y", "Mystery", ["n", "i"]),
    ];
    const graph = await imported(modelOf(nodes, weights, data));
    const dataOf = (name: string) =>
      tensorAttr(graph.nodes.find((each) => each.name === name)!, "value").data;
    expect(dataOf("k")).toEqual(Float32Array.of(-1, -0.5, 0, 126.5));
    expect(dataOf("h")).toEqual(Float32Array.of(1, -2));
    expect(dataOf("i")).toEqual(Int32Array.of(3));
  });

  it("takes inputs and outputs from the signature, wherever it stands", async () => {
    const nodes = [
      X,
      constant("k"),
      node("m", "MatMul", ["x", "k"]),
      node("y", "Relu", ["m"]),
      node("z", "Tanh", ["m"]),
    ];
    const signature = {
      inputs: { a: { name: "x:0" } },
      outputs: { p: { name: "z:0" }, q: { name: "y:0" } },
    };
    const graph = await imported(
      modelOf(nodes, [KERNEL], floats(1, 2, 3, 4), { userDefinedMetadata: { signature } }),
    );
    expect(graph.signatureKey).toBe("serving_default");
    expect(graph.inputs.map(({ key, tensorName }) => [key, tensorName])).toEqual([["a", "x"]]);
    expect(graph.outputs.map(({ key, tensorName }) => [key, tensorName])).toEqual([
      ["p", "z"],
      ["q", "y"],
    ]);
  });

  it("knows structured outputs by the names that they had", async () => {
    const nodes = [X, node("y", "Relu", ["x"]), node("z", "Tanh", ["x"])];
    const signature = {
      inputs: { x: { name: "x:0" } },
      outputs: { output_0: { name: "z:0" }, output_1: { name: "y:0" } },
    };
    const userDefinedMetadata = { structuredOutputKeys: ["tanh", "relu"] };
    const graph = await imported(modelOf(nodes, [], floats(), { signature, userDefinedMetadata }));
    expect(graph.outputs.map(({ key, tensorName }) => [key, tensorName])).toEqual([
      ["tanh", "z"],
      ["relu", "y"],
    ]);
  });

  it("without a signature takes placeholders and all nodes that nothing uses, and says so", async () => {
    const files = modelOf([X, node("y", "Relu", ["x"]), node("z", "Tanh", ["x"])], [], floats());
    const { graph, diagnostics } = await importTfjs(memoryTree(files));
    expect(graph.outputs.map(({ tensorName }) => tensorName)).toEqual(["y", "z"]);
    expect(diagnostics.map(({ id }) => id)).toEqual([
      "outputs-guessed",
      "inputs-guessed",
      "batch-fixed",
    ]);
  });

  it("takes the tensors that the caller names in place of the signature's", async () => {
    const nodes = [X, node("y", "Relu", ["x"]), node("z", "Tanh", ["y"])];
    const signature = { inputs: { a: { name: "x" } }, outputs: { b: { name: "z" } } };
    const files = modelOf(nodes, [], floats(), { signature });
    const { graph } = await importTfjs(memoryTree(files), { outputs: ["y"] });
    expect(graph.outputs.map(({ key }) => key)).toEqual(["y"]);
  });

  it("takes a fused batch normalization apart too", async () => {
    const names = ["scale", "offset", "mean", "variance"];
    const image = {
      ...X,
      attr: {
        ...X.attr,
        shape: { shape: { dim: [1, 2, 2, 1].map(String).map((size) => ({ size })) } },
      },
    };
    const fused = node("y", "_FusedConv2D", ["x", "k", ...names], {
      fused_ops: { list: { s: [base64("FusedBatchNorm"), base64("Relu")] } },
      epsilon: { f: 0.25 },
      strides: { list: { i: ["1", "1", "1", "1"] } },
      padding: { s: base64("SAME") },
    });
    const weights: Weight[] = [
      { name: "k", shape: [1, 1, 1, 1], dtype: "float32" },
      ...names.map((name) => ({ name, shape: [1], dtype: "float32" })),
    ];
    const graph = await imported(
      modelOf([image, ...["k", ...names].map(constant), fused], weights, floats(1, 2, 3, 4, 5)),
    );
    const norm = graph.nodes.find(({ op }) => op === "FusedBatchNormV3");
    expect(norm?.inputs.map((input) => input.node)).toEqual(["y/Conv2D", ...names]);
    expect(norm?.attrs.get("epsilon")).toEqual({ kind: "float", value: 0.25 });
    expect(norm?.attrs.get("is_training")).toEqual({ kind: "bool", value: false });
  });

  it("reads strings with their lengths, and leaves out what an optimizer remembers", async () => {
    const weights = [
      { name: "m", shape: [1], dtype: "float32", group: "optimizer" },
      { name: "s", shape: [2], dtype: "string" },
      { name: "k", shape: [1], dtype: "float32" },
    ];
    const data = Uint8Array.of(9, 9, 9, 9, 2, 0, 0, 0, 104, 105, 0, 0, 0, 0, 0, 0, 128, 63);
    const nodes = [X, constant("s"), constant("k"), node("y", "Mystery", ["x", "s", "k"])];
    const graph = await imported(modelOf(nodes, weights, data));
    const dataOf = (name: string) =>
      tensorAttr(graph.nodes.find((each) => each.name === name)!, "value").data;
    expect(dataOf("s")).toEqual([Uint8Array.of(104, 105), new Uint8Array(0)]);
    expect(dataOf("k")).toEqual(Float32Array.of(1));
    expect(
      await failure(modelOf([X, constant("m"), node("y", "Add", ["x", "m"])], weights, data)),
    ).toMatch(/constant "m" without data/);
  });
});

it("imports layers models by the names of their weights", async () => {
  const dense = {
    class_name: "Dense",
    config: { name: "d", units: 2, use_bias: false, batch_input_shape: [null, 2] },
  };
  const json = {
    modelTopology: {
      class_name: "Sequential",
      config: { name: "s", layers: [dense] },
      keras_version: "tfjs-layers 1.3.2",
    },
    weightsManifest: [{ paths: ["w.bin"], weights: [{ ...KERNEL, name: "d/kernel" }] }],
  };
  const graph = await imported(
    new Map([
      ["model.json", new TextEncoder().encode(JSON.stringify(json))],
      ["w.bin", floats(1, 2, 3, 4)],
    ]),
  );
  expect(graph.nodes.map(({ op }) => op)).toEqual(["Placeholder", "Const", "MatMul"]);
});

describe("importTfjs, models that are wrong", () => {
  const nodes = [X, constant("k"), node("y", "MatMul", ["x", "k"])];

  it.each([
    "../secret",
    "/etc/passwd",
    "a/../../b",
    "file:///x",
    "http://x/y",
    "a\\..\\b",
    "",
    "./w.bin",
  ])("refuses weights at %j", async (path) => {
    expect(await failure(modelOf(nodes, [KERNEL], floats(1, 2, 3, 4), {}, [path]))).toMatch(
      /FormatError.*expected a path inside the model's folder/,
    );
  });

  it.each<[string, ReadonlyMap<string, Uint8Array>, RegExp]>([
    ["no model", new Map(), /IoError.*web\/model.json: no such file/],
    [
      "a missing file of weights",
      modelOf(nodes, [KERNEL], floats(1), {}, ["v.bin"]),
      /IoError.*web\/v.bin: no such file/,
    ],
    [
      "weights that are cut short",
      modelOf(nodes, [KERNEL], floats(1, 2, 3)),
      /FormatError.*16 bytes, expected at most the 12/,
    ],
    [
      "a weight of absurd size",
      modelOf(nodes, [{ ...KERNEL, shape: [2 ** 40, 2 ** 40] }], floats(1)),
      /FormatError/,
    ],
    [
      "a negative size",
      modelOf(nodes, [{ ...KERNEL, shape: [-2, -2] }], floats(1)),
      /FormatError.*shape \[-2,-2\]/,
    ],
    [
      "a constant without data",
      modelOf(nodes, [], floats()),
      /FormatError.*constant "k" without data/,
    ],
    [
      "text",
      new Map([["model.json", new TextEncoder().encode("hello")]]),
      /FormatError.*expected JSON/,
    ],
    [
      "a fusion without its operands",
      modelOf([X, node("y", "_FusedMatMul", ["x"])], [], floats()),
      /FormatError.*node "y" \(_FusedMatMul\): 1 inputs/,
    ],
    [
      "weights quantized to floats",
      modelOf(nodes, [{ ...KERNEL, quantization: { dtype: "float32" } }], floats(1, 2, 3, 4)),
      /UnsupportedError.*quantized to float32/,
    ],
    [
      "quantized weights without a scale",
      modelOf(nodes, [{ ...KERNEL, quantization: { dtype: "uint8" } }], floats(1)),
      /FormatError.*scale undefined/,
    ],
    [
      "two weights of one name",
      modelOf(nodes, [KERNEL, KERNEL], floats(1, 2, 3, 4, 1, 2, 3, 4)),
      /FormatError.*weight "k".*second/,
    ],
    [
      "an attribute that is no integer",
      modelOf([X, node("y", "Relu", ["x"], { n: { i: "many" } })], [], floats()),
      /FormatError.*"many" as an integer/,
    ],
    [
      "a fusion that nobody knows",
      modelOf(
        [
          X,
          constant("k"),
          node("y", "_FusedMatMul", ["x", "k"], { fused_ops: { list: { s: [base64("Gelu")] } } }),
        ],
        [KERNEL],
        floats(1, 2, 3, 4),
      ),
      /UnsupportedError.*fused Gelu/,
    ],
  ])("refuses %s", async (_, files, message) => {
    expect(await failure(files)).toMatch(message);
  });
});
