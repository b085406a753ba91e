/**
 * Two recurrent operators over one sequence, the second reading it backwards, become one bidirectional operator, whose
 * second output is in the order of the input again. Where only the concatenation of both is used, that is its output.
 * The nodes BidirectionalLstm and BidirectionalRnn are ours, and are lowered one to one.
 *
 * BIDIRECTIONAL_SEQUENCE_RNN is left out in time-major order: with int8 weights, the official kernel runs over such a
 * sequence once for every step.
 */
import { boolAttr, intAttr } from "../graph/attrs.ts";
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { integersOf } from "./fold/values.ts";
import { GraphBuilder, rebuild } from "./graph-builder.ts";
import { Matcher, sameRef } from "./patterns/matcher.ts";

const FUSED: ReadonlyMap<string, string> = new Map([
  ["SequenceLstm", "BidirectionalLstm"],
  ["SequenceRnn", "BidirectionalRnn"],
]);

/** What both directions must have in common. */
const SHARED = [
  "time_major",
  "activation",
  "cell_clip",
  "proj_clip",
  "peephole",
  "projection",
] as const;

export function fuseBidirectional(graph: Graph): Graph {
  const pairs = findPairs(graph);
  return pairs.length === 0 ? graph : mergeOutputs(fusePairs(graph, pairs));
}

interface Pair {
  readonly forward: GraphNode;
  readonly backward: GraphNode;
}

/** Each operator that reads a reversed sequence, with one that reads the sequence as it is. */
function findPairs(graph: Graph): Pair[] {
  const candidates = graph.nodes.filter(
    (node) => FUSED.has(node.op) && !(node.op === "SequenceRnn" && boolAttr(node, "time_major")),
  );
  if (candidates.length < 2) return [];
  const build = new GraphBuilder(graph.functions);
  for (const node of graph.nodes) build.addNode(node);
  const open = new Set(candidates);
  const pairs: Pair[] = [];
  for (const backward of candidates) {
    const straight = reversed(backward.inputs[0], timeAxis(backward), build);
    const forward = [...open].find(
      (node) =>
        node !== backward && sameRef(node.inputs[0], straight) && agree(node, backward, build),
    );
    if (forward === undefined || !open.has(backward)) continue;
    pairs.push({ forward, backward });
    open.delete(forward);
    open.delete(backward);
  }
  return pairs;
}

const timeAxis = (node: GraphNode): number => (boolAttr(node, "time_major") ? 0 : 1);

/** The value that a ReverseV2 along this axis reverses. */
function reversed(
  ref: ValueRef | undefined,
  axis: number,
  build: GraphBuilder,
): ValueRef | undefined {
  const [x, axes] = new Matcher(build).inputs(ref, "ReverseV2") ?? [];
  return `${integersOf(build.value(axes))}` === `${axis}` ? x : undefined;
}

/** The official kernel takes the widths of the backward direction from the forward one. */
function agree(a: GraphNode, b: GraphNode, build: GraphBuilder): boolean {
  const widths = ({ inputs }: GraphNode) => inputs.slice(1).map((ref) => build.shape(ref)?.[0]);
  const has = (name: string) => a.attrs.get(name)?.value === b.attrs.get(name)?.value;
  return a.op === b.op && SHARED.every(has) && `${widths(a)}` === `${widths(b)}`;
}

/** Puts the fused operator where the first of the two stood: both need the sequence only, and constants. */
function fusePairs(graph: Graph, pairs: readonly Pair[]): Graph {
  const constants = new Map(graph.nodes.map((node) => [node.name, node.attrs.get("value")]));
  const pairOf = new Map(
    pairs.flatMap((pair) => [
      [pair.forward.name, pair],
      [pair.backward.name, pair],
    ]),
  );
  const done = new Map<Pair, ValueRef>();
  return rebuild(graph, (node, build) => {
    if (node.op === "ReverseV2") return reversedTwice(node, build);
    if (node.op === "StridedSlice") return lastOfReversed(node, build);
    const pair = pairOf.get(node.name);
    const x = node.inputs[0];
    if (pair === undefined || x === undefined) return undefined;
    const axis = timeAxis(node);
    const isBackward = node.name === pair.backward.name;
    const sequence = isBackward ? (reversed(x, axis, build) ?? x) : x;
    const fused = done.get(pair) ?? emitPair(pair, sequence, constants, build);
    done.set(pair, fused);
    if (!isBackward) return [fused];
    return [build.add(node.name, "ReverseV2", [{ ...fused, output: 1 }, build.ints([axis])])];
  });
}

