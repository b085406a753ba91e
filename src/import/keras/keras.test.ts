import { readFileSync } from "node:fs";
import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../base/errors.ts";
import { importKeras } from "../keras.ts";
import { readModelSpec } from "./model-spec.ts";
import { snakeCase } from "./weights.ts";

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function archive(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return zipSync(members);
}

const INPUT = {
  class_name: "InputLayer",
  config: { name: "x", batch_shape: [null, 4] },
  name: "x",
  inbound_nodes: [],
};

function functional(layers: readonly object[], output = "y"): object {
  const config = {
    name: "m",
    layers: [INPUT, ...layers],
    input_layers: [["x", 0, 0]],
    output_layers: [[output, 0, 0]],
  };
  return { class_name: "Functional", config };
}

function kerasFile(model: object, weights: Uint8Array = new Uint8Array(0)): Uint8Array {
  return archive({
    "config.json": encode(model),
    "metadata.json": encode({ keras_version: "3.15.0" }),
    "model.weights.h5": weights,
  });
}

async function failure(bytes: Uint8Array): Promise<string> {
  try {
    await importKeras(bytes, { name: "model" });
  } catch (error) {
    if (isOctavoError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
}

describe("snakeCase", () => {
  it.each([
    ["Conv2D", "conv2d"],
    ["MaxPooling2D", "max_pooling2d"],
    ["DepthwiseConv2D", "depthwise_conv2d"],
    ["BatchNormalization", "batch_normalization"],
    ["ReLU", "re_lu"],
    ["PReLU", "p_re_lu"],
    ["LSTM", "lstm"],
    ["SimpleRNN", "simple_rnn"],
    ["InputLayer", "input_layer"],
    ["MultiHeadAttention", "multi_head_attention"],
  ])("turns %s into %s, as Keras names the groups of weights", (name, expected) => {
    expect(snakeCase(name)).toBe(expected);
  });
});

describe("readModelSpec", () => {
  it("reads the calls of Keras 2: tensors, lists, constants and keyword arguments", () => {
    const add = {
      class_name: "Add",
      name: "y",
      config: { name: "y" },
      inbound_nodes: [
        [
          ["x", 0, 0, {}],
          ["x", 0, 0, {}],
        ],
      ],
    };
    const op = {
      class_name: "TFOpLambda",
      name: "t",
      config: { name: "t", function: "tile" },
      inbound_nodes: [["_CONSTANT_VALUE", -1, [1, 2], { multiples: ["x", 0, 0] }]],
    };
    const { layers } = readModelSpec(functional([add, op]) as never, "model");
    const tensor = { kind: "tensor", id: { layer: "x", call: 0, tensor: 0 } };
    expect(layers[1]?.calls[0]?.args).toEqual([{ kind: "list", items: [tensor, tensor] }]);
    expect(layers[2]?.calls[0]?.args).toEqual([{ kind: "value", value: [1, 2] }]);
    expect(layers[2]?.calls[0]?.kwargs.get("multiples")).toEqual(tensor);
  });

  it("reads lists in lists of operands, tensors among sizes, and dictionaries of outputs", () => {
    const joined = {
      class_name: "TFOpLambda",
      name: "y",
      config: { name: "y", function: "concat" },
      inbound_nodes: [[["x", 0, 0, { axis: 0 }], [["_CONSTANT_VALUE", -1, 24, { axis: 0 }]]]],
    };
    const model = functional([joined]) as { config: object };
    const output_layers = { zeta: ["x", 0, 0], alpha: ["y", 0, 0] };
    const spec = readModelSpec(
      { ...model, config: { ...model.config, output_layers } } as never,
      "model",
    );
    const tensor = { kind: "tensor", id: { layer: "x", call: 0, tensor: 0 } };
    const items = [tensor, { kind: "list", items: [{ kind: "value", value: 24 }] }];
    expect(spec.layers[1]?.calls[0]?.args).toEqual([{ kind: "list", items }]);
    expect(spec.outputKeys).toEqual(["alpha", "zeta"]);
    expect(spec.outputs.map(({ layer }) => layer)).toEqual(["y", "x"]);
  });

  it("counts the call in which an inner model was built, which files leave out", () => {
    const inner = (calls: readonly unknown[]) => ({
      class_name: "Functional",
      name: "inner",
      config: { name: "inner" },
      inbound_nodes: calls,
    });
    const use = (call: number) => ({
      class_name: "ReLU",
      name: "y",
      config: { name: "y" },
      inbound_nodes: [[["inner", call, 0, {}]]],
    });
    const call = [["x", 0, 0, {}]];
    const callsOf = (layers: readonly object[]) =>
      readModelSpec(functional(layers) as never, "model").layers[1]?.calls.length;
    expect(callsOf([inner([call]), use(0)])).toBe(1);
    expect(callsOf([inner([call]), use(1)])).toBe(2);
    expect(callsOf([inner([call, call]), use(1)])).toBe(2);
  });

  it("puts an input in front of a Sequential model that has none", () => {
    const dense = { class_name: "Dense", config: { name: "d", batch_input_shape: [null, 8] } };
    const spec = readModelSpec({ class_name: "Sequential", config: [dense] } as never, "model");
    expect(spec.layers.map(({ className }) => className)).toEqual(["InputLayer", "Dense"]);
    expect(spec.outputs).toEqual([{ layer: "d", call: 0, tensor: 0 }]);
  });
});

describe("importKeras, files that are wrong", () => {
  const layer = (className: string, from: string, name: string, config: object = {}) => ({
    class_name: className,
    name,
    config: { name, ...config },
    inbound_nodes: [[[from, 0, 0, {}]]],
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(0), /FormatError.*neither HDF5 nor a zip archive/],
    ["a cut archive", kerasFile(functional([])).subarray(0, 200), /FormatError/],
    [
      "an archive of something else",
      archive({ "readme.txt": encode("hello") }),
      /FormatError.*no config.json in the archive/,
    ],
    [
      "text in place of the configuration",
      archive({ "config.json": new TextEncoder().encode("{") }),
      /FormatError.*expected JSON/,
    ],
    [
      "weights that are no HDF5 file",
      kerasFile(functional([layer("ReLU", "x", "y")]), encode("no")),
      /FormatError.*model.weights.h5/,
    ],
    [
      "an HDF5 file that is cut in the middle",
      new Uint8Array(
        readFileSync(new URL("../../../test/fixtures/import/vision.h5", import.meta.url)),
      ).subarray(0, 20_000),
      /FormatError: model, the file: truncated file/,
    ],
    [
      "an HDF5 file that is cut short",
      Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a),
      /FormatError/,
    ],
    [
      "LoRA weights beside their kernel",
      new Uint8Array(
        readFileSync(new URL("../../../test/fixtures/import/adapted.h5", import.meta.url)),
      ),
      /UnsupportedError.*layer "d".*LoRA weights beside the kernel.*Save the model as a \.keras file/,
    ],
    [
      "a subclassed model",
      archive({ "config.json": encode({ class_name: "MyModel", config: {} }) }),
      /UnsupportedError.*class MyModel.*model.export/,
    ],
  ])("refuses %s", async (_, bytes, message) => {
    expect(await failure(bytes)).toMatch(message);
  });

  it("refuses an archive member that unfolds to more than the limit, before it does", async () => {
    const bomb = archive({ "config.json": new Uint8Array(50 * 1024 * 1024) });
    expect(bomb.length).toBeLessThan(100_000);
    expect(await failure(bomb)).toMatch(/LimitError.*52428800 bytes in an archive/);
  });
});
