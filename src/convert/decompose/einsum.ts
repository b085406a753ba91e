/**
 * Einsum of one or two operands as transposes, reshapes and one matrix product. Labels fall into four classes: batch (in
 * both operands and the output), left-free and right-free (one operand and the output), contracted (both operands only).
 * The left operand is brought to [batch, left, contracted], the right to [batch, contracted, right].
 */
import { stringAttr } from "../../graph/attrs.ts";
import type { GraphNode, ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";

/** A value whose dimensions carry labels. */
interface Labelled {
  readonly value: ValueRef;
  readonly labels: readonly string[];
}

const einsum: Decomposition = (node, build) => {
  const equation = parseEquation(node, build);
  if (equation === undefined) return undefined;
  const { operands, output } = equation;
  const w = new NodeWriter(build, node.name);
  const reduced = operands.map((operand, i) =>
    sumUnshared(operand, [...output, ...(operands[1 - i]?.labels ?? [])], w),
  );
  const [left, right] = reduced;
  if (left === undefined) return undefined;
  if (right === undefined) return [arrange(left, output, w)];
  const product = multiply(left, right, output, w);
  return product && [product];
};

/** Splits the equation; an ellipsis becomes labels of its own. Undefined where a label repeats in one operand. */
function parseEquation(
  node: GraphNode,
  build: GraphBuilder,
): { operands: Labelled[]; output: string[] } | undefined {
  const [inputs = "", result] = stringAttr(node, "equation").replaceAll(" ", "").split("->");
  const terms = inputs.split(",");
  if (result === undefined || terms.length !== node.inputs.length || terms.length > 2)
    return undefined;
  let spread = 0;
  const operands: Labelled[] = [];
  for (const [i, term] of terms.entries()) {
    const value = node.inputs[i];
    const rank = value && build.shape(value)?.length;
    if (value === undefined || rank === undefined) return undefined;
    const named = term.replace("...", "").length;
    const labels = expand(term, rank - named);
    if (term.includes("...")) spread = Math.max(spread, rank - named);
    if (new Set(labels).size !== labels.length || labels.length !== rank) return undefined;
    operands.push({ value, labels });
  }
  return { operands, output: expand(result, spread) };
}

/** Labels of a term; the ellipsis stands for `count` dimensions, numbered from the right. */
function expand(term: string, count: number): string[] {
  const [head = "", tail] = term.split("...");
  if (tail === undefined) return [...head];
  const middle = Array.from({ length: count }, (_, i) => `.${count - i}`);
  return [...head, ...middle, ...tail];
}

function sumUnshared(
  { value, labels }: Labelled,
  wanted: readonly string[],
  w: NodeWriter,
): Labelled {
  const axes = labels.flatMap((label, axis) => (wanted.includes(label) ? [] : [axis]));
  if (axes.length === 0) return { value, labels };
  return {
    value: w.reduce("Sum", value, axes, false),
    labels: labels.filter((label) => wanted.includes(label)),
  };
}

/** Transposes to the order of `order`, which has the same labels. */
function arrange({ value, labels }: Labelled, order: readonly string[], w: NodeWriter): ValueRef {
  return w.transpose(
    value,
    order.map((label) => labels.indexOf(label)),
  );
}

function multiply(
  left: Labelled,
  right: Labelled,
  output: readonly string[],
  w: NodeWriter,
): ValueRef | undefined {
  const both = output.filter(
    (label) => left.labels.includes(label) && right.labels.includes(label),
  );
  const rows = output.filter((label) => left.labels.includes(label) && !both.includes(label));
  const columns = output.filter((label) => right.labels.includes(label) && !both.includes(label));
  const swap =
    output.indexOf(columns[0] ?? "") < output.indexOf(rows[0] ?? "") && columns.length > 0;
  if (swap && w.build.value(right.value) === undefined) return multiply(right, left, output, w);
  const contracted = left.labels.filter((label) => !output.includes(label));
  const sizeOf = (label: string): number => {
    const sizes = [left, right].map(
      ({ value, labels }) => w.build.shape(value)?.[labels.indexOf(label)] ?? -1,
    );
    return Math.max(...sizes);
  };
  const merge = new Merger(sizeOf, w);
  const x = merge.operand(left, both, rows, contracted);
  const y = merge.operand(right, both, contracted, columns);
  const product = w.node("BatchMatMulV2", [x.value, y.value], {
    adj_x: attr.bool(x.swapped),
    adj_y: attr.bool(y.swapped),
  });
  const labels = [...both, ...rows, ...columns];
  const flat = rows.length === 1 && columns.length === 1;
  const spread = flat ? product : merge.split(product, labels);
  return spread && arrange({ value: spread, labels }, output, w);
}

/** Brings operands into the form of a batched matrix, merging the dimensions of a class into one. */
class Merger {
  readonly #sizeOf: (label: string) => number;
  readonly #w: NodeWriter;

  constructor(sizeOf: (label: string) => number, w: NodeWriter) {
    this.#sizeOf = sizeOf;
    this.#w = w;
  }

  /** [batch…, first, second], or with the last two swapped where the operand lies that way already. */
  operand(
    operand: Labelled,
    batch: readonly string[],
    first: readonly string[],
    second: readonly string[],
  ): { value: ValueRef; swapped: boolean } {
    const straight = [...batch, ...first, ...second];
    const reversed = [...batch, ...second, ...first];
    const lies = (order: readonly string[]) =>
      order.every((label, i) => operand.labels[i] === label);
    const swapped =
      !lies(straight) && (lies(reversed) || cheaper(operand.labels, reversed, straight));
    const value = arrange(operand, swapped ? reversed : straight, this.#w);
    if (first.length === 1 && second.length === 1) return { value, swapped };
    const shape = [
      ...batch.map(this.#sizeOf),
      ...(swapped ? [second, first] : [first, second]).map((group) => this.#product(group)),
    ];
    return { value: this.#w.reshape(value, shape), swapped };
  }

  /** Reshapes the product so that every label has a dimension; undefined when two sizes are unknown. */
  split(product: ValueRef, labels: readonly string[]): ValueRef | undefined {
    const shape = labels.map(this.#sizeOf);
    return shape.filter((size) => size < 0).length <= 1
      ? this.#w.reshape(product, shape)
      : undefined;
  }

  #product(labels: readonly string[]): number {
    const sizes = labels.map(this.#sizeOf);
    return sizes.some((size) => size < 0) ? -1 : sizes.reduce((product, size) => product * size, 1);
  }
}

/** Prefers the order that leaves the last dimension in place. */
function cheaper(labels: readonly string[], a: readonly string[], b: readonly string[]): boolean {
  return a.at(-1) === labels.at(-1) && b.at(-1) !== labels.at(-1);
}

/** With a constant matrix on the right and no batch, the rows keep their dimensions: one dense layer. */
const dense: Decomposition = (node, build) => {
  const equation = parseEquation(node, build);
  const [left, right] = equation?.operands ?? [];
  if (!equation || !left || !right || build.value(right.value) === undefined) return undefined;
  const { output } = equation;
  const contracted = right.labels.filter((label) => !output.includes(label));
  const columns = output.filter((label) => right.labels.includes(label));
  const rows = left.labels.filter((label) => !contracted.includes(label));
  if (columns.some((label) => left.labels.includes(label)) || contracted.length === 0)
    return undefined;
  if (contracted.some((label) => !left.labels.includes(label))) return undefined;
  if (![...rows, ...columns].every((label) => output.includes(label))) return undefined;
  const w = new NodeWriter(build, node.name);
  const order = left.labels.filter((label) => contracted.includes(label));
  const sizes = (labels: readonly string[], { value, labels: all }: Labelled) =>
    labels.map((label) => build.shape(value)?.[all.indexOf(label)] ?? -1);
  const product = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
  const depth = product(sizes(order, right));
  const width = product(sizes(columns, right));
  const rowSizes = sizes(rows, left);
  if (rowSizes.filter((size) => size < 0).length > 1) return undefined;
  let x = arrange(left, [...rows, ...order], w);
  if (order.length > 1) x = w.reshape(x, [...rowSizes, depth]);
  const matrix = w.reshape(arrange(right, [...order, ...columns], w), [depth, width]);
  let y = w.node("BatchMatMulV2", [x, matrix], {
    adj_x: attr.bool(false),
    adj_y: attr.bool(false),
  });
  if (columns.length !== 1) y = w.reshape(y, [...rowSizes, ...sizes(columns, right)]);
  return [arrange({ value: y, labels: [...rows, ...columns] }, output, w)];
};

export const EINSUM: ReadonlyMap<string, Decomposition> = new Map([
  ["Einsum", (node, build) => dense(node, build) ?? einsum(node, build)],
]);