function reversedTwice(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  const axes = integersOf(build.value(node.inputs[1]));
  const inner = axes?.length === 1 ? reversed(node.inputs[0], axes[0] ?? -1, build) : undefined;
  return inner && [inner];
}

/** The last step of a reversed sequence is the first one: begin −1 with a dropped axis becomes 0. */
function lastOfReversed(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  const [x, begin, end, strides] = node.inputs;
  const from = integersOf(build.value(begin));
  const axis = from?.indexOf(-1) ?? -1;
  const drops = axis >= 0 && intAttr(node, "shrink_axis_mask") === 1 << axis;
  const straight = drops ? reversed(x, axis, build) : undefined;
  if (!straight || !from || !end || !strides || intAttr(node, "ellipsis_mask") !== 0)
    return undefined;
  const first = build.ints(from.with(axis, 0));
  const inputs = [straight, first, end, strides];
  return [build.add(node.name, "StridedSlice", inputs, Object.fromEntries(node.attrs))];
}

/** The operands of the other direction may come later in the graph: constants are made anew. */
function emitPair(
  { forward, backward }: Pair,
  sequence: ValueRef,
  constants: ReadonlyMap<string, Attr | undefined>,
  build: GraphBuilder,
): ValueRef {
  const weights = [forward, backward].flatMap(({ inputs }) =>
    inputs.slice(1).flatMap(({ node }) => {
      const value = constants.get(node);
      return value?.kind === "tensor" ? [build.constant(node, value.value)] : [];
    }),
  );
  const attrs: Record<string, Attr> = { merge: attr.bool(false) };
  for (const name of SHARED) {
    const value = forward.attrs.get(name);
    if (value !== undefined) attrs[name] = value;
  }
  const op = FUSED.get(forward.op) ?? forward.op;
  return build.add(forward.name, op, [sequence, ...weights], attrs, 2);
}

/**
 * Concatenations of both outputs that nothing else uses become the operator's own. Of a batch-major LSTM only where the
 * batch is 1: the official kernel writes the outputs of the others to wrong places.
 */
function mergeOutputs(graph: Graph): Graph {
  const uses = new Map<string, number>();
  const count = ({ node }: ValueRef) => uses.set(node, (uses.get(node) ?? 0) + 1);
  for (const { inputs } of graph.nodes) inputs.forEach(count);
  for (const { value } of graph.outputs) count(value);
  return rebuild(graph, (node, build) => {
    const [forward, backward, axisRef] = node.op === "ConcatV2" ? node.inputs : [];
    const producer = forward && build.producer(forward);
    if (
      forward === undefined ||
      producer === undefined ||
      ![...FUSED.values()].includes(producer.op)
    )
      return undefined;
    const axis = integersOf(build.value(axisRef))?.[0];
    const misplaced =
      producer.op === "BidirectionalLstm" &&
      !boolAttr(producer, "time_major") &&
      build.shape(forward)?.[0] !== 1;
    const isBoth =
      !misplaced &&
      node.inputs.length === 3 &&
      forward.output === 0 &&
      backward?.node === producer.name &&
      backward.output === 1 &&
      uses.get(producer.name) === 2 &&
      (axis === 2 || axis === -1);
    if (!isBoth) return undefined;
    const attrs = { ...Object.fromEntries(producer.attrs), merge: attr.bool(true) };
    return [build.add(producer.name, producer.op, producer.inputs, attrs)];
  });
}
