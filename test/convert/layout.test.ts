import { describe, expect, it } from "vitest";
import type { TypedArray } from "../../src/base/dtype.ts";
import { attr } from "../../src/convert/attributes.ts";
import type { GraphBuilder } from "../../src/convert/graph-builder.ts";
import { convertGraph } from "../../src/convert/pipeline.ts";
import type { Graph, ValueRef } from "../../src/graph/ir.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { relativeError } from "../golden/golden-case.ts";
import { floats, graphOf, operatorsOf, weights } from "./small-graph.ts";

type Format = "NCHW" | "NHWC";

/** [batch, height, width, channels] in the order of the format. */
const ordered = (format: Format, [n, h, w, c]: readonly [number, number, number, number]) =>
  format === "NHWC" ? [n, h, w, c] : [n, c, h, w];

/** A small residual network: strided and explicitly padded convolutions, batch norm, pooling, a mean at the end. */
function network(format: Format): Graph {
  const layout = { data_format: attr.string(format) };
  const window = (stride: number) => ({
    strides: attr.ints(ordered(format, [1, stride, stride, 1])),
    dilations: attr.ints([1, 1, 1, 1]),
    ...layout,
  });
  const normalize = (build: GraphBuilder, x: ValueRef, name: string, c: number) => {
    const statistics = ["gamma", "beta", "mean"].map((each) =>
      weights(build, `${name}/${each}`, [c]),
    );
    const variance = floats(
      build,
      `${name}/variance`,
      Array.from({ length: c }, (_, i) => 1 + i),
    );
    const attrs = { epsilon: attr.float(1e-3), is_training: attr.bool(false), ...layout };
    return build.add(name, "FusedBatchNormV3", [x, ...statistics, variance], attrs, 6);
  };
  return graphOf({ x: ordered(format, [1, 9, 8, 3]) }, (build, [x]) => {
    const first = build.add("first", "Conv2D", [x!, weights(build, "k1", [3, 3, 3, 6])], {
      ...window(2),
      padding: attr.string("EXPLICIT"),
      explicit_paddings: attr.ints(ordered(format, [0, 1, 2, 0]).flatMap((pad) => [pad, pad])),
    });
    const normed = build.add("relu", "Relu6", [normalize(build, first, "norm", 6)]);
    const same = { ...window(1), padding: attr.string("SAME") };
    const inner = build.add(
      "inner",
      "DepthwiseConv2dNative",
      [normed, weights(build, "k2", [3, 3, 6, 1])],
      same,
    );
    const biased = build.add("biased", "BiasAdd", [inner, weights(build, "b", [6])], layout);
    const sum = build.add("sum", "AddV2", [biased, normed]);
    const pooled = build.add("pool", "MaxPool", [sum], {
      ...window(2),
      ksize: attr.ints(ordered(format, [1, 2, 2, 1])),
      padding: attr.string("VALID"),
    });
    const axes = build.ints(format === "NHWC" ? [1, 2] : [2, 3]);
    return [build.add("mean", "Mean", [pooled, axes], { keep_dims: attr.bool(false) })];
  });
}

async function run(graph: Graph, input: Float32Array): Promise<TypedArray> {
  const interpreter = await Interpreter.create(convertGraph(graph).model, { kernels: "reference" });
  interpreter.setTensor(0, input);
  await interpreter.invoke();
  return interpreter.getTensor(interpreter.getOutputDetails()[0]?.index ?? -1) as TypedArray;
}

describe("channels first", () => {
  it("computes the same as channels last, with one transpose at the input", async () => {
    const nhwc = Float32Array.from({ length: 9 * 8 * 3 }, (_, i) => Math.cos(i));
    const nchw = nhwc.map((_, i) => nhwc[(i % 72) * 3 + Math.floor(i / 72)] ?? 0);
    const expected = await run(network("NHWC"), nhwc);
    expect(relativeError(expected, await run(network("NCHW"), nchw))).toBeLessThan(1e-6);
    const transposes = (format: Format) =>
      operatorsOf(convertGraph(network(format)).model).filter((op) => op === "TRANSPOSE").length;
    expect(transposes("NHWC")).toBe(0);
    expect(transposes("NCHW")).toBe(1);
  });
});

describe("a transpose of the last two dimensions", () => {
  const plain = { adj_x: attr.bool(false), adj_y: attr.bool(false) };
  const transposed = (build: GraphBuilder, x: ValueRef, perm: readonly number[]) =>
    build.add(`${x.node}/transpose`, "Transpose", [x, build.ints(perm)]);

  it("is a flag of the product of two computed matrices", () => {
    const graph = graphOf({ a: [2, 4, 3], b: [2, 5, 4] }, (build, [a, b]) => [
      build.add(
        "y",
        "BatchMatMulV2",
        [transposed(build, a!, [0, 2, 1]), transposed(build, b!, [0, 2, 1])],
        plain,
      ),
    ]);
    const { model } = convertGraph(graph);
    expect(operatorsOf(model)).toEqual(["BATCH_MATMUL"]);
    expect(model.subgraphs[0]!.operators[0]!.options?.value).toMatchObject({
      adj_x: true,
      adj_y: true,
    });
  });

  it("stays before weights, and where it moves other dimensions", () => {
    const dense = graphOf({ a: [2, 4, 3] }, (build, [a]) => [
      build.add(
        "y",
        "BatchMatMulV2",
        [transposed(build, a!, [0, 2, 1]), weights(build, "w", [4, 5])],
        plain,
      ),
    ]);
    expect(operatorsOf(convertGraph(dense).model)).toEqual(["TRANSPOSE", "FULLY_CONNECTED"]);
    const moved = graphOf({ a: [4, 2, 3], b: [2, 3, 5] }, (build, [a, b]) => [
      build.add("y", "BatchMatMulV2", [transposed(build, a!, [1, 0, 2]), b!], plain),
    ]);
    expect(operatorsOf(convertGraph(moved).model)).toEqual(["TRANSPOSE", "BATCH_MATMUL"]);
  });
});
