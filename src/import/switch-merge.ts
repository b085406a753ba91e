/**
 * Conditions of TensorFlow 1 as If nodes. A condition sent every value that a branch uses through a Switch, whose
 * output 0 leads to the branch for false and output 1 to the one for true, and joined the results in Merge nodes.
 * Where the predicate is a constant only the live branch stays.
 */
import type { DType } from "../base/dtype.ts";
import { GraphError, LimitError, UnsupportedError } from "../base/errors.ts";
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { outputType } from "../graph/output-types.ts";
import {
  argumentFor,
  buildFunction,
  type Cut,
  collect,
  type FunctionArg,
} from "./flat-function.ts";
import { attrs, type FlatNodes, followRef, refKey } from "./flat-nodes.ts";
import { isVariant } from "./variant-values.ts";

/** Each condition costs walks over the graph. */
const MAX_MERGES = 2000;

/** A Merge whose branches hold no other Merge. `sides[1]` is what it gives when the predicate is true. */
interface Condition {
  readonly merge: GraphNode;
  readonly predicate: ValueRef;
  readonly sides: readonly [ValueRef, ValueRef];
}

/** Turns every condition; returns where the `roots` are afterwards. */
export function convertConditions(
  nodes: FlatNodes,
  roots: readonly ValueRef[],
  functions: Map<string, Graph>,
): ValueRef[] {
  let current = [...roots];
  for (;;) {
    nodes.prune(current.map(({ node }) => node));
    const merges = nodes.all().filter(isMerge);
    if (merges.length === 0) return current;
    if (merges.length > MAX_MERGES) throw tooMany(merges.length);
    const conditions = merges.map((merge) => describe(nodes, merge)).filter((c) => c !== undefined);
    const first = conditions[0];
    if (first === undefined) throw conditionError(merges[0]!, "branches that enter each other");
    const predicate = refKey(first.predicate);
    const group = conditions.filter((condition) => refKey(condition.predicate) === predicate);
    const moved = convertGroup(nodes, group, functions);
    nodes.redirect(moved);
    current = current.map((root) => followRef(root, moved));
  }
}

function tooMany(count: number): LimitError {
  return new LimitError({
    where: "conditions",
    found: `${count} results`,
    expected: `at most ${MAX_MERGES}`,
    limit: "results of conditions",
    value: count,
    max: MAX_MERGES,
  });
}

function isMerge({ op }: GraphNode): boolean {
  return op === "Merge" || op === "RefMerge";
}

function isSwitch({ op }: GraphNode): boolean {
  return op === "Switch" || op === "RefSwitch";
}

/** Undefined while another Merge stands between this one and its Switches. */
function describe(nodes: FlatNodes, merge: GraphNode): Condition | undefined {
  if (merge.inputs.length !== 2) throw conditionError(merge, `${merge.inputs.length} branches`);
  const found = merge.inputs.map((input) => nearestSwitches(nodes, input));
  if (found.some((branch) => branch === undefined)) return undefined;
  const switches = found.flatMap((branch) => branch ?? []);
  const predicate = switches[0] && nodes.get(switches[0].node)?.inputs[1];
  if (predicate === undefined) {
    throw conditionError(
      merge,
      "branches that use no value from outside, so that none tells them apart",
    );
  }
  const live = found.map((branch) => branch?.[0]?.output);
  const firstIsTrue = live[0] === 1 || live[1] === 0;
  const [a, b] = merge.inputs as [ValueRef, ValueRef];
  return { merge, predicate, sides: firstIsTrue ? [b, a] : [a, b] };
}

/** The Switch outputs that a branch begins with; undefined when it holds a Merge. */
function nearestSwitches(nodes: FlatNodes, from: ValueRef): ValueRef[] | undefined {
  const switches: ValueRef[] = [];
  const seen = new Set<string>();
  const queue = [from];
  for (let ref = queue.pop(); ref !== undefined; ref = queue.pop()) {
    const node = nodes.get(ref.node);
    if (node === undefined) continue;
    if (isSwitch(node)) {
      switches.push(ref);
      continue;
    }
    if (isMerge(node)) return undefined;
    if (seen.has(node.name)) continue;
    seen.add(node.name);
    queue.push(...node.inputs);
  }
  return switches;
}

