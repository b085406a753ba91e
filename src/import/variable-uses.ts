/** Operations on variables that never change, rewritten to operations on constants. */
import type { NodeDef } from "../formats/tensorflow/graph-messages.ts";
import type { Attr } from "../graph/ir.ts";
import { constantNode, type NodeEmitter } from "./graph-plan.ts";
import { isVariable } from "./resolver.ts";
import type { Scope } from "./scope.ts";

/**
 * Emits the constant form of `node` under `name` when it uses a frozen variable: a gather from the resource is a
 * gather, the variable's shape is the shape of its value, and it is always initialized. Returns false for every other
 * node.
 */
export function rewriteVariableUse(
  builder: NodeEmitter,
  scope: Scope,
  node: NodeDef,
  name: string,
): boolean {
  const rewrite = REWRITES[node.op];
  const handle = node.input[0];
  if (rewrite === undefined || handle === undefined) return false;
  const { resolver } = builder.context;
  const source = resolver.resolve(scope, handle);
  if (source?.kind !== "node" || !isVariable(source.node)) return false;
  if (resolver.mutable.has(source.node)) return false;
  rewrite(builder, scope, node, name);
  return true;
}

type Rewrite = (builder: NodeEmitter, scope: Scope, node: NodeDef, name: string) => void;

const REWRITES: Readonly<Partial<Record<string, Rewrite>>> = {
  ResourceGather(builder, scope, node, name) {
    const from = builder.attrsOf(scope, node);
    const axis = builder.addConstant(`${name}/axis`, {
      dtype: "int32",
      shape: [],
      data: Int32Array.of(0),
    });
    const attrs = renamed(from, {
      dtype: "Tparams",
      Tindices: "Tindices",
      batch_dims: "batch_dims",
    });
    attrs.set("Taxis", { kind: "type", value: "int32" });
    const inputs = [...builder.inputsOf(scope, node), axis];
    builder.add({ name, op: "GatherV2", inputs, attrs, outputCount: 1 });
  },
  ResourceGatherNd(builder, scope, node, name) {
    const attrs = renamed(builder.attrsOf(scope, node), { dtype: "Tparams", Tindices: "Tindices" });
    const inputs = builder.inputsOf(scope, node);
    builder.add({ name, op: "GatherNd", inputs, attrs, outputCount: 1 });
  },
  VariableShape(builder, scope, node, name) {
    const attrs = renamed(builder.attrsOf(scope, node), { out_type: "out_type" });
    const inputs = builder.inputsOf(scope, node);
    builder.add({ name, op: "Shape", inputs, attrs, outputCount: 1 });
  },
  VarIsInitializedOp: emitTrue,
  IsVariableInitialized: emitTrue,
};

function emitTrue(builder: NodeEmitter, _scope: Scope, _node: NodeDef, name: string): void {
  builder.add(constantNode(name, { dtype: "bool", shape: [], data: Uint8Array.of(1) }));
}

/** The attributes named on the left, under the names on the right. */
function renamed(
  attrs: ReadonlyMap<string, Attr>,
  names: Readonly<Record<string, string>>,
): Map<string, Attr> {
  const result = new Map<string, Attr>();
  for (const [from, to] of Object.entries(names)) {
    const attr = attrs.get(from);
    if (attr !== undefined) result.set(to, attr);
  }
  return result;
}
