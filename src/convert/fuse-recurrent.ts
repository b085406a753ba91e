/**
 * Loops that are recurrent networks become UNIDIRECTIONAL_SEQUENCE_LSTM and _RNN, stacked cells one operator each. A
 * loop is left alone when anything in it is not accounted for: masks, other activations, states that do not start at
 * zero, final cell states that are used, an unknown batch size. Loops over batch-major data are fused without their transposes.
 */
import type { Diagnostic } from "../base/errors.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { integersOf } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { Matcher } from "./patterns/matcher.ts";
import { type Cell, matchLstm, matchRnn } from "./recurrent/cells.ts";
import { emitCell } from "./recurrent/emit-cell.ts";
import { type LoopState, readSequenceLoop, type SequenceLoop } from "./recurrent/sequence-loop.ts";
import { isZero, lastStep, stateRemark } from "./recurrent/sequence-values.ts";
import { usedOutputs } from "./used-outputs.ts";

export function fuseRecurrent(
  graph: Graph,
  note: (diagnostic: Diagnostic) => void,
  { isMain }: { readonly isMain: boolean },
): Graph {
  // In the body of a loop the operator would keep its state from one round to the next.
  if (!isMain) return graph;
  const used = usedOutputs(graph);
  return rebuild(graph, (node, build) => {
    const loop = node.op === "While" ? readSequenceLoop(node, build) : undefined;
    const cells = loop && matchCells(loop, build);
    if (loop === undefined || cells === undefined) return undefined;
    const replaced = replaceLoop(node, loop, cells, build);
    if (replaced.some((value, i) => value === undefined && used.has(`${node.name}:${i}`)))
      return undefined;
    const kinds = cells.map(({ cell }) => (cell.kind === "lstm" ? "LSTM" : "RNN"));
    note(stateRemark(node.name, kinds));
    return replaced.map((value, i) => value ?? node.inputs[i] ?? { node: node.name, output: i });
  });
}

interface MatchedCell {
  readonly cell: Cell;
  /** Input of the step inside the loop. */
  readonly x: ValueRef;
}

/** Finds the cells one after the other: each takes the sequence or the state of one found before. */
function matchCells(loop: SequenceLoop, build: GraphBuilder): MatchedCell[] | undefined {
  const outside = new Matcher(build);
  const knowsBatch = loop.inputs.every(({ outside: x }) => (build.shape(x)?.[1] ?? -1) >= 0);
  if (loop.states.length === 0 || loop.invariants.length > 0 || !knowsBatch) return undefined;
  if (!loop.states.every(({ initial }) => isZero(initial, outside))) return undefined;
  let open: LoopState[] = [...loop.states];
  let sources = loop.inputs.map(({ element }) => element);
  const found: MatchedCell[] = [];
  while (open.length > 0) {
    const next = firstCell(open, sources, loop.body);
    if (next === undefined) return undefined;
    found.push(next);
    const { cell } = next;
    const taken = cell.kind === "lstm" ? [cell.h, cell.c] : [cell.h];
    open = open.filter((state) => !taken.includes(state));
    sources = [...sources, cell.h.after];
  }
  return found;
}

function firstCell(
  states: readonly LoopState[],
  sources: readonly ValueRef[],
  match: Matcher,
): MatchedCell | undefined {
  for (const x of sources) {
    for (const h of states) {
      const plain = matchRnn(x, h, match);
      if (plain !== undefined) return { cell: plain, x };
      for (const c of states) {
        const lstm = c === h ? undefined : matchLstm(x, h, c, match);
        if (lstm !== undefined) return { cell: lstm, x };
      }
    }
  }
  return undefined;
}

/** Values for the outputs of the While; undefined for those that the fused operators do not give. */
function replaceLoop(
  node: GraphNode,
  loop: SequenceLoop,
  cells: readonly MatchedCell[],
  build: GraphBuilder,
): (ValueRef | undefined)[] {
  const timeMajor = loop.inputs
    .map(({ outside }) => batchMajor(outside, build))
    .some((x) => x === undefined);
  const sequences = new Map<string, ValueRef>();
  const keyOf = ({ node: name, output }: ValueRef) => `${name}:${output}`;
  for (const { outside, element } of loop.inputs) {
    sequences.set(keyOf(element), timeMajor ? outside : (batchMajor(outside, build) ?? outside));
  }
  for (const { cell, x } of cells) {
    const sequence = sequences.get(keyOf(x));
    if (sequence === undefined) return node.inputs.map(() => undefined);
    sequences.set(keyOf(cell.h.after), emitCell(node.name, cell, sequence, timeMajor, build));
  }
  const result = node.inputs.map<ValueRef | undefined>(() => undefined);
  const sequenceOf = (element: ValueRef) => sequences.get(keyOf(element));
  for (const { index, element, lastOnly } of loop.outputs) {
    const sequence = sequenceOf(element);
    if (sequence === undefined) continue;
    const last = () =>
      build.add(`${node.name}/last`, "ExpandDims", [
        lastStep(node.name, sequence, timeMajor, build),
        build.int(0),
      ]);
    result[index] = lastOnly ? last() : timeMajor ? sequence : swapped(node, sequence, build);
  }
  for (const { cell } of cells) {
    const sequence = sequenceOf(cell.h.after);
    if (sequence !== undefined)
      result[cell.h.index] = lastStep(node.name, sequence, timeMajor, build);
  }
  return result;
}

/** The batch-major tensor behind a time-major one: through the transpose, and a reversal of time. */
function batchMajor(x: ValueRef, build: GraphBuilder): ValueRef | undefined {
  const match = new Matcher(build);
  const [inner, perm] = match.inputs(x, "Transpose") ?? [];
  if (inner !== undefined && `${integersOf(build.value(perm))}` === "1,0,2") return inner;
  const [straight, axes] = match.inputs(x, "ReverseV2") ?? [];
  const source = straight && batchMajor(straight, build);
  if (source === undefined || `${integersOf(build.value(axes))}` !== "0") return undefined;
  return build.add(`${x.node}/batch_major`, "ReverseV2", [source, build.ints([1])]);
}

const swapped = (node: GraphNode, x: ValueRef, build: GraphBuilder): ValueRef =>
  build.add(`${node.name}/time_major`, "Transpose", [x, build.ints([1, 0, 2])]);
