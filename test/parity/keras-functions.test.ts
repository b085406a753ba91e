/** TensorFlow's functions in models of Keras 2, in the form in which its files have them, against the formulas. */
import { File, ready } from "h5wasm";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { importKeras } from "../../src/import/keras.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a node takes: the input "x", or the constant 2; and keyword arguments. */
const call = (kwargs: Json, first: Json = ["x", 0, 0]) => [[...(first as Json[]), kwargs]];
const two: Json = ["_CONSTANT_VALUE", -1, 2];

function lambda(name: string, inbound: Json, className = "TFOpLambda"): Json {
  const config = { name: "y", trainable: true, dtype: "float32", function: name };
  return { class_name: className, name: "y", config, inbound_nodes: inbound };
}

/** A legacy file with an input x and one layer. */
async function kerasFile(layer: Json, shape: Json = [1, 2, 3]): Promise<Uint8Array> {
  const { FS } = await ready;
  const input = { name: "x", batch_input_shape: shape, dtype: "float32" };
  const config = {
    name: "m",
    layers: [{ class_name: "InputLayer", name: "x", config: input, inbound_nodes: [] }, layer],
    input_layers: [["x", 0, 0]],
    output_layers: [["y", 0, 0]],
  };
  const file = new File("functions.h5", "w");
  file.create_attribute("model_config", JSON.stringify({ class_name: "Functional", config }));
  file.create_attribute("keras_version", "2.15.0");
  file.create_group("model_weights");
  file.flush();
  file.close();
  const bytes = FS.readFile("functions.h5").slice();
  FS.unlink("functions.h5");
  return bytes;
}

function nodeLayer(op: string, attr: Json, constants: Json = {}): Json {
  const config = { name: "y", node_def: { name: "y", op, attr }, constants };
  return { class_name: "TensorFlowOpLayer", name: "y", config, inbound_nodes: call({}) };
}

const X = [-1.5, 0.25, 2, 3, -0.5, 1];

async function run(layer: Json): Promise<{ shape: readonly number[]; values: number[] }> {
  const { graph } = await importKeras(await kerasFile(layer));
  const interpreter = await Interpreter.create(convertGraph(graph).model);
  interpreter.setTensor(0, Float32Array.from(X));
  await interpreter.invoke();
  const [output] = interpreter.getOutputDetails();
  const values = [...(interpreter.getTensor(output!.index) as Float32Array)];
  interpreter.dispose();
  return { shape: output!.shape, values };
}

const each = (formula: (x: number, column: number) => number) => X.map((x, i) => formula(x, i % 3));
const same = [1, 2, 3];

