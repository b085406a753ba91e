/** Elementwise functions without an operator of their own, from those that have one. */
import type { GraphNode, ValueRef } from "../../graph/ir.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";
import { writeErf, writeErfc } from "./erf.ts";

/** Selu's constants, λ and λ·α (Klambauer et al. 2017). */
const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

const unary =
  (write: (x: ValueRef, w: NodeWriter, node: GraphNode) => ValueRef | undefined): Decomposition =>
  (node, build) => {
    const x = node.inputs[0];
    const value = x && write(x, new NodeWriter(build, node.name), node);
    return value && [value];
  };

const binary =
  (write: (x: ValueRef, y: ValueRef, w: NodeWriter) => ValueRef | undefined): Decomposition =>
  (node, build) => {
    const [x, y] = node.inputs;
    const value = x && y && write(x, y, new NodeWriter(build, node.name));
    return value && [value];
  };

const isInteger = (x: ValueRef, build: GraphBuilder): boolean => /int/.test(build.type(x).dtype);

const exp = (x: ValueRef, w: NodeWriter): ValueRef => w.unary("Exp", x);
const expOfMinus = (x: ValueRef, w: NodeWriter): ValueRef => exp(w.unary("Neg", x), w);

/** log(1 + exp(x)); beyond 80, where exp nears float32's limit, it is x to the last bit. */
const softplus = (x: ValueRef, w: NodeWriter): ValueRef => {
  const grown = w.unary("Log", w.add(exp(w.binary("Minimum", x, 80), w), 1));
  return w.binary("Maximum", grown, x);
};

/** x − trunc(x / y)·y: the remainder with the sign of x, as C has it. */
const truncateMod = (x: ValueRef, y: ValueRef, w: NodeWriter): ValueRef => {
  if (!isInteger(x, w.build)) {
    const remainder = w.binary("FloorMod", w.unary("Abs", x), w.unary("Abs", y));
    return w.mul(w.unary("Sign", x), remainder);
  }
  return w.sub(x, w.mul(w.div(x, y), y));
};

/** where(y = 0, 0, x / y); the divisor is replaced as well, so that no infinity arises. */
const divNoNan = (x: ValueRef, y: ValueRef, w: NodeWriter): ValueRef =>
  w.select(w.binary("Equal", y, 0), 0, w.div(x, y));

const mulNoNan = (x: ValueRef, y: ValueRef, w: NodeWriter): ValueRef =>
  w.select(w.binary("Equal", y, 0), 0, w.mul(x, y));

const xLogY = (x: ValueRef, y: ValueRef, w: NodeWriter): ValueRef =>
  w.select(w.binary("Equal", x, 0), 0, w.mul(x, w.unary("Log", y)));

const xDivY = (x: ValueRef, y: ValueRef, w: NodeWriter): ValueRef =>
  w.select(w.binary("Equal", x, 0), 0, w.div(x, y));

/** Truncation of floats: sign(x)·floor(|x|). */
const truncateDiv = (x: ValueRef, y: ValueRef, w: NodeWriter): ValueRef => {
  const quotient = w.div(x, y);
  if (isInteger(x, w.build)) return quotient;
  return w.mul(w.unary("Sign", quotient), w.unary("Floor", w.unary("Abs", quotient)));
};

const selu = (x: ValueRef, w: NodeWriter): ValueRef => {
  const negative = w.mul(w.sub(exp(x, w), 1), SELU_ALPHA);
  return w.mul(w.select(w.binary("Greater", x, 0), x, negative), SELU_SCALE);
};

const sinh = (x: ValueRef, w: NodeWriter): ValueRef =>
  w.mul(w.sub(exp(x, w), expOfMinus(x, w)), 0.5);
const cosh = (x: ValueRef, w: NodeWriter): ValueRef =>
  w.mul(w.add(exp(x, w), expOfMinus(x, w)), 0.5);

/** sign(x)·log(|x| + √(x² + 1)). */
const asinh = (x: ValueRef, w: NodeWriter): ValueRef => {
  const size = w.unary("Abs", x);
  const root = w.unary("Sqrt", w.add(w.unary("Square", x), 1));
  return w.mul(w.unary("Sign", x), w.unary("Log", w.add(size, root)));
};

