/**
 * Fused operations of TF.js graph models, taken apart into the operations they stand for: the shared lowering fuses them
 * again as TensorFlow Lite does. The attribute `fused_ops` names the steps after the product, in order; inputs beyond the
 * second are theirs. Rules: tensorflow/core/ops/nn_ops.cc, and fuse_prelu.py of the TF.js converter.
 */
import { FormatError, UnsupportedError } from "../base/errors.ts";
import type {
  AttrMap,
  AttrValue,
  FunctionDef,
  GraphDef,
  NodeDef,
} from "../formats/tensorflow/graph-messages.ts";
import type { Records } from "../formats/tensorflow/named-records.ts";

const FUSED: ReadonlyMap<string, string> = new Map([
  ["_FusedConv2D", "Conv2D"],
  ["FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"],
  ["_FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"],
  ["_FusedMatMul", "MatMul"],
]);
/** Attributes of the fusion itself. */
const OF_FUSION: ReadonlySet<string> = new Set([
  "fused_ops",
  "num_args",
  "num_host_args",
  "epsilon",
  "leakyrelu_alpha",
  "TArgs",
  "filter_format",
]);
const ACTIVATIONS: ReadonlySet<string> = new Set(["Relu", "Relu6", "Elu", "Sigmoid", "Tanh"]);
const DEFAULT_SLOPE = 0.2;
const DEFAULT_EPSILON = 1e-4;

/** The same graph without fused operations, in its functions neither. */
export function unfuseGraph(graph: GraphDef): GraphDef {
  return { node: graph.node.flatMap(unfuse), library: unfusedFunctions(graph.library) };
}

function unfusedFunctions(library: Records<FunctionDef>): Records<FunctionDef> {
  const done = new Map<string, FunctionDef>();
  return {
    has: (name) => library.has(name),
    get(name) {
      const definition = library.get(name);
      const known = done.get(name);
      if (known !== undefined || definition === undefined) return known;
      const unfused = unfuseFunction(definition);
      done.set(name, unfused);
      return unfused;
    },
  };
}

/**
 * In a function a use names the output too ("step:product:0"), and the last step's has another name. All operations here
 * have one output, for which the node's name stands.
 */
function unfuseFunction(definition: FunctionDef): FunctionDef {
  const isFused = ({ op }: NodeDef): boolean => op === "Prelu" || FUSED.has(op);
  const fused = new Set(definition.node_def.filter(isFused).map(({ name }) => name));
  const renamed = (input: string): string => {
    const node = input.split(":", 1)[0]!;
    return fused.has(node) ? node : input;
  };
  return {
    ...definition,
    node_def: definition.node_def
      .map((node) => ({ ...node, input: node.input.map(renamed) }))
      .flatMap(unfuse),
    ret: new Map([...definition.ret].map(([name, input]) => [name, renamed(input)])),
  };
}

/** The nodes that take the place of `node`; the last has its name. Other nodes come back as they are. */
function unfuse(node: NodeDef): NodeDef[] {
  if (node.op === "Prelu") {
    const next = operands(node);
    return prelu(node.name, next(), next(), typeOf(node));
  }
  const op = FUSED.get(node.op);
  return op === undefined ? [node] : unfuseInto(node, op);
}

function unfuseInto(node: NodeDef, op: string): NodeDef[] {
  const next = operands(node);
  const base = { name: `${node.name}/${op}`, op, input: [next(), next()], attr: ownAttrs(node) };
  const nodes: NodeDef[] = [base];
  for (const step of stepsOf(node)) {
    nodes.push(...emitStep(node, step, nodes.at(-1)!.name, next));
  }
  const last = nodes.pop()!;
  return [...nodes, { ...last, name: node.name }];
}

/** The nodes of one step; the last of them has the result. */
function emitStep(node: NodeDef, step: string, x: string, next: () => string): NodeDef[] {
  const name = `${node.name}/${step}`;
  const type = typeOf(node);
  if (ACTIVATIONS.has(step)) return [{ name, op: step, input: [x], attr: type }];
  switch (step) {
    case "BiasAdd":
      return [{ name, op: step, input: [x, next()], attr: withLayout(node, type) }];
    case "LeakyRelu": {
      const alpha = node.attr.get("leakyrelu_alpha") ?? { kind: "f", value: DEFAULT_SLOPE };
      return [{ name, op: step, input: [x], attr: new Map([...type, ["alpha", alpha]]) }];
    }
    case "Prelu":
      return prelu(name, x, next(), type);
    case "FusedBatchNorm": {
      const input = [x, next(), next(), next(), next()];
      return [{ name, op: "FusedBatchNormV3", input, attr: withLayout(node, batchNorm(node)) }];
    }
    default:
      throw new UnsupportedError({
        where: `node "${node.name}" (${node.op})`,
        found: `fused ${step}`,
        expected: "BiasAdd, FusedBatchNorm and an activation",
        features: [`${node.op} with ${step}`],
      });
  }
}

/** The node's inputs, one after the other. */
function operands(node: NodeDef): () => string {
  let index = 0;
  return () => {
    const input = node.input[index++];
    if (input !== undefined && !input.startsWith("^")) return input;
    throw new FormatError({
      format: "tfjs",
      where: `node "${node.name}" (${node.op})`,
      found: `${index - 1} inputs`,
      expected: "one more",
    });
  };
}

function stepsOf(node: NodeDef): string[] {
  const list = node.attr.get("fused_ops");
  return list?.kind === "list" ? list.value.s.map((bytes) => new TextDecoder().decode(bytes)) : [];
}

function ownAttrs({ attr }: NodeDef): AttrMap {
  const own = new Map<string, AttrValue>();
  for (const name of attr.keys()) {
    const value = OF_FUSION.has(name) ? undefined : attr.get(name);
    if (value !== undefined) own.set(name, value);
  }
  return own;
}

function typeOf(node: NodeDef): Map<string, AttrValue> {
  const type = node.attr.get("T");
  return type === undefined ? new Map() : new Map([["T", type]]);
}

function withLayout(node: NodeDef, attrs: ReadonlyMap<string, AttrValue>): AttrMap {
  const format = node.attr.get("data_format");
  return format === undefined ? attrs : new Map([...attrs, ["data_format", format]]);
}

function batchNorm(node: NodeDef): Map<string, AttrValue> {
  const attrs = typeOf(node);
  const type = attrs.get("T");
  if (type !== undefined) attrs.set("U", type);
  attrs.set("epsilon", node.attr.get("epsilon") ?? { kind: "f", value: DEFAULT_EPSILON });
  return attrs.set("is_training", { kind: "b", value: false });
}

/** relu(x) + (-alpha) · relu(-x). */
function prelu(name: string, x: string, alpha: string, attr: AttrMap): NodeDef[] {
  const part = (suffix: string, op: string, ...input: string[]): NodeDef => ({
    name: `${name}/${suffix}`,
    op,
    input,
    attr,
  });
  return [
    part("positive", "Relu", x),
    part("negated", "Neg", x),
    part("negative", "Relu", `${name}/negated`),
    part("slope", "Neg", alpha),
    part("scaled", "Mul", `${name}/slope`, `${name}/negative`),
    { name, op: "AddV2", input: [`${name}/positive`, `${name}/scaled`], attr },
  ];
}