describe("functions of TensorFlow as layers", () => {
  it.each<[string, Json, readonly number[], readonly number[]]>([
    ["math.multiply", call({ y: 2, name: null }), same, each((x) => 2 * x)],
    ["math.subtract", call({ y: ["x", 0, 0], name: null }, two), same, each((x) => 2 - x)],
    [
      "math.truediv",
      call({ y: [0.5, 0.25, 4], name: null }),
      same,
      each((x, column) => x / [0.5, 0.25, 4][column]!),
    ],
    ["__operators__.add", call({ y: 1 }), same, each((x) => x + 1)],
    ["nn.relu", call({ name: null }), same, each((x) => Math.max(x, 0))],
    ["nn.leaky_relu", call({ alpha: 0.5 }), same, each((x) => (x < 0 ? x / 2 : x))],
    ["math.square", call({}), same, each((x) => x * x)],
    [
      "clip_by_value",
      call({ clip_value_min: -1, clip_value_max: 1.5 }),
      same,
      each((x) => Math.min(Math.max(x, -1), 1.5)),
    ],
    ["math.reduce_sum", call({ axis: [1], keepdims: false }), [1, 3], [1.5, -0.25, 3]],
    ["math.reduce_max", call({ axis: [-1], keepdims: true }), [1, 2, 1], [2, 3]],
    ["reshape", call({ shape: [-1, 3, 2] }), [1, 3, 2], X],
    ["transpose", call({ perm: [0, 2, 1] }), [1, 3, 2], [-1.5, 3, 0.25, -0.5, 2, 1]],
    ["expand_dims", call({ axis: 1 }), [1, 1, 2, 3], X],
    ["squeeze", call({ axis: [0] }), [2, 3], X],
    ["math.cumsum", call({ axis: 1, exclusive: true }), same, [0, 0, 0, -1.5, 0.25, 2]],
    ["math.cumsum", call({}), same, X],
    ["compat.v1.math.negative", call({}), same, each((x) => -x)],
  ])("%s", async (name, inbound, shape, values) => {
    const found = await run(lambda(name, inbound));
    expect(found.shape).toEqual(shape);
    for (const [i, value] of values.entries()) expect(found.values[i]).toBeCloseTo(value, 5);
  });

  it.each<[string, Json, readonly number[], readonly number[]]>([
    ["all sizes of 1 leave without a list", nodeLayer("Squeeze", {}), [2, 3], X],
    [
      "all sizes of 1 leave by an empty list",
      nodeLayer("Squeeze", { squeeze_dims: { list: {} } }),
      [2, 3],
      X,
    ],
    [
      "sums from the end",
      nodeLayer("Cumsum", { reverse: { b: true } }, { 1: 2 }),
      same,
      [0.75, 2.25, 2, 3.5, 0.5, 1],
    ],
    [
      "a bias of the second dimension",
      nodeLayer("BiasAdd", { data_format: { s: btoa("NCHW") } }, { 1: [10, 20] }),
      same,
      X.map((x, i) => x + (i < 3 ? 10 : 20)),
    ],
  ])("nodes: %s", async (_, layer, shape, values) => {
    expect(await run(layer)).toEqual({ shape, values });
  });

  it.each<[string, Json, RegExp]>([
    [
      "a method of resizing that there is not",
      lambda("image.resize", call({ size: [2, 2], method: "constructor" })),
      /resize by constructor/,
    ],
    [
      "blocks of pixels behind the channels",
      nodeLayer("SpaceToDepth", { data_format: { s: btoa("NCHW") }, block_size: { i: "2" } }),
      /SpaceToDepth of NCHW/,
    ],
    [
      "classes of int64",
      lambda("one_hot", call({ depth: 3, dtype: "int64" })),
      /encoding as int64/,
    ],
  ])("are refused with %s", async (_, layer, message) => {
    const file = await kerasFile(layer, [1, 4, 4, 3]);
    await expect(importKeras(file)).rejects.toThrow(message);
  });

  it("joins and stacks lists of tensors", async () => {
    const both = (kwargs: Json) => [
      [
        ["x", 0, 0, kwargs],
        ["x", 0, 0, kwargs],
      ],
    ];
    const joined = await run(lambda("concat", both({ axis: 1 })));
    expect(joined).toEqual({ shape: [1, 4, 3], values: [...X, ...X] });
    const stacked = await run(lambda("stack", both({ axis: 0 })));
    expect(stacked).toEqual({ shape: [2, 1, 2, 3], values: [...X, ...X] });
  });

  it("cuts by numbers and ranges", async () => {
    const all = { start: null, stop: null, step: null };
    const spec = [all, -1, { start: 2, stop: null, step: -1 }];
    const found = await run(
      lambda("__operators__.getitem", call({ slice_spec: spec }), "SlicingOpLambda"),
    );
    expect(found).toEqual({ shape: [1, 3], values: [1, -0.5, 3] });
  });

  it("are named where there is no translation", async () => {
    const file = await kerasFile(lambda("image.rot90", call({})));
    const failure = importKeras(file, { name: "model" });
    await expect(failure).rejects.toThrow(
      /^model: layers that have no translation: TFOpLambda of tf\.image\.rot90 \("y"\)/,
    );
    await expect(failure).rejects.toSatisfy((error) => isOctavoError(error, "UnsupportedError"));
  });

  it("are refused where an attribute of a node is no base64", async () => {
    const layer = nodeLayer("MaxPool", { padding: { s: "*" } });
    await expect(importKeras(await kerasFile(layer))).rejects.toThrow(/expected base64/);
  });

  it("are refused where a size is no whole number", async () => {
    const file = await kerasFile(lambda("reshape", call({ shape: [["x", 0, 0], -1] })));
    await expect(importKeras(file)).rejects.toThrow(
      /shape of float32 with 3 dimensions, expected whole numbers/,
    );
  });
});
