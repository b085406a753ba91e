/**
 * Makes While and If ready for TFLite: their functions get the types of what they are called with, tensor lists become
 * tensors, constants move inside, and loop variables that nothing needs, or that repeat another one, go away. Each call
 * gets functions of its own. A branch with a constant condition is put in place.
 */
import { assert } from "../base/errors.ts";
import { funcAttr, tensorAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { integersOf } from "./fold/values.ts";
import { foldConstants } from "./fold-constants.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import type { ValueType } from "./infer/typed-node.ts";
import { inlineGraph } from "./loops/inline.ts";
import { LIST_RULES, materialize } from "./loops/list-ops.ts";
import {
  argumentIndex,
  bindArguments,
  mergeTypes,
  neededArguments,
  outputTypes,
  withInputTypes,
} from "./loops/loop-parts.ts";
import { removeIdentities } from "./remove-identities.ts";
import { usedOutputs } from "./used-outputs.ts";

/** Rounds of type inference through a loop's body; sizes settle in two, lists of lists in three. */
const MAX_ROUNDS = 4;

export function lowerLoops(graph: Graph): Graph {
  const functions = new Map<string, Graph>();
  const lowered = lowerGraph(graph, graph.functions, functions);
  return { ...lowered, functions };
}

function lowerGraph(
  graph: Graph,
  source: ReadonlyMap<string, Graph>,
  target: Map<string, Graph>,
): Graph {
  const used = usedOutputs(graph);
  return rebuild({ ...graph, functions: source }, (node, build) => {
    if (/^(Stateless)?While$/.test(node.op)) return lowerWhile(node, build, used, source, target);
    if (/^(Stateless)?If$/.test(node.op)) return lowerIf(node, build, source, target);
    const result = LIST_RULES.get(node.op)?.(node, build);
    return result === undefined || "length" in result ? result : [result];
  });
}

interface Loop {
  readonly cond: Graph;
  readonly body: Graph;
  readonly values: readonly ValueRef[];
}

function lowerWhile(
  node: GraphNode,
  build: GraphBuilder,
  used: ReadonlySet<string>,
  source: ReadonlyMap<string, Graph>,
  target: Map<string, Graph>,
): readonly ValueRef[] {
  const clean = (name: string) => removeIdentities(functionNamed(source, name, node));
  let loop: Loop = {
    cond: clean(funcAttr(node, "cond")),
    body: clean(funcAttr(node, "body")),
    values: node.inputs,
  };
  // Where each output of the node comes from: a loop variable by its present index, or a value from outside.
  let origin: (number | ValueRef)[] = node.inputs.map((_, i) => i);
  const shrink = (bound: ReadonlyMap<number, GraphNode | number | "drop">) => {
    if (bound.size === 0) return;
    ({ loop, origin } = withoutVariables(loop, origin, bound));
  };
  shrink(invariants(loop, build));
  shrink(repeats(loop, build));
  shrink(
    unneeded(
      loop,
      new Set(
        origin.flatMap((at, i) =>
          used.has(`${node.name}:${i}`) && typeof at === "number" ? [at] : [],
        ),
      ),
    ),
  );
  const { values, types } = settleTypes(loop, build);
  const finish = (graph: Graph, role: string): string => {
    const typed = foldConstants(withInputTypes(graph, types));
    const name = freeKey(target, `${node.name}/${role}`);
    const lowered = foldConstants(lowerGraph(typed, source, target));
    target.set(name, { ...lowered, functions: new Map() });
    return name;
  };
  const first = build.add(
    node.name,
    "While",
    values,
    {
      cond: attr.func(finish(loop.cond, "cond")),
      body: attr.func(finish(loop.body, "body")),
      T: attr.types(types.map(({ dtype }) => dtype)),
      output_shapes: attr.shapes(types.map(({ shape }) => shape)),
    },
    values.length,
  );
  return origin.map((at) => (typeof at === "number" ? { node: first.node, output: at } : at));
}

/** Variables that the body hands on unchanged: constants move inside, others are dropped from the outputs only. */
function invariants({ body, values }: Loop, build: GraphBuilder): Map<number, GraphNode> {
  const bound = new Map<number, GraphNode>();
  body.outputs.forEach(({ value }, i) => {
    const outside = values[i];
    if (argumentIndex(body, value) !== i || outside === undefined) return;
    const producer = build.producer(outside);
    if (producer.op === "Const") bound.set(i, producer);
  });
  return bound;
}

/** Counters that start and step alike: all but the first stand for the first. */
function repeats({ body, values }: Loop, build: GraphBuilder): Map<number, number> {
  const seen = new Map<string, number>();
  const bound = new Map<number, number>();
  const byName = new Map(body.nodes.map((node) => [node.name, node]));
  body.outputs.forEach(({ value }, i) => {
    const start = integersOf(build.value(values[i]));
    const step = byName.get(value.node);
    if (start?.length !== 1 || step === undefined || !/^Add(V2)?$/.test(step.op)) return;
    const own = step.inputs.findIndex((input) => argumentIndex(body, input) === i);
    const other = byName.get(step.inputs[1 - own]?.node ?? "");
    if (own < 0 || other?.op !== "Const") return;
    const by = integersOf(tensorAttr(other, "value"));
    const key = `${build.value(values[i])?.dtype}:${start}:${by}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, i);
    else bound.set(i, first);
  });
  return bound;
}

/** Variables that neither the condition nor any output that is read depends on. */
function unneeded({ cond, body }: Loop, usedVariables: ReadonlySet<number>): Map<number, "drop"> {
  let live = new Set([...usedVariables, ...neededArguments(cond, new Set([0]))]);
  for (let size = -1; size !== live.size; ) {
    size = live.size;
    live = new Set([...live, ...neededArguments(body, live)]);
  }
  return new Map(body.inputs.flatMap((_, i) => (live.has(i) ? [] : [[i, "drop"] as const])));
}

function withoutVariables(
  { cond, body, values }: Loop,
  origin: readonly (number | ValueRef)[],
  bound: ReadonlyMap<number, GraphNode | number | "drop">,
): { loop: Loop; origin: (number | ValueRef)[] } {
  const inside = new Map<number, GraphNode | number>();
  for (const [index, by] of bound) if (by !== "drop") inside.set(index, by);
  const keep = values.map((_, i) => i).filter((i) => !bound.has(i));
  const place = new Map(keep.map((old, now) => [old, now]));
  const cut = (graph: Graph): Graph => dropInputs(bindArguments(graph, inside), graph, keep);
  const now = (at: number): number | ValueRef => {
    const by = bound.get(at);
    const outside = values[at];
    assert(outside !== undefined, "every loop variable has a start");
    if (by === undefined) return place.get(at) ?? outside;
    return typeof by === "number" ? (place.get(by) ?? outside) : outside;
  };
  const bodyCut = cut(body);
  return {
    loop: {
      cond: cut(cond),
      body: { ...bodyCut, outputs: keep.flatMap((i) => bodyCut.outputs[i] ?? []) },
      values: keep.flatMap((i) => values[i] ?? []),
    },
    origin: origin.map((at) => (typeof at === "number" ? now(at) : at)),
  };
}

/** Drops the inputs that were neither kept nor bound. */
function dropInputs(graph: Graph, original: Graph, keep: readonly number[]): Graph {
  const kept = new Set(keep.map((i) => original.inputs[i]?.node));
  return { ...graph, inputs: graph.inputs.filter(({ node }) => kept.has(node)) };
}

/** Types of the loop variables that hold in every round, and the start values with lists turned into tensors. */
function settleTypes(
  { body, values }: Loop,
  build: GraphBuilder,
): { values: ValueRef[]; types: readonly ValueType[] } {
  let types: readonly ValueType[] = values.map((ref) => build.type(ref));
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const after = outputTypes(foldConstants(withInputTypes(body, types)), build.functions);
    types = types.map((type, i) => mergeTypes(type, after[i] ?? type));
  }
  const starts = values.map((ref, i) => {
    const list = types[i]?.list;
    const like = values.find((value) => `${build.shape(value)}` === `${list?.element.shape}`);
    return (list && materialize(ref, list, build, like)) ?? ref;
  });
  const settled = types.map((type, i): ValueType => {
    if (type.list === undefined) return type;
    const start = starts[i];
    const { dtype, shape } = start === undefined ? type : build.type(start);
    return { dtype, shape };
  });
  return { values: starts, types: settled };
}

function lowerIf(
  node: GraphNode,
  build: GraphBuilder,
  source: ReadonlyMap<string, Graph>,
  target: Map<string, Graph>,
): readonly ValueRef[] {
  const [condition, ...values] = node.inputs;
  assert(condition !== undefined, "an If has a condition");
  const types = values.map((ref) => build.type(ref));
  const branch = (name: string): Graph => {
    const typed = withInputTypes(
      removeIdentities(functionNamed(source, funcAttr(node, name), node)),
      types,
    );
    return foldConstants(lowerGraph(foldConstants(typed), source, target));
  };
  const known = build.value(condition)?.data[0];
  if (typeof known === "number") {
    return inlineGraph(
      branch(known !== 0 ? "then_branch" : "else_branch"),
      values,
      node.name,
      build,
    );
  }
  const branches = [branch("then_branch"), branch("else_branch")] as const;
  const outputs = outputTypes(branches[0], target).map((type, i) =>
    mergeTypes(type, outputTypes(branches[1], target)[i] ?? type),
  );
  const store = (graph: Graph, role: string): string => {
    const name = freeKey(target, `${node.name}/${role}`);
    target.set(name, { ...graph, functions: new Map() });
    return name;
  };
  const first = build.add(
    node.name,
    "If",
    [condition, ...values],
    {
      then_branch: attr.func(store(branches[0], "then")),
      else_branch: attr.func(store(branches[1], "else")),
      Tout: attr.types(outputs.map(({ dtype }) => dtype)),
      output_shapes: attr.shapes(outputs.map(({ shape }) => shape)),
    },
    outputs.length,
  );
  return outputs.map((_, output) => ({ node: first.node, output }));
}

function functionNamed(
  functions: ReadonlyMap<string, Graph>,
  name: string,
  node: GraphNode,
): Graph {
  const found = functions.get(name);
  assert(
    found !== undefined,
    `function ${name} of node ${node.name} is there: the graph was verified`,
  );
  return found;
}

function freeKey(functions: ReadonlyMap<string, Graph>, wanted: string): string {
  let key = wanted;
  for (let i = 1; functions.has(key); i++) key = `${wanted}_${i}`;
  return key;
}
