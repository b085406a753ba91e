import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../../src/base/errors.ts";
import { attr } from "../../src/convert/attributes.ts";
import { convertGraph } from "../../src/convert/pipeline.ts";
import { parseNpy } from "../../src/formats/npy/npy.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { importSavedModel } from "../../src/import/saved-model.ts";
import { verifyModel } from "../../src/model/verify.ts";
import { fileTree } from "../../src/node/file-tree.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { relativeError } from "../golden/golden-case.ts";
import { floats, graphOf, operatorsOf, weights, windowAttrs } from "./small-graph.ts";

const fixture = new URL("../fixtures/digits/", import.meta.url);
const array = (name: string) =>
  parseNpy(new Uint8Array(readFileSync(new URL(name, fixture))), name);

describe("conversion of the embedded digits model", () => {
  it("computes TensorFlow's outputs within 1e-5, every pass leaving a valid graph", async () => {
    const inputs = array("sample_inputs.npy");
    const { graph } = await importSavedModel(fileTree(new URL("saved_model", fixture).pathname), {
      inputShapes: [{ shape: inputs.shape }],
    });
    const { model, report } = convertGraph(graph, { onGraph: (_, each) => verifyGraph(each) });
    verifyModel(model);
    const interpreter = await Interpreter.create(model, { kernels: "reference" });
    interpreter.setTensor(0, inputs.data);
    await interpreter.invoke();
    const [output] = interpreter.getOutputDetails();
    const actual = interpreter.getTensor(output?.index ?? -1);
    expect(relativeError(array("sample_outputs.npy").data, actual)).toBeLessThanOrEqual(1e-5);
    expect(report.result).not.toHaveProperty("MUL");
    expect(report.resultTotal).toBeLessThan(report.sourceTotal);
  });
});

describe("convertGraph", () => {
  it("folds convolution, bias, batch normalization and ReLU6 into one operator", () => {
    const graph = graphOf({ x: [1, 8, 8, 3] }, (build, [x]) => {
      const conv = build.add(
        "conv",
        "Conv2D",
        [x!, weights(build, "kernel", [3, 3, 3, 4])],
        windowAttrs("SAME"),
      );
      const biased = build.add("bias", "BiasAdd", [conv, weights(build, "b", [4])], {
        data_format: attr.string("NHWC"),
      });
      const statistics = ["gamma", "beta", "mean"].map((name) => weights(build, name, [4]));
      const variance = floats(build, "variance", [1, 2, 3, 4]);
      const norm = build.add(
        "norm",
        "FusedBatchNormV3",
        [biased, ...statistics, variance],
        {
          epsilon: attr.float(0.001),
          is_training: attr.bool(false),
          data_format: attr.string("NHWC"),
        },
        6,
      );
      return [build.add("relu", "Relu6", [norm])];
    });
    const { model } = convertGraph(graph);
    expect(operatorsOf(model)).toEqual(["CONV_2D"]);
    const [conv] = model.subgraphs[0]!.operators;
    expect(conv?.options?.value).toMatchObject({ fused_activation_function: "RELU6" });
    expect(model.subgraphs[0]?.tensors.map(({ name }) => name)).toContain("kernel");
  });

  it.each([
    ["back", [0, 1], "b"],
    ["back, but one of another partition", [0, 1], "a"],
    ["back, but one part twice", [0, 0], "b"],
  ] as const)("rows that were parted go %s", (title, parts, second) => {
    const graph = graphOf(
      { a: [6], b: [6] },
      (build, [a, b]) => {
        const rows = build.ints([0, 1, 2, 3, 4, 5]);
        const by = { a: a!, b: b! };
        const taken = [b!, by[second]].map((partitions, i) => {
          const attrs = { num_partitions: attr.int(2) };
          const inputs = [rows, partitions];
          const { node } = build.add(`part${i}`, "DynamicPartition", inputs, attrs, 2);
          return { node, output: parts[i]! };
        });
        return [build.add("y", "ParallelDynamicStitch", [...taken, ...taken], { N: attr.int(2) })];
      },
      "int32",
    );
    const attempt = () => operatorsOf(convertGraph(graph).model);
    if (title === "back") expect(attempt()).toContain("SCATTER_ND");
    else expect(attempt).toThrow(/ParallelDynamicStitch/);
  });

  it("lists every operation that has no lowering, with node names", () => {
    const graph = graphOf({ x: [1, 4] }, (build, [x]) => {
      const first = build.add("first", "DecodeSomething", [x!]);
      return [build.add("second", "EncodeSomething", [first])];
    });
    const attempt = () => convertGraph(graph);
    expect(attempt).toThrow(UnsupportedError);
    expect(attempt).toThrow(/DecodeSomething \(node first\); EncodeSomething \(node second\)/);
  });

  it("writes open dimensions as 1 with -1 in the shape signature", () => {
    const graph = graphOf({ x: [-1, 6] }, (build, [x]) => [
      build.add("product", "MatMul", [x!, weights(build, "w", [6, 5])], {
        transpose_a: attr.bool(false),
        transpose_b: attr.bool(false),
      }),
    ]);
    const { tensors, inputs, outputs } = convertGraph(graph).model.subgraphs[0]!;
    expect(tensors[inputs[0]!]).toMatchObject({ shape: [1, 6], shapeSignature: [-1, 6] });
    expect(tensors[outputs[0]!]).toMatchObject({ shape: [1, 5], shapeSignature: [-1, 5] });
  });

  it("keeps the signature's keys and TensorFlow's tensor names", () => {
    const { model } = convertGraph(
      graphOf({ a: [2], b: [2] }, (build, [a, b]) => [build.add("sum", "AddV2", [a!, b!])]),
    );
    const [signature] = model.signatures;
    expect(signature?.inputs.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(signature?.outputs.map(({ name }) => name)).toEqual(["output_0"]);
    const names = model.subgraphs[0]?.outputs.map(
      (index) => model.subgraphs[0]?.tensors[index]?.name,
    );
    expect(names).toEqual(["StatefulPartitionedCall:0"]);
  });

  it("computes in float32 what the graph computes in float64, and says so", () => {
    const graph = graphOf(
      { x: [3] },
      (build, [x]) => {
        const half = build.constant("half", {
          dtype: "float64",
          shape: [],
          data: Float64Array.of(0.3),
        });
        return [build.add("scaled", "Mul", [x!, half], { T: attr.type("float64") })];
      },
      "float64",
    );
    const { model, report } = convertGraph(graph);
    const dtypes = model.subgraphs[0]?.tensors.map(({ dtype }) => dtype);
    expect(dtypes).not.toContain("float64");
    expect(report.diagnostics.map(({ id }) => id)).toEqual(["float64-narrowed"]);
  });

  it("stores equal constants once", () => {
    const graph = graphOf({ x: [1, 512] }, (build, [x]) => {
      const [one, two] = ["w1", "w2"].map((name) => weights(build, name, [512, 512]));
      const flags = { transpose_a: attr.bool(false), transpose_b: attr.bool(false) };
      const first = build.add("first", "MatMul", [x!, one!], flags);
      return [build.add("second", "MatMul", [build.add("tanh", "Tanh", [first]), two!], flags)];
    });
    const large = convertGraph(graph).model.buffers.filter(({ byteLength }) => byteLength > 4096);
    expect(large).toHaveLength(1);
  });
});
