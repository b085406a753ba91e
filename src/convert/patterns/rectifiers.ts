/** ReLU and its relatives, written out with maxima, minima, selections and products. */
import type { GraphNode, TensorValue, ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import { numbersOf, valueFrom } from "../fold/values.ts";
import { type Matcher, type Pattern, sameRef } from "./matcher.ts";

/** max(x, 0) → Relu; max(min(x, high), low) → the clamp with these bounds; max(αx, x) → LeakyRelu. */
const maximum: Pattern = (node, match) => {
  const ref = node.inputs[0];
  if (ref === undefined || !match.isFloat(ref)) return undefined;
  const bounded = bound(node, match);
  if (bounded?.c === 0) {
    const upper = match.withScalar(bounded.x, "Minimum");
    if (upper?.c === 1) return match.build.add(node.name, "Relu0To1", [upper.x]);
    if (upper?.c === 6) return match.build.add(node.name, "Relu6", [upper.x]);
    return match.build.add(node.name, "Relu", [bounded.x]);
  }
  if (bounded?.c === -1) {
    const upper = match.withScalar(bounded.x, "Minimum");
    return upper?.c === 1 ? match.build.add(node.name, "ReluN1To1", [upper.x]) : undefined;
  }
  return leaky(node, match);
};

/** min(relu(x), 6) → Relu6; min(max(x, low), high) → the clamp with these bounds. */
const minimum: Pattern = (node, match) => {
  const bounded = bound(node, match);
  if (bounded === undefined || !match.isFloat(bounded.x)) return undefined;
  const rectified = match.operand(bounded.x, "Relu");
  if (rectified !== undefined && bounded.c === 6)
    return match.build.add(node.name, "Relu6", [rectified]);
  if (rectified !== undefined && bounded.c === 1)
    return match.build.add(node.name, "Relu0To1", [rectified]);
  const lower = match.withScalar(bounded.x, "Maximum");
  return lower?.c === -1 && bounded.c === 1
    ? match.build.add(node.name, "ReluN1To1", [lower.x])
    : undefined;
};

function bound(node: GraphNode, match: Matcher): { x: ValueRef; c: number } | undefined {
  const [a, b] = node.inputs;
  const right = match.scalar(b);
  if (a !== undefined && right !== undefined)
    return keepsShape(a, b, match) ? { x: a, c: right } : undefined;
  const left = match.scalar(a);
  if (b === undefined || left === undefined) return undefined;
  return keepsShape(b, a, match) ? { x: b, c: left } : undefined;
}

/** A constant of more dimensions than the variable would change the shape. */
function keepsShape(x: ValueRef, constant: ValueRef | undefined, match: Matcher): boolean {
  const rank = match.build.shape(x)?.length ?? 0;
  const value = match.value(constant);
  return (
    value !== undefined && value.shape.length <= rank && value.shape.every((size) => size === 1)
  );
}

function leaky(node: GraphNode, match: Matcher): ValueRef | undefined {
  const [a, b] = node.inputs;
  for (const [scaled, plain] of [
    [a, b],
    [b, a],
  ]) {
    const product = match.withScalar(scaled, "Mul");
    if (plain === undefined || product === undefined || !sameRef(product.x, plain)) continue;
    if (product.c > 0 && product.c < 1) return leakyRelu(node, plain, product.c, match);
  }
  return undefined;
}

const leakyRelu = (node: GraphNode, x: ValueRef, alpha: number, match: Matcher): ValueRef =>
  match.build.add(node.name, "LeakyRelu", [x], { alpha: attr.float(alpha) });

/** Select(x > 0, x, αx) → LeakyRelu; Select(x > 0, x, exp(x) − 1) → Elu. */
const select: Pattern = (node, match) => {
  const [condition, positive, negative] = node.inputs;
  const [x, zero] = match.inputs(condition, "Greater", "GreaterEqual") ?? [];
  if (x === undefined || !match.isNumber(zero, 0) || !sameRef(x, positive) || !match.isFloat(x))
    return undefined;
  const scaled = match.withScalar(negative, "Mul");
  if (scaled !== undefined && sameRef(scaled.x, x)) return leakyRelu(node, x, scaled.c, match);
  const grown = match.operand(negative, "Expm1") ?? expMinusOne(negative, match);
  return sameRef(grown, x) ? match.build.add(node.name, "Elu", [x]) : undefined;
};

function expMinusOne(ref: ValueRef | undefined, match: Matcher): ValueRef | undefined {
  const [grown, one] = match.inputs(ref, "Sub") ?? [];
  return match.isNumber(one, 1) ? match.operand(grown, "Exp") : undefined;
}

/**
 * PReLU in the ways it is written: relu(x) + c·relu(−x) with c = −α; relu(x) + α·min(x, 0);
 * relu(x) + ½·α·(x − |x|). The constants may be tensors.
 */
const add: Pattern = (node, match) => {
  const [a, b] = node.inputs;
  for (const [head, tail] of [
    [a, b],
    [b, a],
  ]) {
    const x = match.operand(head, "Relu");
    const found = x && tail && negativeSlope(x, tail, match);
    if (x !== undefined && found !== undefined) return prelu(node, x, found, match);
  }
  return undefined;
};

/** relu(x) − α·relu(−x). */
const sub: Pattern = (node, match) => {
  const [head, tail] = node.inputs;
  const x = match.operand(head, "Relu");
  const found = x && tail && negativeSlope(x, tail, match);
  return x && found && prelu(node, x, scaled(found, -1), match);
};

/** α of a term that is α·x for negative x and 0 otherwise. */
function negativeSlope(x: ValueRef, term: ValueRef, match: Matcher): TensorValue | undefined {
  const parts = productOf(term, match);
  if (parts === undefined) return undefined;
  const { constant, value } = parts;
  if (sameRef(match.operand(match.operand(value, "Relu"), "Neg"), x)) return scaled(constant, -1);
  const clipped = match.withScalar(value, "Minimum");
  if (clipped?.c === 0 && sameRef(clipped.x, x)) return constant;
  const [plain, size] = match.inputs(value, "Sub") ?? [];
  if (sameRef(plain, x) && sameRef(match.operand(size, "Abs"), x)) return scaled(constant, 2);
  return undefined;
}

/** A product of one variable and constants. */
function productOf(
  ref: ValueRef,
  match: Matcher,
): { constant: TensorValue; value: ValueRef } | undefined {
  const [a, b] = match.inputs(ref, "Mul") ?? [];
  const right = match.value(b);
  const left = match.value(a);
  const [constant, value] = right !== undefined ? [right, a] : [left, b];
  if (constant === undefined || value === undefined || constant.dtype !== "float32")
    return undefined;
  const inner = match.withScalar(value, "Mul");
  return inner === undefined
    ? { constant, value }
    : { constant: scaled(constant, inner.c), value: inner.x };
}

function scaled(value: TensorValue, factor: number): TensorValue {
  const numbers = Array.from(numbersOf(value) ?? [], (x) => x * factor);
  return valueFrom(value.dtype, value.shape, numbers) ?? value;
}

/** PRELU's slopes have one dimension less than the input: a leading 1 goes away, missing ones are put in front. */
function prelu(
  node: GraphNode,
  x: ValueRef,
  alpha: TensorValue,
  match: Matcher,
): ValueRef | undefined {
  const rank = match.build.shape(x)?.length;
  if (rank === undefined || rank < 1) return undefined;
  let shape = [...alpha.shape];
  while (shape.length > rank - 1 && shape[0] === 1) shape = shape.slice(1);
  while (shape.length < rank - 1) shape = [1, ...shape];
  if (shape.length !== rank - 1) return undefined;
  const slopes = match.build.constant(`${node.name}/alpha`, { ...alpha, shape });
  return match.build.add(node.name, "PRelu", [x, slopes]);
}

export const RECTIFIERS: ReadonlyMap<string, Pattern> = new Map([
  ["Maximum", maximum],
  ["Minimum", minimum],
  ["Select", select],
  ["SelectV2", select],
  ["Add", add],
  ["Sub", sub],
]);
