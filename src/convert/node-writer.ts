/**
 * Writing small expressions of TensorFlow nodes the way one writes them on paper, all under one name prefix: what
 * decompositions and patterns are made of.
 */
import type { DType } from "../base/dtype.ts";
import type { Attr, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import type { GraphBuilder } from "./graph-builder.ts";

/** An operand: a value, or a number that becomes a scalar of the other operand's type. */
export type Operand = ValueRef | number;

export class NodeWriter {
  readonly build: GraphBuilder;
  readonly prefix: string;

  constructor(build: GraphBuilder, prefix: string) {
    this.build = build;
    this.prefix = prefix;
  }

  unary(op: string, x: ValueRef): ValueRef {
    return this.build.add(`${this.prefix}/${op.toLowerCase()}`, op, [x]);
  }

  binary(op: string, a: Operand, b: Operand): ValueRef {
    const like = typeof a === "number" ? b : a;
    if (typeof like === "number")
      throw new Error("internal: a binary node needs one value at least");
    const operands = [a, b].map((x) => (typeof x === "number" ? this.build.scalar(x, like) : x));
    return this.build.add(`${this.prefix}/${op.toLowerCase()}`, op, operands);
  }

  add(a: Operand, b: Operand): ValueRef {
    return this.binary("Add", a, b);
  }

  sub(a: Operand, b: Operand): ValueRef {
    return this.binary("Sub", a, b);
  }

  mul(a: Operand, b: Operand): ValueRef {
    return this.binary("Mul", a, b);
  }

  /** Division; truncating for integers. */
  div(a: Operand, b: Operand): ValueRef {
    return this.binary("Div", a, b);
  }

  /** condition ? a : b, broadcasting. */
  select(condition: ValueRef, a: Operand, b: Operand): ValueRef {
    const like = typeof a === "number" ? b : a;
    if (typeof like === "number") throw new Error("internal: a selection needs one value at least");
    const [x, y] = [a, b].map((side) =>
      typeof side === "number" ? this.build.scalar(side, like) : side,
    );
    return this.build.add(`${this.prefix}/select`, "SelectV2", [condition, x ?? like, y ?? like]);
  }

  cast(x: ValueRef, dtype: DType): ValueRef {
    if (this.build.type(x).dtype === dtype) return x;
    return this.build.add(`${this.prefix}/cast`, "Cast", [x], { DstT: attr.type(dtype) });
  }

  reduce(op: string, x: ValueRef, axes: readonly number[], keepDims: boolean): ValueRef {
    return this.node(op, [x, this.build.ints(axes)], { keep_dims: attr.bool(keepDims) });
  }

  reshape(x: ValueRef, shape: readonly number[]): ValueRef {
    return this.build.add(`${this.prefix}/reshape`, "Reshape", [x, this.build.ints(shape)]);
  }

  transpose(x: ValueRef, perm: readonly number[]): ValueRef {
    if (perm.every((axis, i) => axis === i)) return x;
    return this.build.add(`${this.prefix}/transpose`, "Transpose", [x, this.build.ints(perm)]);
  }

  node(
    op: string,
    inputs: readonly ValueRef[],
    attrs: Readonly<Record<string, Attr>> = {},
  ): ValueRef {
    return this.build.add(`${this.prefix}/${op.toLowerCase()}`, op, inputs, attrs);
  }
}
