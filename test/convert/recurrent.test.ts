import { describe, expect, it } from "vitest";
import { attr } from "../../src/convert/attributes.ts";
import type { GraphBuilder } from "../../src/convert/graph-builder.ts";
import { NodeWriter } from "../../src/convert/node-writer.ts";
import { convertGraph } from "../../src/convert/pipeline.ts";
import type { Graph, ValueRef } from "../../src/graph/ir.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { relativeError } from "../golden/golden-case.ts";
import { graphOf, operatorsOf, weights } from "./small-graph.ts";

const STEPS = 5;
const DEPTH = 3;
const UNITS = 4;
const noTranspose = { transpose_a: attr.bool(false), transpose_b: attr.bool(false) };

/** A function of the loop: its arguments have the types of a loop with a counter, a list, two states and a sequence. */
function loopFunction(
  define: (build: GraphBuilder, args: readonly ValueRef[]) => ValueRef[],
): Graph {
  const float = { dtype: attr.type("float32"), shape: attr.shape(undefined) };
  const handle = { dtype: attr.type("variant"), shape: attr.shape([]) };
  const counter = { dtype: attr.type("int32"), shape: attr.shape([]) };
  const graph = graphOf({}, (build) => {
    const args = [counter, handle, float, float, handle].map((attrs, i) =>
      build.add(`a${i}`, "Placeholder", [], attrs),
    );
    return define(build, args);
  });
  const inputs = ["int32", "variant", "float32", "float32", "variant"].map((dtype, i) => ({
    key: `a${i}`,
    tensorName: `a${i}`,
    node: `a${i}`,
    dtype: dtype as "float32",
    signatureShape: undefined,
  }));
  const placeholders = inputs
    .filter(({ node }) => !graph.nodes.some(({ name }) => name === node))
    .map(({ node, dtype }) => ({
      name: node,
      op: "Placeholder",
      inputs: [],
      attrs: new Map(Object.entries({ dtype: attr.type(dtype), shape: attr.shape(undefined) })),
      outputCount: 1,
    }));
  return { ...graph, nodes: [...placeholders, ...graph.nodes], inputs };
}

/** One LSTM step as TensorFlow 1 writes it: gates i, j, f, o from [x, h]; `gate` is the recurrent activation. */
function body(gate: string): Graph {
  return loopFunction((build, [i, list, c, h, sequence]) => {
    const w = new NodeWriter(build, "cell");
    const elementType = { element_dtype: attr.type("float32") };
    const x = build.add(
      "x",
      "TensorListGetItem",
      [sequence!, i!, build.ints([1, DEPTH])],
      elementType,
    );
    const joined = build.add("joined", "ConcatV2", [x, h!, build.int(1)]);
    const product = build.add(
      "product",
      "MatMul",
      [joined, weights(build, "kernel", [DEPTH + UNITS, 4 * UNITS])],
      noTranspose,
    );
    const sums = w.add(product, weights(build, "bias", [4 * UNITS]));
    const split = build.add("split", "Split", [build.int(1), sums], { num_split: attr.int(4) }, 4);
    const part = (output: number): ValueRef => ({ node: split.node, output });
    const kept = w.mul(c!, w.unary(gate, w.add(part(2), 1)));
    const next = w.add(kept, w.mul(w.unary(gate, part(0)), w.unary("Tanh", part(1))));
    const out = w.mul(w.unary("Tanh", next), w.unary(gate, part(3)));
    const written = build.add("write", "TensorListSetItem", [list!, i!, out], elementType);
    return [w.add(i!, 1), written, next, out, sequence!];
  });
}

const cond = () =>
  loopFunction((build, [i]) => [build.add("less", "Less", [i!, build.int(STEPS)])]);

