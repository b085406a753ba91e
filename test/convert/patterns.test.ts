import { describe, expect, it } from "vitest";
import { attr } from "../../src/convert/attributes.ts";
import { NodeWriter } from "../../src/convert/node-writer.ts";
import { convertGraph } from "../../src/convert/pipeline.ts";
import type { ValueRef } from "../../src/graph/ir.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { relativeError } from "../golden/golden-case.ts";
import { graphOf, operatorsOf, weights } from "./small-graph.ts";

type Write = (x: ValueRef, w: NodeWriter) => ValueRef;

const relu6 = (x: ValueRef, w: NodeWriter) => w.unary("Relu6", w.add(x, 3));
const norm = (x: ValueRef, w: NodeWriter) => w.reduce("Sum", w.unary("Square", x), [-1], true);
const cube = (x: ValueRef, w: NodeWriter) => w.mul(w.mul(x, x), x);
const exponential = (x: ValueRef, w: NodeWriter) => w.unary("Exp", x);
const slope = (w: NodeWriter) => weights(w.build, "slope", [4]);

/** Functions written out, and the one operator that stands for each. */
const PATTERNS: readonly (readonly [string, string, Write])[] = [
  ["max(x, 0)", "RELU", (x, w) => w.binary("Maximum", x, 0)],
  ["min(relu(x), 6)", "RELU6", (x, w) => w.binary("Minimum", w.unary("Relu", x), 6)],
  ["max(min(x, 6), 0)", "RELU6", (x, w) => w.binary("Maximum", w.binary("Minimum", x, 6), 0)],
  [
    "min(max(x, −1), 1)",
    "RELU_N1_TO_1",
    (x, w) => w.binary("Minimum", w.binary("Maximum", x, -1), 1),
  ],
  ["max(min(x, 1), 0)", "RELU_0_TO_1", (x, w) => w.binary("Maximum", w.binary("Minimum", x, 1), 0)],
  ["max(0.2·x, x)", "LEAKY_RELU", (x, w) => w.binary("Maximum", w.mul(x, 0.2), x)],
  [
    "x > 0 ? x : 0.2·x",
    "LEAKY_RELU",
    (x, w) => w.select(w.binary("Greater", x, 0), x, w.mul(x, 0.2)),
  ],
  [
    "relu(x) − α·relu(−x)",
    "PRELU",
    (x, w) => w.sub(w.unary("Relu", x), w.mul(slope(w), w.unary("Relu", w.unary("Neg", x)))),
  ],
  [
    "relu(x) + α·min(x, 0)",
    "PRELU",
    (x, w) => w.add(w.unary("Relu", x), w.mul(slope(w), w.binary("Minimum", x, 0))),
  ],
  [
    "relu(x) + α·(x − |x|)·½",
    "PRELU",
    (x, w) => w.add(w.unary("Relu", x), w.mul(w.mul(slope(w), w.sub(x, w.unary("Abs", x))), 0.5)),
  ],
  [
    "x > 0 ? x : exp(x) − 1",
    "ELU",
    (x, w) => w.select(w.binary("Greater", x, 0), x, w.sub(exponential(x, w), 1)),
  ],
  [
    "1 / (1 + exp(−x))",
    "LOGISTIC",
    (x, w) => w.div(1, w.add(exponential(w.unary("Neg", x), w), 1)),
  ],
  [
    "exp(x) / Σ exp(x)",
    "SOFTMAX",
    (x, w) => w.div(exponential(x, w), w.reduce("Sum", exponential(x, w), [-1], true)),
  ],
  ["(x·relu6(x + 3))·⅙", "HARD_SWISH", (x, w) => w.mul(w.mul(x, relu6(x, w)), 1 / 6)],
  ["x·(relu6(x + 3) / 6)", "HARD_SWISH", (x, w) => w.mul(x, w.div(relu6(x, w), 6))],
  [
    "½·x·(1 + erf(x/√2))",
    "GELU",
    (x, w) => w.mul(w.mul(x, 0.5), w.add(w.unary("Erf", w.div(x, Math.SQRT2)), 1)),
  ],
  [
    "½·x·erfc(−x/√2)",
    "GELU",
    (x, w) => w.mul(w.mul(x, 0.5), w.unary("Erfc", w.mul(w.unary("Neg", x), Math.SQRT1_2))),
  ],
  [
    "GELU by tanh",
    "GELU",
    (x, w) =>
      w.mul(
        w.mul(x, 0.5),
        w.add(w.unary("Tanh", w.mul(w.add(x, w.mul(cube(x, w), 0.044715)), 0.7978845608)), 1),
      ),
  ],
  [
    "x·rsqrt(max(Σ x², ε))",
    "L2_NORMALIZATION",
    (x, w) => w.mul(x, w.unary("Rsqrt", w.binary("Maximum", norm(x, w), 1e-12))),
  ],
  [
    "(a − b)²",
    "SQUARED_DIFFERENCE",
    (x, w) => w.unary("Square", w.sub(x, weights(w.build, "b", [4]))),
  ],
];

