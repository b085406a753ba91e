/**
 * The cells that TensorFlow 1 has single operations for, put together from plain ones: what follows recognizes them as
 * any other cell. Formulas: core/ops/rnn_ops.cc. The gates lie in the order i, c, f, o, those of BlockLSTMV2 i, f, c, o.
 */
import type { Diagnostic } from "../../base/errors.ts";
import { boolAttr, findAttr } from "../../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../../graph/ir.ts";
import { attr } from "../attributes.ts";
import { integersOf } from "../fold/values.ts";
import { type GraphBuilder, rebuild } from "../graph-builder.ts";
import { NodeWriter } from "../node-writer.ts";
import { Matcher } from "../patterns/matcher.ts";
import { usedOutputs } from "../used-outputs.ts";
import { columnsOf, type Matrix } from "./affine.ts";
import type { Gate, LstmWeights } from "./cells.ts";
import { emitCell } from "./emit-cell.ts";
import { isZero, stateRemark } from "./sequence-values.ts";

const BLOCK_CELLS: ReadonlySet<string> = new Set(
  "LSTMBlockCell GRUBlockCell BlockLSTM BlockLSTMV2".split(" "),
);

/** Output of BlockLSTM that is the sequence of h; only this one has a fused operator. */
const H = 6;

/** A whole sequence becomes an operator in the main graph only: in a loop it would keep its state between rounds. */
export function expandBlockCells(
  graph: Graph,
  note: (diagnostic: Diagnostic) => void,
  { isMain }: { readonly isMain: boolean },
): Graph {
  if (!graph.nodes.some(({ op }) => BLOCK_CELLS.has(op))) return graph;
  const used = usedOutputs(graph);
  return rebuild(graph, (node, build) => {
    switch (node.op) {
      case "LSTMBlockCell":
        return lstmCell(node, build);
      case "GRUBlockCell":
        return gruCell(node, build);
      case "BlockLSTM":
      case "BlockLSTMV2": {
        const onlyH = [0, 1, 2, 3, 4, 5].every((output) => !used.has(`${node.name}:${output}`));
        const sequence = isMain && onlyH ? lstmSequence(node, build) : undefined;
        if (sequence !== undefined) note(stateRemark(node.name, ["LSTM"]));
        return sequence;
      }
      default:
        return undefined;
    }
  });
}

/** One step: inputs x, c, h, weights of [x, h], peepholes i f o, biases. */
function lstmCell(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  const [x, before, h, weights, wi, wf, wo, bias] = node.inputs;
  if (!x || !before || !h || !weights || !wi || !wf || !wo || !bias) return undefined;
  const w = new NodeWriter(build, node.name);
  const [sumI, sumC, sumF, sumO] = split(w.add(product([x, h], weights, w), bias), 4, w);
  if (!sumI || !sumC || !sumF || !sumO) return undefined;
  const peeps = boolAttr(node, "use_peephole");
  const gate = (sum: ValueRef, state: ValueRef, peephole: ValueRef): ValueRef =>
    w.unary("Sigmoid", peeps ? w.add(w.mul(state, peephole), sum) : sum);
  const i = gate(sumI, before, wi);
  const f = gate(w.add(sumF, findAttr(node, "forget_bias", "float") ?? 0), before, wf);
  const candidate = w.unary("Tanh", sumC);
  const clip = findAttr(node, "cell_clip", "float") ?? 0;
  const next = w.add(w.mul(candidate, i), w.mul(before, f));
  const c = clip > 0 ? w.binary("Maximum", w.binary("Minimum", next, clip), -clip) : next;
  const o = gate(sumO, c, wo);
  const squashed = w.unary("Tanh", c);
  return [i, c, f, o, candidate, squashed, w.mul(squashed, o)];
}

/** One step: inputs x, h, weights and biases of the gates r u and of the candidate. */
function gruCell(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  const [x, h, gateWeights, weights, gateBias, bias] = node.inputs;
  if (!x || !h || !gateWeights || !weights || !gateBias || !bias) return undefined;
  const w = new NodeWriter(build, node.name);
  const gates = w.unary("Sigmoid", w.add(product([x, h], gateWeights, w), gateBias));
  const [r, u] = split(gates, 2, w);
  if (!r || !u) return undefined;
  const c = w.unary("Tanh", w.add(product([x, w.mul(h, r)], weights, w), bias));
  return [r, u, c, w.add(w.mul(u, h), w.mul(w.sub(1, u), c))];
}

function product(parts: readonly ValueRef[], weights: ValueRef, w: NodeWriter): ValueRef {
  const joined = w.node("ConcatV2", [...parts, w.build.int(1)]);
  const plain = { transpose_a: attr.bool(false), transpose_b: attr.bool(false) };
  return w.node("MatMul", [joined, weights], plain);
}

function split(x: ValueRef, count: number, w: NodeWriter): ValueRef[] {
  const attrs = { num_split: attr.int(count) };
  const { node } = w.build.add(`${w.prefix}/split`, "Split", [w.build.int(1), x], attrs, count);
  return Array.from({ length: count }, (_, output) => ({ node, output }));
}

/** The whole sequence, where it starts at zero and runs to its end. */
function lstmSequence(node: GraphNode, build: GraphBuilder): readonly ValueRef[] | undefined {
  const [length, x, c, h] = node.inputs;
  const match = new Matcher(build);
  const shape = x && build.shape(x);
  const steps = integersOf(build.value(length))?.[0];
  const weights = shape && sequenceWeights(node, shape.at(-1) ?? -1, build);
  if (!x || !c || !h || !shape || !weights) return undefined;
  const isWhole = steps !== undefined && steps === shape[0] && (shape[1] ?? -1) >= 0;
  if (!isWhole || !isZero(c, match) || !isZero(h, match)) return undefined;
  const sequence = emitCell(node.name, weights, x, true, build);
  return Array.from({ length: H + 1 }, () => sequence);
}

function sequenceWeights(
  node: GraphNode,
  depth: number,
  build: GraphBuilder,
): LstmWeights | undefined {
  const values = node.inputs.slice(4).map((ref) => build.value(ref));
  if (!values.every((value) => value?.dtype === "float32")) return undefined;
  const [weights, ...vectors] = values;
  const [wi, wf, wo, bias] = vectors.map((value) => value?.data as Float32Array);
  const [rows = 0, columns = 0] = weights?.shape ?? [];
  const units = columns / 4;
  if (!weights || !wi || !wf || !wo || bias?.length !== columns || rows !== depth + units) {
    return undefined;
  }
  const data = weights.data as Float32Array;
  const upper: Matrix = { rows: depth, columns, data: data.subarray(0, depth * columns) };
  const lower: Matrix = { rows: units, columns, data: data.subarray(depth * columns) };
  const peeps = boolAttr(node, "use_peephole");
  const gate = (index: number, peephole?: Float32Array, offset = 0): Gate => ({
    x: columnsOf(upper, index * units, units),
    h: columnsOf(lower, index * units, units),
    bias: bias.slice(index * units, (index + 1) * units).map((value) => value + offset),
    ...(peeps && peephole && { peephole }),
  });
  const [forget, cell] = node.op === "BlockLSTM" ? [2, 1] : [1, 2];
  return {
    kind: "lstm",
    input: gate(0, wi),
    forget: gate(forget, wf, findAttr(node, "forget_bias", "float") ?? 0),
    cell: gate(cell),
    output: gate(3, wo),
    activation: "TANH",
    cellClip: Math.max(0, findAttr(node, "cell_clip", "float") ?? 0),
    projectionClip: 0,
  };
}