function network(gate: string): Graph {
  const graph = graphOf({ x: [1, STEPS, DEPTH] }, (build, [x]) => {
    build.functions.set("cond", cond());
    build.functions.set("body", body(gate));
    const w = new NodeWriter(build, "net");
    const elementType = { element_dtype: attr.type("float32") };
    const timeMajor = w.transpose(x!, [1, 0, 2]);
    const sequence = build.add(
      "sequence",
      "TensorListFromTensor",
      [timeMajor, build.ints([1, DEPTH])],
      elementType,
    );
    const list = build.add(
      "list",
      "TensorListReserve",
      [build.ints([-1, UNITS]), build.int(STEPS)],
      elementType,
    );
    const zeros = w.node("Fill", [build.ints([1, UNITS]), build.scalarOf(0, "float32")]);
    const loop = build.add(
      "while",
      "While",
      [build.int(0), list, zeros, zeros, sequence],
      {
        cond: attr.func("cond"),
        body: attr.func("body"),
        T: attr.types(["int32", "variant", "float32", "float32", "variant"]),
        output_shapes: attr.shapes([[], [], [1, UNITS], [1, UNITS], []]),
      },
      5,
    );
    const stacked = build.add(
      "stack",
      "TensorListStack",
      [{ node: loop.node, output: 1 }, build.ints([1, UNITS])],
      {
        ...elementType,
        num_elements: attr.int(STEPS),
      },
    );
    return [w.transpose(stacked, [1, 0, 2])];
  });
  return graph;
}

/** The same network in plain numbers. */
function expected(x: Float32Array, gate: (value: number) => number): Float32Array {
  const columns = 4 * UNITS;
  const pattern = (i: number, rank: number) => Math.fround(Math.sin(i * 1.7 + rank) + 0.1);
  const result = new Float32Array(STEPS * UNITS);
  let h = new Array<number>(UNITS).fill(0);
  let c = h;
  for (let t = 0; t < STEPS; t++) {
    const input = [...x.subarray(t * DEPTH, (t + 1) * DEPTH), ...h];
    const sums = Array.from({ length: columns }, (_, j) =>
      input.reduce((sum, value, row) => sum + value * pattern(row * columns + j, 2), pattern(j, 1)),
    );
    const at = (part: number, unit: number) => sums[part * UNITS + unit] ?? 0;
    c = c.map((value, u) => value * gate(at(2, u) + 1) + gate(at(0, u)) * Math.tanh(at(1, u)));
    h = c.map((value, u) => Math.tanh(value) * gate(at(3, u)));
    result.set(h, t * UNITS);
  }
  return result;
}

async function run(graph: Graph, x: Float32Array): Promise<Float32Array> {
  const interpreter = await Interpreter.create(convertGraph(graph).model, { kernels: "reference" });
  interpreter.setTensor(0, x);
  await interpreter.invoke();
  return interpreter.getTensor(interpreter.getOutputDetails()[0]?.index ?? -1) as Float32Array;
}

const input = Float32Array.from({ length: STEPS * DEPTH }, (_, i) => Math.cos(i * 0.9));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe("a loop that is an LSTM", () => {
  it("becomes one operator, without transposes, and says that it keeps its state", () => {
    const { model, report } = convertGraph(network("Sigmoid"));
    expect(operatorsOf(model)).toEqual(["UNIDIRECTIONAL_SEQUENCE_LSTM"]);
    expect(model.subgraphs).toHaveLength(1);
    expect(report.diagnostics.map(({ id }) => id)).toEqual(["recurrent-state"]);
  });

  it("computes what the loop computes", async () => {
    const actual = await run(network("Sigmoid"), input);
    expect(relativeError(expected(input, sigmoid), actual)).toBeLessThan(1e-6);
  });
});

describe("a loop that is almost an LSTM", () => {
  it("stays a loop, and computes the same", async () => {
    const graph = network("Relu6");
    expect(operatorsOf(convertGraph(graph).model)).toContain("WHILE");
    const clamp = (x: number) => Math.min(Math.max(x, 0), 6);
    expect(relativeError(expected(input, clamp), await run(graph, input))).toBeLessThan(1e-6);
  });
});
