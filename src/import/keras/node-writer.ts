/** Writes TensorFlow-style nodes with their shapes: the pen of the layers. */
import type { DType } from "../../base/dtype.ts";
import { LimitError } from "../../base/errors.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { Attr, Graph, GraphNode, TensorValue, ValueRef } from "../../graph/ir.ts";
import { opDefinition } from "../../graph/op-table.ts";
import { constantNode } from "../graph-plan.ts";

/** A value in the graph with what is known of it; -1 for an open dimension. */
export interface Symbolic {
  readonly ref: ValueRef;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Which time steps count, bool[batch, time]. */
  readonly mask?: Symbolic;
  /** Of a number or vector of sizes: its elements, -1 for those that are not known. */
  readonly elements?: readonly number[];
}

export interface Result {
  readonly shape: Shape;
  readonly dtype?: DType;
}

export type Attrs = Readonly<Record<string, Attr>>;

/** Constants that layers make from sizes alone, 256 MiB of float32: a small file could ask for any amount. */
const MAX_MADE_ELEMENTS = 2 ** 26;

/**
 * The number of elements of a constant that no file holds.
 *
 * @throws {LimitError} when it is more than `MAX_MADE_ELEMENTS`.
 */
export function madeElements(shape: Shape, where: string): number {
  const count = elementCount(shape);
  if (count >= 0 && count <= MAX_MADE_ELEMENTS) return count;
  throw new LimitError({
    where,
    found: `a constant of shape ${formatShape(shape)}`,
    expected: `at most ${MAX_MADE_ELEMENTS} elements`,
    limit: "elements of a made constant",
    value: count,
    max: MAX_MADE_ELEMENTS,
  });
}

/** Outputs of one node; parts of a tensor are far fewer in real models. */
const MAX_OUTPUTS = 65_536;

/**
 * A number of outputs that a configuration asks for.
 *
 * @throws {LimitError} when it is no count, or more than `MAX_OUTPUTS`.
 */
export function outputCount(count: number, where: string): number {
  if (Number.isInteger(count) && count > 0 && count <= MAX_OUTPUTS) return count;
  throw new LimitError({
    where,
    found: `${count} outputs`,
    expected: `1 to ${MAX_OUTPUTS}`,
    limit: "outputs of a node",
    value: count,
    max: MAX_OUTPUTS,
  });
}

/** Zeros in the shape of such a constant. */
export const zeroData = (shape: Shape, where: string): Float32Array =>
  new Float32Array(madeElements(shape, where));

/** Elements of such a vector, from their places. */
export const madeVector = (
  count: number,
  where: string,
  element: (place: number) => number,
): number[] => Array.from({ length: madeElements([count], where) }, (_, place) => element(place));

export class NodeWriter {
  readonly nodes: GraphNode[] = [];
  readonly functions: Map<string, Graph> = new Map();
  readonly #names = new Set<string>();

  /** A name that no node has yet. */
  unique(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#names.has(name); i++) name = `${wanted}_${i}`;
    this.#names.add(name);
    return name;
  }

  placeholder(name: string, dtype: DType, shape: Shape): Symbolic {
    const unique = this.unique(name);
    const attrs = new Map<string, Attr>([
      ["dtype", { kind: "type", value: dtype }],
      ["shape", { kind: "shape", value: shape }],
    ]);
    this.nodes.push({ name: unique, op: "Placeholder", inputs: [], attrs, outputCount: 1 });
    return { ref: { node: unique, output: 0 }, dtype, shape };
  }

  constant(name: string, value: TensorValue): Symbolic {
    const unique = this.unique(name);
    this.nodes.push(constantNode(unique, value));
    return { ref: { node: unique, output: 0 }, dtype: value.dtype, shape: value.shape };
  }

