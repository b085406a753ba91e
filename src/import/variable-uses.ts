/**
 * Operations on variables. Those on variables that never change become operations on constants; of those on the others,
 * assignments that add or subtract become a read, a sum and an assignment.
 */
import type { NodeDef } from "../formats/tensorflow/graph-messages.ts";
import type { Attr } from "../graph/ir.ts";
import { constantNode, type NodeEmitter, nodeError } from "./graph-plan.ts";
import { isVariable } from "./resolver.ts";
import type { Scope } from "./scope.ts";

/**
 * Emits another form of `node` under `name` when it uses a variable: a gather from a constant one is a gather, its shape
 * is the shape of its value, and it is always initialized. Returns false for every other node.
 */
export function rewriteVariableUse(
  builder: NodeEmitter,
  scope: Scope,
  node: NodeDef,
  name: string,
): boolean {
  const handle = node.input[0];
  if (handle === undefined || !(CONSTANT_FORMS.has(node.op) || UPDATES.has(node.op))) return false;
  const { resolver } = builder.context;
  const source = resolver.resolve(scope, handle);
  if (source?.kind !== "node" || !isVariable(source.node)) return false;
  const rewrite = (resolver.isMutable(source.node) ? UPDATES : CONSTANT_FORMS).get(node.op);
  rewrite?.(builder, scope, node, name);
  return rewrite !== undefined;
}

/** Names of the nodes that a rewritten assignment consists of, beside its own. */
export function writeParts(name: string): string[] {
  return [`${name}/read`];
}

type Rewrite = (builder: NodeEmitter, scope: Scope, node: NodeDef, name: string) => void;

const CONSTANT_FORMS: ReadonlyMap<string, Rewrite> = new Map(
  Object.entries<Rewrite>({
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
      const attrs = renamed(builder.attrsOf(scope, node), {
        dtype: "Tparams",
        Tindices: "Tindices",
      });
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
  }),
);

const UPDATES: ReadonlyMap<string, Rewrite> = new Map(
  Object.entries<Rewrite>({
    AssignAddVariableOp: (builder, scope, node, name) =>
      emitUpdate(builder, scope, node, name, "AddV2"),
    AssignSubVariableOp: (builder, scope, node, name) =>
      emitUpdate(builder, scope, node, name, "Sub"),
  }),
);

function emitUpdate(
  builder: NodeEmitter,
  scope: Scope,
  node: NodeDef,
  name: string,
  op: string,
): void {
  const [handle, change] = builder.inputsOf(scope, node);
  if (handle === undefined || change === undefined) throw nodeError(scope, node, "no value to add");
  const dtype = renamed(builder.attrsOf(scope, node), { dtype: "dtype" });
  const type = renamed(dtype, { dtype: "T" });
  const [read = ""] = writeParts(name);
  const result = `${name}/result`;
  const old = { node: read, output: 0 };
  const value = { node: result, output: 0 };
  builder.add({ name: read, op: "ReadVariableOp", inputs: [handle], attrs: dtype, outputCount: 1 });
  builder.add({ name: result, op, inputs: [old, change], attrs: type, outputCount: 1 });
  const inputs = [handle, value];
  builder.add({ name, op: "AssignVariableOp", inputs, attrs: dtype, outputCount: 0 });
}

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
