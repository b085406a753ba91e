/** Small graphs for tests of the conversion, written with the builder that the passes use. */
import type { DType } from "../../src/base/dtype.ts";
import type { Shape } from "../../src/base/shape.ts";
import { attr } from "../../src/convert/attributes.ts";
import { GraphBuilder } from "../../src/convert/graph-builder.ts";
import type { Attr, Graph, ValueRef } from "../../src/graph/ir.ts";
import type { Model } from "../../src/model/ir.ts";

/** Float constant with values that follow a fixed pattern, neither symmetric nor small. */
export function weights(build: GraphBuilder, name: string, shape: Shape): ValueRef {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Float32Array.from(
    { length: count },
    (_, i) => Math.sin(i * 1.7 + shape.length) + 0.1,
  );
  return build.constant(name, { dtype: "float32", shape, data });
}

export function floats(build: GraphBuilder, name: string, values: readonly number[]): ValueRef {
  return build.constant(name, {
    dtype: "float32",
    shape: [values.length],
    data: Float32Array.from(values),
  });
}

/** A graph of the inputs given by name and shape, and whatever `define` makes of them. */
export function graphOf(
  inputs: Readonly<Record<string, Shape>>,
  define: (build: GraphBuilder, values: readonly ValueRef[]) => readonly ValueRef[],
  dtype: DType = "float32",
): Graph {
  const build = new GraphBuilder();
  const values = Object.entries(inputs).map(([name, shape]) =>
    build.add(name, "Placeholder", [], { dtype: attr.type(dtype), shape: attr.shape(shape) }),
  );
  const outputs = define(build, values);
  return build.finish({
    signatureKey: "serving_default",
    inputs: values.map(({ node }) => ({
      key: node,
      tensorName: `serving_default_${node}:0`,
      node,
      dtype,
      signatureShape: build.shape({ node, output: 0 }),
    })),
    outputs: outputs.map((value, i) => ({
      key: `output_${i}`,
      tensorName: `StatefulPartitionedCall:${i}`,
      value,
    })),
  });
}

/** Attributes of a convolution or pool with stride 1. */
export function windowAttrs(
  padding: string,
  stride = 1,
  extra: Readonly<Record<string, Attr>> = {},
): Record<string, Attr> {
  return {
    strides: attr.ints([1, stride, stride, 1]),
    dilations: attr.ints([1, 1, 1, 1]),
    padding: attr.string(padding),
    data_format: attr.string("NHWC"),
    explicit_paddings: attr.ints([]),
    ...extra,
  };
}

/** Operator names of the main subgraph. */
export const operatorsOf = (model: Model): string[] =>
  (model.subgraphs[0]?.operators ?? []).map(({ op }) => op);