  /** int32 constant: a vector, or a scalar for a single number. */
  ints(name: string, values: readonly number[] | number): Symbolic {
    const list = typeof values === "number" ? [values] : values;
    const shape = typeof values === "number" ? [] : [list.length];
    return this.constant(name, { dtype: "int32", shape, data: Int32Array.from(list) });
  }

  float(name: string, value: number): Symbolic {
    return this.constant(name, { dtype: "float32", shape: [], data: Float32Array.of(value) });
  }

  /** Emits an operation with one output. The type is that of the first input unless `result` says otherwise. */
  emit(
    name: string,
    op: string,
    inputs: readonly Symbolic[],
    result: Result,
    attrs: Attrs = {},
  ): Symbolic {
    return this.emitMany(name, op, inputs, [result], attrs)[0]!;
  }

  /** Emits an operation; attributes that follow from the inputs, and the defaults, are filled in. */
  emitMany(
    name: string,
    op: string,
    inputs: readonly Symbolic[],
    results: readonly Result[],
    attrs: Attrs = {},
  ): Symbolic[] {
    const unique = this.unique(name);
    this.nodes.push({
      name: unique,
      op,
      inputs: inputs.map(({ ref }) => ref),
      attrs: completeAttrs(op, inputs, attrs),
      outputCount: results.length,
    });
    return results.map(({ shape, dtype }, output) => ({
      ref: { node: unique, output },
      dtype: dtype ?? inputs[0]?.dtype ?? "float32",
      shape,
    }));
  }

  reshape(name: string, x: Symbolic, shape: Shape): Symbolic {
    const target = this.ints(`${name}/shape`, shape);
    return this.emit(name, "Reshape", [x, target], { shape: resolveReshape(x.shape, shape) });
  }

  /** Elementwise operation of two values, with broadcasting. */
  binary(name: string, op: string, a: Symbolic, b: Symbolic, dtype?: DType): Symbolic {
    const shape = broadcast(a.shape, b.shape);
    return this.emit(name, op, [a, b], dtype === undefined ? { shape } : { shape, dtype });
  }

  /** `a` where the condition holds, else `b`; the others broadcast to the shape of `a`. */
  select(name: string, condition: Symbolic, a: Symbolic, b: Symbolic): Symbolic {
    const { shape, dtype } = a;
    return this.emit(name, "SelectV2", [condition, a, b], { shape, dtype });
  }

  /** Equal parts along an axis that counts from 0. */
  split(name: string, x: Symbolic, axis: number, count: number): Symbolic[] {
    const shape = x.shape.map((size, i) => (i === axis ? size / count : size));
    const length = outputCount(count, name);
    const results = Array.from({ length }, () => ({ shape, dtype: x.dtype }));
    const dim = this.ints(`${name}/split_dim`, axis);
    return this.emitMany(name, "Split", [dim, x], results, { num_split: int(count) });
  }

  /** Elements at constant places, which may repeat, along an axis that counts from 0. */
  gather(name: string, x: Symbolic, axis: number, places: readonly number[]): Symbolic {
    const inputs = [x, this.ints(`${name}/indices`, places), this.ints(`${name}/axis`, axis)];
    return this.emit(name, "GatherV2", inputs, { shape: x.shape.with(axis, places.length) });
  }

  /** Parts of given sizes along an axis that counts from 0. */
  splitSizes(name: string, x: Symbolic, axis: number, sizes: readonly number[]): Symbolic[] {
    const inputs = [x, this.ints(`${name}/sizes`, sizes), this.ints(`${name}/split_dim`, axis)];
    const results = sizes.map((size) => ({ shape: x.shape.with(axis, size), dtype: x.dtype }));
    return this.emitMany(name, "SplitV", inputs, results, { num_split: int(sizes.length) });
  }

  /** A product whose equation has letters only, two operands or one, and a result. */
  einsum(name: string, equation: string, operands: readonly Symbolic[]): Symbolic {
    const [sources = "", target = ""] = equation.split("->");
    const sizes = new Map(
      sources
        .split(",")
        .flatMap((labels, i) =>
          [...labels].map((label, axis) => [label, operands[i]?.shape[axis] ?? -1] as const),
        ),
    );
    const shape = [...target].map((label) => sizes.get(label) ?? -1);
    return this.emit(name, "Einsum", operands, { shape }, { equation: text(equation) });
  }