function convertGroup(
  nodes: FlatNodes,
  group: readonly Condition[],
  functions: Map<string, Graph>,
): Map<string, ValueRef> {
  const predicate = group[0]!.predicate;
  const constant = nodes.constantValue(predicate);
  const switches = nodes.all().filter((node) => isSwitch(node) && samePredicate(node, predicate));
  if (constant !== undefined) {
    const live = Number(constant.data[0]) === 0 ? 0 : 1;
    const moved = new Map<string, ValueRef>();
    for (const { merge, sides } of group) moved.set(`${merge.name}:0`, sides[live]);
    for (const node of switches) moved.set(`${node.name}:${live}`, node.inputs[0]!);
    return moved;
  }
  return emitIf(nodes, group, switches, functions);
}

function samePredicate(node: GraphNode, predicate: ValueRef): boolean {
  const own = node.inputs[1];
  return own !== undefined && refKey(own) === refKey(predicate);
}

function emitIf(
  nodes: FlatNodes,
  group: readonly Condition[],
  switches: readonly GraphNode[],
  functions: Map<string, Graph>,
): Map<string, ValueRef> {
  refuseIndexUse(nodes, group);
  const operands = [
    ...new Map(switches.map(({ inputs }) => [refKey(inputs[0]!), inputs[0]!])).values(),
  ];
  const indexOf = new Map(operands.map((ref, i) => [refKey(ref), i]));
  const branchNodes = nodes.dependents(
    switches.map(({ name }) => name),
    isMerge,
  );
  const cut: Cut = {
    nodes,
    functions,
    args: operands.map((ref): FunctionArg => argumentFor(nodes, ref)),
    argOf(ref) {
      const node = nodes.get(ref.node);
      const isBorder = node !== undefined && switches.includes(node);
      return isBorder ? indexOf.get(refKey(node.inputs[0]!)) : undefined;
    },
    isInner: (node) => branchNodes.has(node.name) && !isMerge(node),
    captured: new Map(),
    finish: (_nodes, roots) => roots,
  };
  const sides = [group.map(({ sides }) => sides[0]), group.map(({ sides }) => sides[1])] as const;
  collect(cut, [...sides[0], ...sides[1]]);
  const name = nodes.uniqueName(`${group[0]!.merge.name}/cond`);
  functions.set(`${name}/else`, buildFunction(cut, sides[0], false));
  functions.set(`${name}/then`, buildFunction(cut, sides[1], false));
  const types = functions.get(`${name}/then`)!.inputs.map(({ dtype }) => typeAttr(dtype));
  const predicate = group[0]!.predicate;
  nodes.set({
    name,
    op: "If",
    inputs: [predicate, ...operands, ...cut.captured.values()],
    attrs: attrs({
      Tcond: { kind: "type", value: "bool" },
      Tin: { kind: "list", value: types },
      Tout: { kind: "list", value: group.map(({ merge }) => typeOf(nodes, merge)) },
      then_branch: { kind: "func", value: `${name}/then` },
      else_branch: { kind: "func", value: `${name}/else` },
      output_shapes: { kind: "list", value: [] },
    }),
    outputCount: group.length,
  });
  return new Map(group.map(({ merge }, output) => [`${merge.name}:0`, { node: name, output }]));
}

function typeAttr(value: DType): Attr {
  return { kind: "type", value };
}

function typeOf(nodes: FlatNodes, merge: GraphNode): Attr {
  const type = isVariant(nodes, merge.inputs[0]!) ? "variant" : outputType(merge, 0);
  if (type === undefined) throw conditionError(merge, "a result of unknown type");
  return typeAttr(type);
}

/** Output 1 of a Merge says which branch was taken. */
function refuseIndexUse(nodes: FlatNodes, group: readonly Condition[]): void {
  const merges = new Set(group.map(({ merge }) => merge.name));
  for (const { name, inputs } of nodes.all()) {
    const used = inputs.find(({ node, output }) => output === 1 && merges.has(node));
    if (used === undefined) continue;
    throw new UnsupportedError({
      where: `node "${name}"`,
      found: `a use of the branch number of "${used.node}"`,
      expected: "uses of its value only",
      features: ["Merge with value_index"],
    });
  }
}

function conditionError(merge: GraphNode, found: string): GraphError {
  return new GraphError({
    where: `condition that ends in "${merge.name}"`,
    found,
    remedy: "Save the model again, with control flow v2",
    node: merge.name,
  });
}
