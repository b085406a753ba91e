/**
 * Moves transposes behind the operations that follow them, as long as those do not care about the order of dimensions
 * or can be told the new one. Pairs that meet cancel in `simplifyMovement`.
 */
import { findAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { normalizeAxis } from "./broadcast.ts";
import { integersOf } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { placeOf } from "./infer/typed-node.ts";
import { untransposedConstant, untransposedPaddings } from "./to-channels-last.ts";

const UNARY: ReadonlySet<string> = new Set(
  "Relu Relu6 Elu Selu LeakyRelu Tanh Sigmoid Abs Neg Exp Log Sqrt Rsqrt Square Floor Ceil Round Sign Softplus Softsign Erf ReluN1To1 Relu0To1 HardSwish Gelu Cast".split(
    " ",
  ),
);
const BINARY: ReadonlySet<string> = new Set(
  "Add Sub Mul Div Maximum Minimum SquaredDifference Pow".split(" "),
);
const REDUCTIONS: ReadonlySet<string> = new Set(["Mean", "Sum", "Max", "Min", "Prod"]);

export function sinkTransposes(graph: Graph): Graph {
  const uses = new Map<string, number>();
  // Another transpose that reads it is no obstacle: the two become one.
  const readers = graph.nodes.filter(({ op }) => op !== "Transpose");
  const refs = [
    ...readers.flatMap(({ inputs }) => inputs),
    ...graph.outputs.map(({ value }) => value),
  ];
  for (const { node } of refs) uses.set(node, (uses.get(node) ?? 0) + 1);
  return rebuild(graph, (node, build) => {
    const value = sink(node, new Transposed(build, uses));
    return value && [value];
  });
}

/** Sees through transposes that only the node at hand reads. */
class Transposed {
  readonly build: GraphBuilder;
  readonly #uses: ReadonlyMap<string, number>;

  constructor(build: GraphBuilder, uses: ReadonlyMap<string, number>) {
    this.build = build;
    this.#uses = uses;
  }

  /** Operand and permutation of a transpose. */
  behind(ref: ValueRef | undefined): { x: ValueRef; perm: readonly number[] } | undefined {
    const node = ref && this.build.producer(ref);
    const x = node?.inputs[0];
    const perm =
      node?.op === "Transpose" ? integersOf(this.build.value(node.inputs[1])) : undefined;
    if (node === undefined || x === undefined || perm === undefined) return undefined;
    return (this.#uses.get(node.name) ?? 1) <= 1 ? { x, perm } : undefined;
  }

  /** The node on other operands, with a transpose behind it under the node's name. */
  moved(
    node: GraphNode,
    inputs: readonly ValueRef[],
    perm: readonly number[],
    attrs: GraphNode["attrs"] = node.attrs,
  ): ValueRef {
    const early = this.build.add(`${node.name}/early`, node.op, inputs, Object.fromEntries(attrs));
    return this.build.add(node.name, "Transpose", [early, this.build.ints(perm)]);
  }
}

function sink(node: GraphNode, through: Transposed): ValueRef | undefined {
  if (node.op === "Transpose") return merged(node, through.build);
  if (BINARY.has(node.op)) return binary(node, through);
  if (node.op === "ConcatV2") return concat(node, through);
  const found = through.behind(node.inputs[0]);
  if (found === undefined) return undefined;
  const { x, perm } = found;
  if (UNARY.has(node.op)) return through.moved(node, [x, ...node.inputs.slice(1)], perm);
  if (REDUCTIONS.has(node.op)) return reduction(node, x, perm, through);
  const axes = node.inputs[1];
  if (axes === undefined) return undefined;
  if (node.op === "ReverseV2") {
    const list = integersOf(through.build.value(axes));
    const moved = list?.map((axis) => perm[normalizeAxis(axis, perm.length, placeOf(node))] ?? 0);
    return moved && through.moved(node, [x, through.build.ints(moved)], perm);
  }
  if (node.op === "Pad" || node.op === "PadV2" || node.op === "MirrorPad") {
    const pads = untransposedPaddings(axes, perm, through.build);
    return pads && through.moved(node, [x, pads, ...node.inputs.slice(2)], perm);
  }
  return undefined;
}

/** Two transposes as one, or none. */
function merged(node: GraphNode, build: GraphBuilder): ValueRef | undefined {
  const [ref, permRef] = node.inputs;
  const first = ref && build.producer(ref);
  const source = first?.op === "Transpose" ? first.inputs[0] : undefined;
  const before = integersOf(build.value(first?.inputs[1]));
  const after = integersOf(build.value(permRef));
  if (source === undefined || before === undefined || after === undefined) return undefined;
  const perm = after.map((axis) => before[normalizeAxis(axis, before.length, placeOf(node))] ?? 0);
  if (perm.every((axis, i) => axis === i)) return source;
  return build.add(node.name, "Transpose", [source, build.ints(perm)]);
}

function binary(node: GraphNode, through: Transposed): ValueRef | undefined {
  const [a, b] = node.inputs;
  const [left, right] = [through.behind(a), through.behind(b)];
  if (a === undefined || b === undefined) return undefined;
  if (left !== undefined && right !== undefined) {
    return `${left.perm}` === `${right.perm}`
      ? through.moved(node, [left.x, right.x], left.perm)
      : undefined;
  }
  const found = left ?? right;
  if (found === undefined) return undefined;
  const other = untransposedConstant(
    node.name,
    left === undefined ? a : b,
    found.perm,
    through.build,
  );
  if (other === undefined) return undefined;
  return through.moved(node, left === undefined ? [other, found.x] : [found.x, other], found.perm);
}

function concat(node: GraphNode, through: Transposed): ValueRef | undefined {
  const found = node.inputs.slice(0, -1).map((ref) => through.behind(ref));
  const axis = integersOf(through.build.value(node.inputs.at(-1)))?.[0];
  const perm = found[0]?.perm;
  if (perm === undefined || axis === undefined) return undefined;
  if (!found.every((each) => each !== undefined && `${each.perm}` === `${perm}`)) return undefined;
  const moved = perm[normalizeAxis(axis, perm.length, placeOf(node))] ?? 0;
  return through.moved(
    node,
    [...found.flatMap((each) => each?.x ?? []), through.build.int(moved)],
    perm,
  );
}

/** Axes are renamed; without kept dimensions the transpose stays only if the rest changes its order. */
function reduction(
  node: GraphNode,
  x: ValueRef,
  perm: readonly number[],
  through: Transposed,
): ValueRef | undefined {
  const axes = integersOf(through.build.value(node.inputs[1]));
  if (axes === undefined) return undefined;
  const moved = axes
    .map((axis) => perm[normalizeAxis(axis, perm.length, placeOf(node))] ?? 0)
    .sort((a, b) => a - b);
  const inputs = [x, through.build.ints(moved)];
  if (findAttr(node, "keep_dims", "bool") === true) return through.moved(node, inputs, perm);
  const rest = perm.filter((axis) => !moved.includes(axis));
  const order = rest.toSorted((a, b) => a - b);
  if (`${order}` === `${rest}`) {
    return through.build.add(node.name, node.op, inputs, { keep_dims: attr.bool(false) });
  }
  return through.moved(
    node,
    inputs,
    rest.map((axis) => order.indexOf(axis)),
  );
}