/** Pairs that look alike but are other functions: they must stay as they are. */
const LOOKALIKES: readonly (readonly [string, string, Write])[] = [
  ["x·relu6(x + 3)·0.2", "HARD_SWISH", (x, w) => w.mul(w.mul(x, relu6(x, w)), 0.2)],
  ["max(2·x, x)", "LEAKY_RELU", (x, w) => w.binary("Maximum", w.mul(x, 2), x)],
  [
    "x·rsqrt(max(Σ x², 0.01))",
    "L2_NORMALIZATION",
    (x, w) => w.mul(x, w.unary("Rsqrt", w.binary("Maximum", norm(x, w), 0.01))),
  ],
  [
    "1 / (2 + exp(−x))",
    "LOGISTIC",
    (x, w) => w.div(1, w.add(exponential(w.unary("Neg", x), w), 2)),
  ],
];

const convert = (write: Write) =>
  convertGraph(graphOf({ x: [2, 4] }, (build, [x]) => [write(x!, new NodeWriter(build, "f"))]));

describe("functions written out", () => {
  it.each(PATTERNS)("%s is one %s", (_, operator, write) => {
    expect(operatorsOf(convert(write).model)).toEqual([operator]);
  });

  it.each<[string, string, (y: ValueRef, w: NodeWriter) => ValueRef]>([
    ["(y·relu6(y + 3))·⅙", "HARD_SWISH", (y, w) => w.mul(w.mul(y, relu6(y, w)), 1 / 6)],
    ["y·(relu6(y + 3) / 6)", "HARD_SWISH", (y, w) => w.mul(y, w.div(relu6(y, w), 6))],
  ])("%s of y = 2·α·x is one %s behind the products", (_, operator, write) => {
    const scaled: Write = (x, w) => write(w.mul(w.mul(x, slope(w)), 2), w);
    expect(operatorsOf(convert(scaled).model)).toEqual(["MUL", operator]);
  });

  it.each(LOOKALIKES)("%s is no %s", (_, operator, write) => {
    expect(operatorsOf(convert(write).model)).not.toContain(operator);
  });
});

const run = async (write: Write, x: readonly number[]): Promise<number[]> => {
  const graph = graphOf({ x: [x.length] }, (build, [input]) => [
    write(input!, new NodeWriter(build, "f")),
  ]);
  const interpreter = await Interpreter.create(convertGraph(graph).model, { kernels: "reference" });
  interpreter.setTensor(0, Float32Array.from(x));
  await interpreter.invoke();
  const output = interpreter.getTensor(interpreter.getOutputDetails()[0]?.index ?? -1);
  return Array.from(output as Float32Array);
};

describe("functions without an operator", () => {
  const XS = [-3, -0.7, -0.001, 0.25, 0.9, 4];
  it.each<[string, (x: number) => number]>([
    ["Expm1", Math.expm1],
    ["Log1p", (x) => Math.log1p(Math.abs(x))],
    ["Softplus", (x) => Math.log1p(Math.exp(x))],
    ["Softsign", (x) => x / (1 + Math.abs(x))],
    ["Tan", Math.tan],
    ["Atan", Math.atan],
    ["Sinh", Math.sinh],
    ["Cosh", Math.cosh],
    ["Asinh", Math.asinh],
    ["Reciprocal", (x) => 1 / x],
  ])("%s computes what it says", async (op, expected) => {
    const xs = op === "Log1p" ? XS.map(Math.abs) : XS;
    const actual = await run((x, w) => w.unary(op, x), xs);
    const wanted = Float32Array.from(xs, expected);
    expect(relativeError(wanted, Float32Array.from(actual))).toBeLessThan(1e-6);
  });

  it("softplus of a large number is that number, not infinity", async () => {
    expect(await run((x, w) => w.unary("Softplus", x), [200, -200])).toEqual([200, 0]);
  });

  it("erf is within 1e-6 of its values", async () => {
    const values = [0, 0.5, 1, 2, -1.5, 5];
    const erf = [0, 0.5204998778, 0.8427007929, 0.995322265, -0.9661051465, 1];
    const actual = await run((x, w) => w.unary("Erf", x), values);
    expect(relativeError(Float32Array.from(erf), Float32Array.from(actual))).toBeLessThan(1e-6);
  });
});

describe("einsum", () => {
  it("of a constant matrix is one dense layer", () => {
    const graph = graphOf({ x: [2, 3, 4] }, (build, [x]) => [
      build.add("e", "Einsum", [x!, weights(build, "w", [4, 5])], {
        equation: attr.string("abc,cd->abd"),
      }),
    ]);
    expect(operatorsOf(convertGraph(graph).model)).toEqual(["FULLY_CONNECTED"]);
  });
});
