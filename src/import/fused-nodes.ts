/** Fused operations of TF.js graph models, taken apart into the operations they stand for. */
import { UnsupportedError } from "../base/errors.ts";
import type { AttrMap, AttrValue, NodeDef } from "../formats/tensorflow/graph-messages.ts";

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

/** The nodes that take the place of `node`; the last has its name. Other nodes come back as they are. */
export function unfuse(node: NodeDef): NodeDef[] {
  if (node.op === "Prelu") return prelu(node.name, node.input[0]!, node.input[1]!, typeOf(node));
  const op = FUSED.get(node.op);
  return op === undefined ? [node] : unfuseInto(node, op);
}

function unfuseInto(node: NodeDef, op: string): NodeDef[] {
  const [x, weights, ...args] = node.input;
  const steps = fusedOps(node);
  const base = `${node.name}/${op}`;
  const own = new Map<string, AttrValue>();
  for (const name of node.attr.keys()) {
    const value = OF_FUSION.has(name) ? undefined : node.attr.get(name);
    if (value !== undefined) own.set(name, value);
  }
  const nodes: NodeDef[] = [{ name: base, op, input: [x!, weights!], attr: own }];
  const type = typeOf(node);
  let next = 0;
  for (const step of steps) {
    const previous = nodes.at(-1)!.name;
    const name = `${node.name}/${step}`;
    if (step === "BiasAdd") {
      nodes.push({
        name,
        op: "BiasAdd",
        input: [previous, args[next++]!],
        attr: biasAttrs(node, type),
      });
    } else if (ACTIVATIONS.has(step)) nodes.push({ name, op: step, input: [previous], attr: type });
    else if (step === "LeakyRelu") {
      nodes.push({
        name,
        op: step,
        input: [previous],
        attr: new Map([...type, ["alpha", slope(node)]]),
      });
    } else if (step === "Prelu") nodes.push(...prelu(name, previous, args[next++]!, type));
    else throw unknownStep(node, step);
  }
  const last = nodes.pop()!;
  return [...nodes, { ...last, name: node.name }];
}

function fusedOps(node: NodeDef): string[] {
  const list = node.attr.get("fused_ops");
  return list?.kind === "list" ? list.value.s.map((bytes) => new TextDecoder().decode(bytes)) : [];
}

function typeOf(node: NodeDef): ReadonlyMap<string, AttrValue> {
  const type = node.attr.get("T");
  return type === undefined ? new Map() : new Map([["T", type]]);
}

function biasAttrs(node: NodeDef, type: ReadonlyMap<string, AttrValue>): AttrMap {
  const format = node.attr.get("data_format");
  return format === undefined ? type : new Map([...type, ["data_format", format]]);
}

function slope(node: NodeDef): AttrValue {
  return node.attr.get("leakyrelu_alpha") ?? { kind: "f", value: 0.2 };
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

function unknownStep(node: NodeDef, step: string): UnsupportedError {
  return new UnsupportedError({
    where: `node "${node.name}" (${node.op})`,
    found: `fused ${step}`,
    expected: "BiasAdd and an activation",
    features: [`${node.op} with ${step}`],
  });
}