  unary(name: string, op: string, x: Symbolic, attrs: Attrs = {}): Symbolic {
    return this.emit(name, op, [x], { shape: x.shape }, attrs);
  }

  transpose(name: string, x: Symbolic, perm: readonly number[]): Symbolic {
    const order = this.ints(`${name}/perm`, perm);
    return this.emit(name, "Transpose", [x, order], { shape: perm.map((axis) => x.shape[axis]!) });
  }

  /** Dimensions `a` and `b` change places. */
  exchange(name: string, x: Symbolic, a: number, b: number): Symbolic {
    if (a === b) return x;
    const perm = x.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
    return this.transpose(name, x, perm);
  }

  /** Sum, Mean, Max … over axes. */
  reduce(
    name: string,
    op: string,
    x: Symbolic,
    axes: readonly number[],
    keepDims: boolean,
  ): Symbolic {
    const gone = new Set(axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)));
    const shape = keepDims
      ? x.shape.map((size, axis) => (gone.has(axis) ? 1 : size))
      : x.shape.filter((_, axis) => !gone.has(axis));
    const indices = this.ints(`${name}/reduction_indices`, [...gone]);
    return this.emit(
      name,
      op,
      [x, indices],
      { shape },
      { keep_dims: { kind: "bool", value: keepDims } },
    );
  }
}

/** Types and counts that an operation's inputs determine, then what is given, then the defaults. */
function completeAttrs(op: string, inputs: readonly Symbolic[], given: Attrs): Map<string, Attr> {
  const definition = opDefinition(op);
  const attrs = new Map<string, Attr>();
  let next = 0;
  for (const [i, arg] of (definition?.inputs ?? []).entries()) {
    const rest = definition!.inputs.length - i - 1;
    const many = arg.countAttr !== undefined || arg.listAttr !== undefined;
    const count = many ? inputs.length - next - rest : 1;
    const own = inputs.slice(next, next + count);
    next += count;
    if (arg.countAttr !== undefined) attrs.set(arg.countAttr, { kind: "int", value: count });
    if (arg.listAttr !== undefined) {
      const types = own.map(({ dtype }): Attr => ({ kind: "type", value: dtype }));
      attrs.set(arg.listAttr, { kind: "list", value: types });
    } else if (own[0] !== undefined && /^[A-Z]|_type$|^dtype$/.test(arg.type!)) {
      attrs.set(arg.type!, { kind: "type", value: own[0].dtype });
    }
  }
  for (const [name, attr] of Object.entries(given)) attrs.set(name, attr);
  for (const [name, attr] of definition?.defaults ?? [])
    if (!attrs.has(name)) attrs.set(name, attr);
  return attrs;
}

/** Right-aligned; an open dimension meets a known one as the known one. */
export function broadcast(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    return left === 1 || (left < 0 && right > 1) ? right : left;
  });
}

function resolveReshape(from: Shape, to: Shape): number[] {
  if (!to.includes(-1) || from.some((size) => size < 0)) return [...to];
  const known = to.reduce((product, size) => (size < 0 ? product : product * size), 1);
  return to.map((size) => (size < 0 ? elementCount(from) / known : size));
}

export const ints = (values: readonly number[]): Attr => ({
  kind: "list",
  value: values.map((value): Attr => ({ kind: "int", value })),
});
export const int = (value: number): Attr => ({ kind: "int", value });
export const text = (value: string): Attr => ({ kind: "string", value });
export const flag = (value: boolean): Attr => ({ kind: "bool", value });
export const float = (value: number): Attr => ({ kind: "float", value });
export const type = (value: DType): Attr => ({ kind: "type", value });
