/**
 * Arithmetic that the constants make trivial: neutral elements, products with zero, powers that have an operator of
 * their own, division by a constant as multiplication, constants that follow each other.
 */
import { isStatic, sameShape } from "../base/shape.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { evaluate } from "./fold/table.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { Matcher, type Pattern, sameRef } from "./patterns/matcher.ts";

export function simplifyArithmetic(graph: Graph): Graph {
  return rebuild(graph, (node, build) => {
    const value = RULES[node.op]?.(node, new Matcher(build));
    return value && [value];
  });
}

/** The operand, if it has the shape of the result already. */
function unchanged(
  node: GraphNode,
  x: ValueRef | undefined,
  build: GraphBuilder,
): ValueRef | undefined {
  const before = x && build.shape(x);
  const after = build.infer(node)[0]?.shape;
  if (before === undefined || after === undefined) return undefined;
  return sameShape(before, after) ? x : undefined;
}

/** The operand beside a neutral element. */
const neutral = (node: GraphNode, match: Matcher, element: number, commutes: boolean) => {
  const [a, b] = node.inputs;
  if (match.scalar(b) === element) return unchanged(node, a, match.build);
  return commutes && match.scalar(a) === element ? unchanged(node, b, match.build) : undefined;
};

const add: Pattern = (node, match) => {
  const plain = neutral(node, match, 0, true);
  if (plain !== undefined) return plain;
  const [a, b] = node.inputs;
  for (const [kept, other] of [
    [a, b],
    [b, a],
  ]) {
    const negated = match.operand(other, "Neg");
    if (kept !== undefined && negated !== undefined)
      return match.build.add(node.name, "Sub", [kept, negated]);
  }
  return undefined;
};

const sub: Pattern = (node, match) => {
  const plain = neutral(node, match, 0, false);
  if (plain !== undefined) return plain;
  const [a, b] = node.inputs;
  const negated = match.operand(b, "Neg");
  if (a !== undefined && negated !== undefined)
    return match.build.add(node.name, "Add", [a, negated]);
  if (b !== undefined && match.scalar(a) === 0 && unchanged(node, b, match.build)) {
    return match.build.add(node.name, "Neg", [b]);
  }
  return undefined;
};

const mul: Pattern = (node, match) => {
  const plain = neutral(node, match, 1, true);
  if (plain !== undefined) return plain;
  const shape = match.build.infer(node)[0]?.shape;
  const zero = node.inputs.find((ref) => match.scalar(ref) === 0);
  if (zero !== undefined && shape !== undefined && isStatic(shape)) {
    const { dtype } = match.build.type(zero);
    return match.build.add(node.name, "Fill", [
      match.build.ints(shape),
      match.build.scalarOf(0, dtype),
    ]);
  }
  return mergedFactors(node, match);
};

/** (x · c) · d → x · (c · d), where both are constants. */
function mergedFactors(node: GraphNode, match: Matcher): ValueRef | undefined {
  const [a, b] = node.inputs;
  const outer = [b, a].find((ref) => match.value(ref) !== undefined);
  const inner = sameRef(outer, b) ? a : b;
  const factors = match.inputs(inner, "Mul");
  const constant = factors?.find((ref) => match.value(ref) !== undefined);
  const x = factors?.find((ref) => !sameRef(ref, constant));
  const [c, d] = [match.value(constant), match.value(outer)];
  if (x === undefined || c === undefined || d === undefined || c.dtype !== "float32")
    return undefined;
  if (c.shape.length > 1 && d.shape.length > 1) return undefined;
  const product = evaluate({ ...node, op: "Mul" }, [c, d])?.[0];
  return (
    product &&
    match.build.add(node.name, "Mul", [x, match.build.constant(`${node.name}/factor`, product)])
  );
}

const div: Pattern = (node, match) => {
  const plain = neutral(node, match, 1, false);
  if (plain !== undefined) return plain;
  const [x, divisor] = node.inputs;
  const value = match.value(divisor);
  if (x === undefined || value?.dtype !== "float32") return undefined;
  const inverse = (value.data as Float32Array).map((d) => 1 / d);
  if (!inverse.every(Number.isFinite)) return undefined;
  const factor = match.build.constant(`${node.name}/factor`, { ...value, data: inverse });
  return match.build.add(node.name, "Mul", [x, factor]);
};

const POWERS: ReadonlyMap<number, string> = new Map([
  [2, "Square"],
  [0.5, "Sqrt"],
  [-0.5, "Rsqrt"],
]);

const pow: Pattern = (node, match) => {
  const [x, exponent] = node.inputs;
  const power = match.scalar(exponent);
  if (x === undefined || power === undefined || !match.isFloat(x)) return undefined;
  if (unchanged(node, x, match.build) === undefined) return undefined;
  if (power === 1) return x;
  const op = POWERS.get(power);
  return op === undefined ? undefined : match.build.add(node.name, op, [x]);
};

/** Of an operand with itself, or with a constant that changes nothing: true for "and", false for "or". */
const logical =
  (neutralElement: 0 | 1): Pattern =>
  (node, { build }) => {
    const [a, b] = node.inputs;
    if (sameRef(a, b)) return a;
    const isNeutral = (ref: ValueRef | undefined): boolean => {
      const data = build.value(ref)?.data;
      return data instanceof Uint8Array && data.every((element) => element === neutralElement);
    };
    const kept = isNeutral(b) ? a : isNeutral(a) ? b : undefined;
    return unchanged(node, kept, build);
  };

/** Softmax and LogSoftmax keep the order of their operand. */
const argMax: Pattern = (node, match) => {
  const [x, axis] = node.inputs;
  const logits = match.operand(x, "Softmax", "LogSoftmax");
  const rank = x && match.build.shape(x)?.length;
  const at = match.scalar(axis);
  if (logits === undefined || axis === undefined || rank === undefined) return undefined;
  if (at !== -1 && at !== rank - 1) return undefined;
  return match.build.add(node.name, node.op, [logits, axis], Object.fromEntries(node.attrs));
};

/** Real and Imag of a number put together from its parts. */
const partOfComplex =
  (part: number): Pattern =>
  (node, match) =>
    match.inputs(node.inputs[0], "Complex")?.[part];

const RULES: Readonly<Record<string, Pattern>> = {
  Add: add,
  Sub: sub,
  Mul: mul,
  Div: div,
  Pow: pow,
  LogicalAnd: logical(1),
  LogicalOr: logical(0),
  ArgMax: argMax,
  Real: partOfComplex(0),
  Imag: partOfComplex(1),
};
