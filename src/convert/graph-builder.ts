/**
 * How every pass over a TensorFlow-level graph works: it walks the nodes in order and builds a new graph, in which each
 * node's types are known the moment it is added. A rewrite sees inputs that have been rewritten already, so one sweep is
 * enough for anything that depends on what comes before.
 */
import type { DType } from "../base/dtype.ts";
import { assert, GraphError } from "../base/errors.ts";
import { elementCount, isStatic } from "../base/shape.ts";
import { tensorAttr } from "../graph/attrs.ts";
import type { Attr, Graph, GraphNode, PartialShape, TensorValue, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { evaluate } from "./fold/table.ts";
import { int32Vector, integersOf, scalarValue } from "./fold/values.ts";
import { inferTypes } from "./infer/table.ts";
import type { PartialElements, TypedNode, ValueType } from "./infer/typed-node.ts";

/** Ops whose integer results are followed element by element even where some elements are unknown. */
const SHAPE_ARITHMETIC: ReadonlySet<string> = new Set(
  "GatherV2 StridedSlice Slice Squeeze Unpack Pack ConcatV2 ExpandDims Reshape Prod Mul Add AddV2 Sub Maximum Minimum FloorDiv Identity Cast Fill".split(
    " ",
  ),
);

/** Ops that stay for what they do. */
const EFFECTS: ReadonlySet<string> = new Set(["AssignVariableOp"]);

/** Shape vectors are short; longer integer tensors are data. */
const MAX_TRACKED_ELEMENTS = 64;

/** A graph under construction, with the types of all values. */
export class GraphBuilder {
  readonly functions: Map<string, Graph>;
  readonly #nodes = new Map<string, GraphNode>();
  readonly #types = new Map<string, readonly ValueType[]>();
  readonly #partials = new Map<string, readonly (PartialElements | undefined)[]>();
  readonly #constants = new Map<string, ValueRef>();

  constructor(functions: ReadonlyMap<string, Graph> = new Map()) {
    this.functions = new Map(functions);
  }

  /** Adds a node as it is. Its inputs must be there already. */
  addNode(node: GraphNode): void {
    assert(!this.#nodes.has(node.name), `two nodes named ${node.name}`);
    this.#types.set(node.name, this.infer(node));
    this.#partials.set(node.name, this.partialOutputs(node));
    this.#nodes.set(node.name, node);
  }

  /** Output types that a node would have. */
  infer(node: GraphNode): readonly ValueType[] {
    return inferTypes(this.typed(node));
  }

  /** Adds a node under a free name and returns its first output. */
  add(
    name: string,
    op: string,
    inputs: readonly ValueRef[],
    attrs: Readonly<Record<string, Attr>> = {},
    outputCount = 1,
  ): ValueRef {
    const node: GraphNode = {
      name: this.freeName(name),
      op,
      inputs,
      attrs: new Map(Object.entries(attrs)),
      outputCount,
    };
    this.addNode(node);
    return { node: node.name, output: 0 };
  }

  /** Adds a constant. */
  constant(name: string, value: TensorValue): ValueRef {
    return this.add(name, "Const", [], {
      value: attr.tensor(value),
      dtype: attr.type(value.dtype),
    });
  }

  /** A 1-D int32 constant, shared with equal ones. */
  ints(values: readonly number[]): ValueRef {
    return this.#shared(`i:${values}`, () => int32Vector(values));
  }

  /** An int32 scalar, shared with equal ones. */
  int(value: number): ValueRef {
    return this.#shared(`s:${value}`, () => scalarValue("int32", value));
  }

  /** A scalar of the type of `like`, shared with equal ones. */
  scalar(value: number, like: ValueRef): ValueRef {
    return this.scalarOf(value, this.type(like).dtype);
  }

  /** A scalar of a numeric type, shared with equal ones. */
  scalarOf(value: number, dtype: DType): ValueRef {
    return this.#shared(`${dtype}:${Object.is(value, -0) ? "-0" : value}`, () =>
      scalarValue(dtype, value),
    );
  }

  #shared(key: string, make: () => TensorValue): ValueRef {
    const found = this.#constants.get(key);
    if (found !== undefined) return found;
    const made = this.constant(`const/${key.replace(/[^\w.-]/g, "_")}`, make());
    this.#constants.set(key, made);
    return made;
  }

  freeName(name: string): string {
    if (!this.#nodes.has(name)) return name;
    let suffix = 1;
    while (this.#nodes.has(`${name}_${suffix}`)) suffix++;
    return `${name}_${suffix}`;
  }

  /** The node that makes a value. */
  producer(ref: ValueRef): GraphNode {
    const node = this.#nodes.get(ref.node);
    assert(node !== undefined, `no node ${ref.node}`);
    return node;
  }

  type(ref: ValueRef): ValueType {
    const types = this.#types.get(ref.node);
    assert(types !== undefined, `no node ${ref.node}`);
    return types[ref.output] ?? noOutput(ref, types.length);
  }

  types(node: string): readonly ValueType[] {
    return this.#types.get(node) ?? [];
  }

  shape(ref: ValueRef): PartialShape {
    return this.type(ref).shape;
  }

  /** The value of a constant, undefined for everything else. */
  value(ref: ValueRef | undefined): TensorValue | undefined {
    const node = ref && this.#nodes.get(ref.node);
    return node?.op === "Const" ? tensorAttr(node, "value") : undefined;
  }

  /** What is known of a value's integer elements. */
  partial(ref: ValueRef | undefined): PartialElements | undefined {
    if (ref === undefined) return undefined;
    const value = this.value(ref);
    if (value === undefined) return this.#partials.get(ref.node)?.[ref.output];
    const numbers = isIntegerType(value.dtype) ? integersOf(value) : undefined;
    return numbers && { shape: value.shape, numbers: Float64Array.from(numbers) };
  }

  typed(node: GraphNode): TypedNode {
    return {
      node,
      inputs: node.inputs.map((ref) => this.type(ref)),
      constant: (input) => this.value(node.inputs[input]),
      partial: (input) => this.partial(node.inputs[input]),
      functions: this.functions,
    };
  }

  /** The graph with the given inputs and outputs, without the nodes that nothing needs. */
  finish(graph: Pick<Graph, "signatureKey" | "inputs" | "outputs">): Graph {
    const needed = new Set<string>(graph.inputs.map(({ node }) => node));
    const effects = [...this.#nodes.values()].filter(({ op }) => EFFECTS.has(op));
    const open = [
      ...needed,
      ...effects.map(({ name }) => name),
      ...graph.outputs.map(({ value }) => value.node),
    ];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      needed.add(name);
      for (const { node } of this.#nodes.get(name)?.inputs ?? []) {
        if (!needed.has(node)) open.push(node);
      }
    }
    const nodes = [...this.#nodes.values()].filter(({ name }) => needed.has(name));
    return { ...graph, nodes, functions: this.functions };
  }

  /** What is known of the integer elements that a node would make; empty where nothing is. */
  partialOutputs(node: GraphNode): readonly (PartialElements | undefined)[] {
    const typed = this.typed(node);
    const { inputs } = typed;
    if (node.op === "Shape" || node.op === "ShapeN") {
      return inputs.map(({ shape }) => shape && vector(shape));
    }
    if (node.op === "Size") {
      const shape = inputs[0]?.shape;
      return [shape && isStatic(shape) ? scalar(elementCount(shape)) : undefined];
    }
    if (node.op === "Rank") return [inputs[0]?.shape && scalar(inputs[0].shape.length)];
    if (!SHAPE_ARITHMETIC.has(node.op) || !isIntegerType(inputs[0]?.dtype)) {
      return [];
    }
    const known = node.inputs.map((_, input) => typed.partial(input));
    if (node.op === "Cast" || node.op === "Identity") return known;
    if (!known.every((part) => part !== undefined && part.numbers.length <= MAX_TRACKED_ELEMENTS)) {
      return [];
    }
    if (node.op === "Fill" && !inferTypes(typed).every(isTracked)) return [];
    const values = known.map((part) => asDouble(part));
    return (evaluate(node, values) ?? []).map(({ shape, data }) => ({
      shape,
      numbers: Float64Array.from(data as Float64Array),
    }));
  }
}

/** A Fill makes any number of elements from few. */
const isTracked = ({ shape }: ValueType): boolean =>
  shape === undefined || !isStatic(shape) || elementCount(shape) <= MAX_TRACKED_ELEMENTS;

function asDouble(part: PartialElements | undefined): TensorValue {
  assert(part !== undefined, "only known parts are evaluated");
  return { dtype: "float64", shape: part.shape, data: part.numbers };
}

const vector = (shape: readonly number[]): PartialElements => ({
  shape: [shape.length],
  numbers: Float64Array.from(shape, (size) => (size < 0 ? Number.NaN : size)),
});

const scalar = (value: number): PartialElements => ({ shape: [], numbers: Float64Array.of(value) });

function isIntegerType(dtype: string | undefined): boolean {
  return dtype === "int32" || dtype === "int64";
}

/** Files say how many outputs a node has, and may say too many. */
function noOutput({ node, output }: ValueRef, count: number): never {
  throw new GraphError({
    where: `node "${node}"`,
    found: `output ${output} used`,
    expected: `one of its ${count}`,
    node,
  });
}

/** Replacement values for a node's outputs, or undefined to keep the node. */
export type Rewrite = (node: GraphNode, build: GraphBuilder) => readonly ValueRef[] | undefined;

/**
 * Builds the graph anew, node by node, through `rewrite`. Nodes come with their inputs replaced already. What nothing
 * needs any more is left out. Functions are carried along as they are.
 */
export function rebuild(graph: Graph, rewrite: Rewrite): Graph {
  const build = new GraphBuilder(graph.functions);
  const replaced = new Map<string, readonly ValueRef[]>();
  const forward = (ref: ValueRef): ValueRef => {
    const values = replaced.get(ref.node);
    return values === undefined ? ref : (values[ref.output] ?? noOutput(ref, values.length));
  };
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map(forward) };
    const values = rewrite(node, build);
    if (values === undefined) {
      const name = build.freeName(node.name);
      if (name !== node.name) {
        replaced.set(
          node.name,
          Array.from({ length: Math.max(1, node.outputCount) }, (_, output) => ({
            node: name,
            output,
          })),
        );
      }
      build.addNode(name === node.name ? node : { ...node, name });
    } else {
      replaced.set(node.name, values);
    }
  }
  return build.finish({
    ...graph,
    outputs: graph.outputs.map((output) => ({ ...output, value: forward(output.value) })),
  });
}
