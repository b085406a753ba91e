/** Looking upstream from a value: the small vocabulary in which patterns are written. */
import { isStatic } from "../../base/shape.ts";
import { findAttr } from "../../graph/attrs.ts";
import type { GraphNode, TensorValue, ValueRef } from "../../graph/ir.ts";
import { integersOf, numbersOf } from "../fold/values.ts";
import type { GraphBuilder } from "../graph-builder.ts";

/** Replacement for the only output of a node, or undefined where the pattern is not there. */
export type Pattern = (node: GraphNode, match: Matcher) => ValueRef | undefined;

export const sameRef = (a: ValueRef | undefined, b: ValueRef | undefined): boolean =>
  a !== undefined && b !== undefined && a.node === b.node && a.output === b.output;

export class Matcher {
  readonly build: GraphBuilder;

  constructor(build: GraphBuilder) {
    this.build = build;
  }

  /** Inputs of the value's node when it is one of these ops. */
  inputs(ref: ValueRef | undefined, ...ops: readonly string[]): readonly ValueRef[] | undefined {
    if (ref === undefined || ref.output !== 0) return undefined;
    const node = this.build.producer(ref);
    return ops.includes(node.op) ? node.inputs : undefined;
  }

  /** The only operand of a unary op. */
  operand(ref: ValueRef | undefined, ...ops: readonly string[]): ValueRef | undefined {
    return this.inputs(ref, ...ops)?.[0];
  }

  /** The constant behind a value. */
  value(ref: ValueRef | undefined): TensorValue | undefined {
    return this.build.value(ref);
  }

  /** The number, where the value is a constant of one element, or of equal ones. */
  scalar(ref: ValueRef | undefined): number | undefined {
    const value = this.value(ref);
    const numbers = value && value.shape.length <= 4 ? numbersOf(value) : undefined;
    const first = numbers?.[0];
    if (numbers === undefined || first === undefined || numbers.length > 65536) return undefined;
    for (let i = 1; i < numbers.length; i++) if (numbers[i] !== first) return undefined;
    return first;
  }

  /** Tells whether a value is this number, up to float32's rounding. */
  isNumber(ref: ValueRef | undefined, expected: number, tolerance = 1e-6): boolean {
    const found = this.scalar(ref);
    return (
      found !== undefined &&
      Math.abs(found - expected) <= tolerance * Math.max(1, Math.abs(expected))
    );
  }

  /** The two operands of a commutative op as [variable, constant number]. */
  withScalar(ref: ValueRef | undefined, op: string): { x: ValueRef; c: number } | undefined {
    const [a, b] = this.inputs(ref, op) ?? [];
    const right = this.scalar(b);
    if (a !== undefined && right !== undefined) return { x: a, c: right };
    const left = this.scalar(a);
    return b !== undefined && left !== undefined ? { x: b, c: left } : undefined;
  }

  /**
   * The factors of a product, constants multiplied together: squares count twice, third powers three times. A negation
   * goes into the constant.
   */
  factors(ref: ValueRef | undefined, depth = 4): { constant: number; values: ValueRef[] } {
    const values: ValueRef[] = [];
    let constant = 1;
    const visit = (at: ValueRef, left: number): void => {
      const number = this.scalar(at);
      const product = left > 0 ? this.inputs(at, "Mul") : undefined;
      const power = this.inputs(at, "Pow");
      const exponent = power && this.scalar(power[1]);
      const square = this.operand(at, "Square");
      const negated = left > 0 ? this.operand(at, "Neg") : undefined;
      const base = power?.[0];
      if (number !== undefined) constant *= number;
      else if (product !== undefined) for (const factor of product) visit(factor, left - 1);
      else if (square !== undefined) values.push(square, square);
      else if (base !== undefined && exponent === 3) values.push(base, base, base);
      else if (negated !== undefined) {
        constant = -constant;
        visit(negated, left - 1);
      } else values.push(at);
    };
    if (ref !== undefined) visit(ref, depth);
    return { constant, values };
  }

  /** The operand of a reduction over the last axis alone that keeps its dimensions. */
  reducedLast(ref: ValueRef | undefined, op: string): ValueRef | undefined {
    const [x, axes] = this.inputs(ref, op) ?? [];
    if (ref === undefined || x === undefined) return undefined;
    const rank = this.build.shape(x)?.length;
    const list = integersOf(this.value(axes));
    const keeps = findAttr(this.build.producer(ref), "keep_dims", "bool");
    const isLast = list?.length === 1 && (list[0] === -1 || list[0] === (rank ?? 0) - 1);
    return rank !== undefined && keeps === true && isLast ? x : undefined;
  }

  /** Tells whether a value has a known shape that equals another's. */
  sameShape(a: ValueRef, b: ValueRef): boolean {
    const [x, y] = [this.build.shape(a), this.build.shape(b)];
    return x !== undefined && y !== undefined && isStatic(x) && `${x}` === `${y}`;
  }

  isFloat(ref: ValueRef): boolean {
    return this.build.type(ref).dtype === "float32";
  }
}