const acosh = (x: ValueRef, w: NodeWriter): ValueRef =>
  w.unary("Log", w.add(x, w.unary("Sqrt", w.sub(w.unary("Square", x), 1))));

const atanh = (x: ValueRef, w: NodeWriter): ValueRef =>
  w.mul(w.unary("Log", w.div(w.add(x, 1), w.sub(1, x))), 0.5);

const cosine = (x: ValueRef, w: NodeWriter): ValueRef =>
  w.unary("Sqrt", w.sub(1, w.unary("Square", x)));

/** |x| < ∞: false for infinities, and for NaN, which compares false. */
const finite = (x: ValueRef, w: NodeWriter): ValueRef =>
  w.binary("Less", w.unary("Abs", x), Number.POSITIVE_INFINITY);

const clip: Decomposition = (node, build) => {
  const [x, low, high] = node.inputs;
  if (!x || !low || !high) return undefined;
  const w = new NodeWriter(build, node.name);
  return [w.binary("Maximum", w.binary("Minimum", x, high), low)];
};

/** Relu of integers has no operator: max(x, 0). */
const relu = unary((x, w) => (isInteger(x, w.build) ? w.binary("Maximum", x, 0) : undefined));

const square = unary((x, w) => (isInteger(x, w.build) ? w.mul(x, x) : undefined));

const onesLike = (x: ValueRef, w: NodeWriter): ValueRef => {
  const shape = w.build.shape(x);
  const dims =
    shape?.every((size) => size >= 0) === true
      ? w.build.ints(shape)
      : w.node("Shape", [x], { out_type: { kind: "type", value: "int32" } });
  return w.node("Fill", [dims, w.build.scalar(1, x)]);
};

export const ELEMENTWISE_DECOMPOSITIONS: ReadonlyMap<string, Decomposition> = new Map([
  ["Softplus", unary(softplus)],
  ["Softsign", unary((x, w) => w.div(x, w.add(w.unary("Abs", x), 1)))],
  ["Selu", unary(selu)],
  ["Log1p", unary((x, w) => w.unary("Log", w.add(x, 1)))],
  ["Expm1", unary((x, w) => w.sub(exp(x, w), 1))],
  ["Reciprocal", unary((x, w) => w.div(1, x))],
  ["Inv", unary((x, w) => w.div(1, x))],
  ["Rint", unary((x, w) => w.unary("Round", x))],
  ["Tan", unary((x, w) => w.div(w.unary("Sin", x), w.unary("Cos", x)))],
  ["Sinh", unary(sinh)],
  ["Cosh", unary(cosh)],
  ["Asinh", unary(asinh)],
  ["Acosh", unary(acosh)],
  ["Atanh", unary(atanh)],
  ["Asin", unary((x, w) => w.binary("Atan2", x, cosine(x, w)))],
  ["Acos", unary((x, w) => w.binary("Atan2", cosine(x, w), x))],
  // The official ATAN2 does not broadcast.
  ["Atan", unary((x, w) => w.binary("Atan2", x, onesLike(x, w)))],
  ["Erf", unary(writeErf)],
  ["Erfc", unary(writeErfc)],
  ["IsNan", unary((x, w) => w.binary("NotEqual", x, x))],
  ["IsInf", unary((x, w) => w.binary("Equal", w.unary("Abs", x), Number.POSITIVE_INFINITY))],
  ["IsFinite", unary(finite)],
  ["L2Loss", unary((x, w) => l2Loss(x, w))],
  ["Relu", relu],
  ["Square", square],
  ["OnesLike", unary(onesLike)],
  ["ClipByValue", clip],
  ["TruncateDiv", binary(truncateDiv)],
  ["TruncateMod", binary(truncateMod)],
  ["Mod", binary(truncateMod)],
  ["DivNoNan", binary(divNoNan)],
  ["MulNoNan", binary(mulNoNan)],
  ["Xlogy", binary(xLogY)],
  ["Xlog1py", binary((x, y, w) => xLogY(x, w.add(y, 1), w))],
  ["Xdivy", binary(xDivY)],
]);

function l2Loss(x: ValueRef, w: NodeWriter): ValueRef | undefined {
  const rank = w.build.shape(x)?.length;
  if (rank === undefined) return undefined;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return w.mul(w.reduce("Sum", w.mul(x, x), axes, false), 0.5);
}
