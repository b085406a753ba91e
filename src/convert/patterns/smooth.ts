/** Smooth activations and normalizations that have an operator: hard-swish, GELU, sigmoid, softmax, L2. */
import type { GraphNode, ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import { NodeWriter } from "../node-writer.ts";
import { type Matcher, type Pattern, sameRef } from "./matcher.ts";

/** L2_NORMALIZATION bounds the norm below by 1e-6, its square by 1e-12; a larger ε would be a different function. */
const MAX_L2_EPSILON = 1e-10;

/** Products: hard-swish, GELU, L2 normalization. */
const product: Pattern = (node, match) => {
  const ref = node.inputs[0];
  if (ref === undefined || !match.isFloat(ref)) return undefined;
  return hardSwish(node, match) ?? gelu(node, match) ?? l2ByRsqrt(node, match);
};

/** A product of a gate, the value that is let through, and a constant. */
interface Gated {
  readonly constant: number;
  readonly gate: ValueRef;
  readonly x: ValueRef;
}

/**
 * The ways to see a product of `node.inputs` like that, in any association. What is let through may be a product itself,
 * as behind a convolution with a scale: then it is not to be taken apart.
 */
function gatedProducts(node: GraphNode, match: Matcher): Gated[] {
  const [a, b] = node.inputs;
  if (a === undefined || b === undefined) return [];
  const found: Gated[] = [];
  const consider = (constant: number, values: readonly ValueRef[]): void => {
    const [one, other] = values;
    if (one === undefined || other === undefined || values.length > 2) return;
    found.push({ constant, gate: one, x: other }, { constant, gate: other, x: one });
  };
  const [left, right] = [match.factors(a, 3), match.factors(b, 3)];
  consider(left.constant * right.constant, [...left.values, ...right.values]);
  consider(left.constant, [...left.values, b]);
  consider(right.constant, [a, ...right.values]);
  consider(match.scalar(a) ?? Number.NaN, match.inputs(b, "Mul") ?? []);
  consider(match.scalar(b) ?? Number.NaN, match.inputs(a, "Mul") ?? []);
  return found;
}

/** x · relu6(x + 3) / 6. */
function hardSwish(node: GraphNode, match: Matcher): ValueRef | undefined {
  for (const { constant, gate, x } of gatedProducts(node, match)) {
    const shifted = match.withScalar(match.operand(gate, "Relu6"), "Add");
    if (shifted?.c === 3 && sameRef(shifted.x, x) && Math.abs(constant - 1 / 6) < 1e-6) {
      return match.build.add(node.name, "HardSwish", [x]);
    }
  }
  return undefined;
}

/** ½·x·(1 + erf(x/√2)), ½·x·erfc(−x/√2), or ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
function gelu(node: GraphNode, match: Matcher): ValueRef | undefined {
  for (const { constant, gate, x } of gatedProducts(node, match)) {
    if (Math.abs(constant - 0.5) > 1e-6) continue;
    const approximate = tanhGate(gate, x, match);
    if (approximate || erfGate(gate, x, match)) {
      return match.build.add(node.name, "Gelu", [x], { approximate: attr.bool(approximate) });
    }
  }
  return undefined;
}

function erfGate(gate: ValueRef, x: ValueRef, match: Matcher): boolean {
  const complement = match.operand(gate, "Erfc");
  const plain = match.withScalar(gate, "Add");
  const argument = complement ?? (plain?.c === 1 ? match.operand(plain.x, "Erf") : undefined);
  const { constant, values } = match.factors(argument);
  const expected = complement === undefined ? Math.SQRT1_2 : -Math.SQRT1_2;
  return values.length === 1 && sameRef(values[0], x) && Math.abs(constant - expected) < 1e-6;
}

function tanhGate(gate: ValueRef, x: ValueRef, match: Matcher): boolean {
  const sum = match.withScalar(gate, "Add");
  if (sum?.c !== 1) return false;
  const { constant, values } = match.factors(match.operand(sum.x, "Tanh"));
  if (values.length !== 1 || Math.abs(constant - Math.sqrt(2 / Math.PI)) > 1e-6) return false;
  const [a, b] = match.inputs(values[0], "Add") ?? [];
  const cubic = sameRef(a, x) ? b : sameRef(b, x) ? a : undefined;
  const cube = match.factors(cubic);
  return (
    cube.values.length === 3 &&
    cube.values.every((factor) => sameRef(factor, x)) &&
    Math.abs(cube.constant - 0.044715) < 1e-6
  );
}

/** x · rsqrt(max(Σ x², ε)). */
function l2ByRsqrt(node: GraphNode, match: Matcher): ValueRef | undefined {
  const [a, b] = node.inputs;
  for (const [x, scale] of [
    [a, b],
    [b, a],
  ]) {
    if (x !== undefined && isSquaredNorm(match.operand(scale, "Rsqrt"), x, match)) {
      return match.build.add(node.name, "L2Normalization", [x]);
    }
  }
  return undefined;
}

/** max(Σ x², ε), or with + ε, over the last axis. */
function isSquaredNorm(ref: ValueRef | undefined, x: ValueRef, match: Matcher): boolean {
  const bounded = match.withScalar(ref, "Maximum") ?? match.withScalar(ref, "Add");
  if (bounded === undefined || bounded.c > MAX_L2_EPSILON || bounded.c < 0) return false;
  const { constant, values } = match.factors(match.reducedLast(bounded.x, "Sum"));
  return constant === 1 && values.length === 2 && values.every((factor) => sameRef(factor, x));
}

/** Quotients: softmax, sigmoid, L2 normalization by a square root. */
const quotient: Pattern = (node, match) => {
  const [above, below] = node.inputs;
  if (above === undefined || below === undefined || !match.isFloat(above)) return undefined;
  if (match.isNumber(above, 1)) return sigmoid(node, below, match);
  const grown = match.operand(above, "Exp");
  if (grown !== undefined && sameRef(match.reducedLast(below, "Sum"), above)) {
    return match.build.add(node.name, "Softmax", [withoutMaximum(grown, match)]);
  }
  const isNorm = isSquaredNorm(match.operand(below, "Sqrt"), above, match);
  return isNorm ? match.build.add(node.name, "L2Normalization", [above]) : undefined;
};

/** x of x − max(x): softmax subtracts the maximum itself. */
function withoutMaximum(ref: ValueRef, match: Matcher): ValueRef {
  const [x, largest] = match.inputs(ref, "Sub") ?? [];
  return x !== undefined && sameRef(match.reducedLast(largest, "Max"), x) ? x : ref;
}

const reciprocal: Pattern = (node, match) => {
  const x = node.inputs[0];
  return x && match.isFloat(x) ? sigmoid(node, x, match) : undefined;
};

/** 1 / (1 + exp(−x)). */
function sigmoid(node: GraphNode, below: ValueRef, match: Matcher): ValueRef | undefined {
  const sum = match.withScalar(below, "Add");
  const x = sum?.c === 1 ? match.operand(match.operand(sum.x, "Exp"), "Neg") : undefined;
  return x && match.build.add(node.name, "Sigmoid", [x]);
}

/** Square(a − b) → SquaredDifference. */
const square: Pattern = (node, match) => {
  const [a, b] = match.inputs(node.inputs[0], "Sub") ?? [];
  if (a === undefined || b === undefined) return undefined;
  return match.build.add(node.name, "SquaredDifference", [a, b]);
};

/** tanh(log(1 + exp(x))), of Mish: where exp overflows, tanh is 1 all the same, so nothing keeps it from that. */
const saturated: Pattern = (node, match) => {
  const x = match.operand(node.inputs[0], "Softplus");
  if (x === undefined) return undefined;
  const w = new NodeWriter(match.build, node.name);
  return w.unary("Tanh", w.unary("Log", w.add(w.unary("Exp", x), 1)));
};

export const SMOOTH: ReadonlyMap<string, Pattern> = new Map([
  ["Mul", product],
  ["Div", quotient],
  ["Reciprocal", reciprocal],
  ["Square", square],
  ["Tanh", saturated],
]);
