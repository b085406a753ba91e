/**
 * Loops of TensorFlow 1 as While nodes. A loop was a frame of single nodes: Enter brings a value in, Merge joins it
 * with the one from the round before (NextIteration), Switch sends it on to the body (output 1) or out through Exit
 * (output 0), as LoopCond says. Values that do not change come in through an Enter that is constant.
 *
 * The innermost frame is turned first; its While is then an ordinary node of the frame around it.
 */
import type { DType } from "../base/dtype.ts";
import { GraphError, LimitError } from "../base/errors.ts";
import type { Attr, Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { outputType } from "../graph/output-types.ts";
import { buildFunction, type Cut, collect, type FunctionArg } from "./flat-function.ts";
import { attrs, type FlatNodes, refKey } from "./flat-nodes.ts";
import { convertConditions } from "./switch-merge.ts";
import { isVariant } from "./variant-values.ts";

/** Each frame costs walks over the graph. Real models have a loop a layer at most. */
const MAX_FRAMES = 256;

/** A loop variable: its Merge, what it starts from, and what the body makes of it. */
interface LoopVariable {
  readonly merge: GraphNode;
  readonly start: ValueRef;
  readonly next: ValueRef;
  readonly dtype: DType;
}

interface Frame {
  readonly name: string;
  /** Names of the nodes of the frame, Enter to Exit. */
  readonly region: ReadonlySet<string>;
  readonly variables: readonly LoopVariable[];
  /** What LoopCond reads. */
  readonly condition: ValueRef;
  /** Exit nodes and the loop variable whose last value they give. */
  readonly exits: ReadonlyMap<string, number>;
  /** Arguments that stand for Merge:0 and Switch:1 in the functions. */
  readonly aliases: ReadonlyMap<string, number>;
}

/** Turns every frame in place; the functions of the loops are added to `functions`. */
export function convertFrames(nodes: FlatNodes, functions: Map<string, Graph>): void {
  for (;;) {
    const enters = nodes.all().filter(({ op }) => op === "Enter" || op === "RefEnter");
    if (enters.length === 0) return;
    const frames = groupByFrame(enters);
    convertFrame(nodes, innermostFrame(nodes, enters, frames), functions);
  }
}

function groupByFrame(enters: readonly GraphNode[]): Map<string, GraphNode[]> {
  const frames = new Map<string, GraphNode[]>();
  for (const enter of enters) {
    const own = frames.get(frameName(enter));
    if (own === undefined) frames.set(frameName(enter), [enter]);
    else own.push(enter);
  }
  if (frames.size <= MAX_FRAMES) return frames;
  throw new LimitError({
    where: "loops",
    found: `${frames.size}`,
    expected: `at most ${MAX_FRAMES}`,
    limit: "loops",
    value: frames.size,
    max: MAX_FRAMES,
  });
}

function innermostFrame(
  nodes: FlatNodes,
  enters: readonly GraphNode[],
  frames: ReadonlyMap<string, readonly GraphNode[]>,
): Frame {
  for (const [name, own] of frames) {
    const starts = own.map((enter) => enter.name);
    const region = nodes.dependents(starts, ({ op }) => op === "Exit" || op === "RefExit");
    if (enters.some((enter) => frameName(enter) !== name && region.has(enter.name))) continue;
    return describeFrame(nodes, name, region);
  }
  throw frameError([...frames.keys()][0]!, "loops that enter each other");
}

function frameName(enter: GraphNode): string {
  const attr = enter.attrs.get("frame_name");
  return attr?.kind === "string" ? attr.value : "";
}

function describeFrame(nodes: FlatNodes, name: string, region: ReadonlySet<string>): Frame {
  const members = [...region].map((member) => nodes.get(member)!);
  const conditions = members.filter(({ op }) => op === "LoopCond");
  const condition = conditions[0]?.inputs[0];
  if (conditions.length !== 1 || condition === undefined) {
    throw frameError(name, `${conditions.length} loop conditions`, "one");
  }
  const variables = members
    .map((merge) => loopVariable(nodes, merge, region))
    .filter((variable) => variable !== undefined)
    .sort((a, b) => compareNames(a.merge.name, b.merge.name));
  const indexOf = new Map(variables.map(({ merge }, i) => [merge.name, i]));
  const aliases = new Map(variables.map(({ merge }, i) => [`${merge.name}:0`, i]));
  const exits = new Map<string, number>();
  for (const member of members) {
    const from = member.inputs[0];
    if (from === undefined) continue;
    if (member.op === "Switch" || member.op === "RefSwitch") {
      const index = indexOf.get(from.node);
      if (index !== undefined) aliases.set(`${member.name}:1`, index);
    }
    if (member.op === "Exit" || member.op === "RefExit") {
      const merged = nodes.get(from.node)?.inputs[0];
      const index = merged && indexOf.get(merged.node);
      if (index === undefined)
        throw frameError(name, `an exit "${member.name}" of no loop variable`);
      exits.set(member.name, index);
    }
  }
  return { name, region, variables, condition, exits, aliases };
}

/** A Merge of an Enter and a NextIteration; the Merges of conditions inside the body have neither. */
function loopVariable(
  nodes: FlatNodes,
  merge: GraphNode,
  region: ReadonlySet<string>,
): LoopVariable | undefined {
  if (merge.op !== "Merge" && merge.op !== "RefMerge") return undefined;
  const sources = merge.inputs.map((input) => nodes.get(input.node));
  const enter = sources.find((node) => node?.op === "Enter" || node?.op === "RefEnter");
  const next = sources.find(
    (node) => node?.op === "NextIteration" || node?.op === "RefNextIteration",
  );
  const start = enter?.inputs[0];
  const value = next?.inputs[0];
  if (start === undefined || value === undefined || !region.has(enter!.name)) return undefined;
  const dtype = isVariant(nodes, start) ? "variant" : outputType(merge, 0);
  if (dtype === undefined) throw frameError(merge.name, "a loop variable of unknown type");
  return { merge, start, next: value, dtype };
}

/** TensorFlow numbers the parts of a loop as it makes them: Merge, Merge_1, …, Merge_10. */
function compareNames(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

function convertFrame(nodes: FlatNodes, frame: Frame, functions: Map<string, Graph>): void {
  const { region, variables, aliases } = frame;
  const args = variables.map(({ merge, dtype }): FunctionArg => ({ name: merge.name, dtype }));
  const argOf = (ref: ValueRef): number | undefined => aliases.get(refKey(ref));
  const isInner = (node: GraphNode): boolean =>
    region.has(node.name) && node.op !== "Enter" && node.op !== "RefEnter";
  const captured = new Map<string, ValueRef>();
  const loop: Cut = { nodes, functions, args, argOf, isInner, captured, finish: convertConditions };
  const nextValues = variables.map(({ next }) => next);
  // Both functions take the same operands, so what either captures must be known before they are built.
  collect(loop, [frame.condition, ...nextValues]);
  const name = nodes.uniqueName(frame.name);
  const cond = buildFunction(loop, [frame.condition], false);
  const body = buildFunction(loop, nextValues, true);
  functions.set(`${name}/cond`, cond);
  functions.set(`${name}/body`, body);
  for (const member of region) {
    if (!frame.exits.has(member)) nodes.delete(member);
  }
  const types = body.inputs.map(({ dtype }): Attr => ({ kind: "type", value: dtype }));
  nodes.set({
    name,
    op: "While",
    inputs: [...variables.map(({ start }) => start), ...captured.values()],
    attrs: attrs({
      T: { kind: "list", value: types },
      cond: { kind: "func", value: `${name}/cond` },
      body: { kind: "func", value: `${name}/body` },
      output_shapes: { kind: "list", value: [] },
      parallel_iterations: { kind: "int", value: 10 },
    }),
    outputCount: types.length,
  });
  const results = new Map<string, ValueRef>();
  for (const [exit, output] of frame.exits) {
    results.set(`${exit}:0`, { node: name, output });
    nodes.delete(exit);
  }
  nodes.redirect(results);
}

function frameError(name: string, found: string, expected?: string): GraphError {
  return new GraphError({
    where: `loop "${name}"`,
    found,
    ...(expected === undefined ? {} : { expected }),
    remedy: "Save the model again, with control flow v2",
    node: name,
  });
}
