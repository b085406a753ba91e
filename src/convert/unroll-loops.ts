/**
 * Loops with a known number of steps, put in place step after step. A runtime without WHILE can then run the model, and
 * passes see through it; it grows with every step, so that this is done on request only.
 */
import { funcAttr } from "../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../graph/ir.ts";
import { attr } from "./attributes.ts";
import { integersOf } from "./fold/values.ts";
import { type GraphBuilder, rebuild } from "./graph-builder.ts";
import { Matcher } from "./patterns/matcher.ts";
import { readSequenceLoop, type SequenceLoop } from "./recurrent/sequence-loop.ts";

/** Most nodes that the loops of one graph may become. */
const MAX_NODES = 200_000;

/**
 * Unrolls the loops of at most `limit` steps that count from 0 in steps of 1, and loops inside them. What would become
 * too many nodes stays a loop.
 */
export function unrollLoops(graph: Graph, limit: number): Graph {
  let current = graph;
  for (let left = MAX_NODES, before = -1; left !== before; ) {
    before = left;
    current = rebuild(current, (node, build) => {
      const loop = node.op === "While" ? readSequenceLoop(node, build) : undefined;
      const body = loop && build.functions.get(funcAttr(node, "body"));
      if (loop === undefined || body === undefined || loop.steps > limit) return undefined;
      const size = loop.steps * body.nodes.length;
      if (size > left) return undefined;
      left -= size;
      return new Unrolling(node, loop, body, build).run();
    });
  }
  return current;
}

class Unrolling {
  readonly #node: GraphNode;
  readonly #loop: SequenceLoop;
  readonly #build: GraphBuilder;
  /** Nodes of the body that its states and written elements need, in order. */
  readonly #needed: readonly GraphNode[];
  /** What is the same in every step: constants, and values from outside. */
  readonly #fixed = new Map<string, ValueRef>();

  constructor(node: GraphNode, loop: SequenceLoop, body: Graph, build: GraphBuilder) {
    this.#node = node;
    this.#loop = loop;
    this.#build = build;
    this.#needed = neededNodes(loop, body);
  }

  /** Values for the outputs of the While. */
  run(): readonly ValueRef[] {
    const { inputs, invariants, outputs, states, steps, counter } = this.#loop;
    const elements = inputs.map(({ outside }) => this.#elements(outside));
    const batchMajor = elements.length > 0 && elements.every(({ axis }) => axis === 1);
    for (const { outside, before } of invariants) this.#fixed.set(before.node, outside);
    const counterType = this.#build.type(this.#node.inputs[counter.index] ?? counter.before).dtype;
    const written: ValueRef[][] = outputs.map(() => []);
    let current = states.map(({ initial }) => initial);
    for (let step = 0; step < steps; step++) {
      const names = new Map(this.#fixed);
      names.set(counter.before.node, this.#build.scalarOf(step, counterType));
      for (const [i, { before }] of states.entries()) names.set(before.node, current[i] ?? before);
      for (const [i, { element }] of inputs.entries()) {
        const value = elements[i]?.values[step];
        if (value !== undefined) names.set(element.node, value);
      }
      const at = this.#step(step, names);
      for (const [i, { element }] of outputs.entries()) written[i]?.push(at(element));
      current = states.map(({ after }) => at(after));
    }
    const results = [...this.#node.inputs];
    results[counter.index] = this.#build.scalarOf(steps, counterType);
    for (const [i, { index, initial }] of states.entries()) results[index] = current[i] ?? initial;
    for (const [i, { index, lastOnly }] of outputs.entries()) {
      results[index] = this.#list(written[i] ?? [], lastOnly, batchMajor);
    }
    return results;
  }

  /** Adds the nodes of one step; the result tells what a value of the body is in it. */
  #step(step: number, names: Map<string, ValueRef>): (ref: ValueRef) => ValueRef {
    const at = ({ node, output }: ValueRef): ValueRef => {
      const found = names.get(node);
      return found === undefined
        ? { node, output }
        : { node: found.node, output: found.output + output };
    };
    for (const node of this.#needed) {
      if (names.has(node.name)) continue;
      const isConstant = node.op === "Const";
      const path = isConstant ? this.#node.name : `${this.#node.name}/step_${step}`;
      const name = this.#build.freeName(`${path}/${node.name}`);
      this.#build.addNode({ ...node, name, inputs: node.inputs.map(at) });
      names.set(node.name, { node: name, output: 0 });
      if (isConstant) this.#fixed.set(node.name, { node: name, output: 0 });
    }
    return at;
  }

  /** The elements of a sequence, taken from behind a transpose or a reversal of time. */
  #elements(sequence: ValueRef): { readonly values: readonly ValueRef[]; readonly axis: number } {
    const match = new Matcher(this.#build);
    const [straight, axes] = match.inputs(sequence, "ReverseV2") ?? [];
    if (straight !== undefined && `${integersOf(this.#build.value(axes))}` === "0") {
      const { values, axis } = this.#elements(straight);
      return { values: values.toReversed(), axis };
    }
    const [inner, perm] = match.inputs(sequence, "Transpose") ?? [];
    const order = integersOf(this.#build.value(perm)) ?? [];
    const swaps = inner !== undefined && isSwap(order);
    const axis = swaps ? 1 : 0;
    const { steps } = this.#loop;
    const first = this.#build.add(
      `${this.#node.name}/steps`,
      "Unpack",
      [swaps ? inner : sequence],
      { num: attr.int(steps), axis: attr.int(axis) },
      steps,
    );
    const values = Array.from({ length: steps }, (_, output) => ({ node: first.node, output }));
    return { values, axis };
  }

  /** What the loop has written, as a tensor with the steps in front. */
  #list(rows: readonly ValueRef[], lastOnly: boolean, batchMajor: boolean): ValueRef {
    const name = `${this.#node.name}/list`;
    const last = rows.at(-1);
    const rank = last && this.#build.shape(last)?.length;
    if (lastOnly && last !== undefined) {
      return this.#build.add(name, "ExpandDims", [last, this.#build.int(0)]);
    }
    if (!batchMajor || rank === undefined || rank === 0) {
      return this.#build.add(name, "Pack", rows, { axis: attr.int(0) });
    }
    const packed = this.#build.add(name, "Pack", rows, { axis: attr.int(1) });
    const perm = Array.from({ length: rank + 1 }, (_, axis) => (axis < 2 ? 1 - axis : axis));
    return this.#build.add(`${name}/time_major`, "Transpose", [packed, this.#build.ints(perm)]);
  }
}

/** The permutation that exchanges the first two axes. */
function isSwap(perm: readonly number[]): boolean {
  return perm.length > 1 && perm.every((axis, i) => axis === (i < 2 ? 1 - i : i));
}

function neededNodes({ states, outputs, inputs }: SequenceLoop, body: Graph): GraphNode[] {
  const byName = new Map(body.nodes.map((node) => [node.name, node]));
  const given = new Set([
    ...body.inputs.map(({ node }) => node),
    ...inputs.map(({ element }) => element.node),
  ]);
  const open = [...states.map(({ after }) => after), ...outputs.map(({ element }) => element)];
  const needed = new Set<string>();
  for (let ref = open.pop(); ref !== undefined; ref = open.pop()) {
    if (given.has(ref.node) || needed.has(ref.node)) continue;
    needed.add(ref.node);
    open.push(...(byName.get(ref.node)?.inputs ?? []));
  }
  return body.nodes.filter(({ name }) => needed.has(name));
}
