/**
 * A While seen as a recurrent network: a counter that runs over the steps, sequences that are read at the counter,
 * lists that are written at it, and states that each step replaces.
 */
import { funcAttr } from "../../graph/attrs.ts";
import type { Graph, GraphNode, ValueRef } from "../../graph/ir.ts";
import { integersOf } from "../fold/values.ts";
import { GraphBuilder } from "../graph-builder.ts";
import { argumentIndex } from "../loops/loop-parts.ts";
import { Matcher, sameRef } from "../patterns/matcher.ts";

/** A sequence outside, and its element of the present step inside. */
export interface SequenceInput {
  readonly outside: ValueRef;
  readonly element: ValueRef;
}

/** A list that the loop writes: all steps, or only the last when it has room for one. */
export interface SequenceOutput {
  readonly index: number;
  readonly element: ValueRef;
  readonly lastOnly: boolean;
}

export interface LoopState {
  readonly index: number;
  readonly initial: ValueRef;
  readonly before: ValueRef;
  readonly after: ValueRef;
}

/** A variable that no step changes, used otherwise than step by step. */
export interface LoopInvariant {
  readonly outside: ValueRef;
  readonly before: ValueRef;
}

export interface SequenceLoop {
  readonly steps: number;
  readonly counter: { readonly index: number; readonly before: ValueRef };
  readonly body: Matcher;
  readonly inputs: readonly SequenceInput[];
  readonly invariants: readonly LoopInvariant[];
  readonly outputs: readonly SequenceOutput[];
  readonly states: readonly LoopState[];
}

/** Reads a While that way; undefined when it is some other loop. */
export function readSequenceLoop(node: GraphNode, build: GraphBuilder): SequenceLoop | undefined {
  const cond = build.functions.get(funcAttr(node, "cond"));
  const body = build.functions.get(funcAttr(node, "body"));
  if (cond === undefined || body === undefined) return undefined;
  const counter = counterOf(cond);
  const start = counter && integersOf(build.value(node.inputs[counter.index]))?.[0];
  if (counter === undefined || start !== 0) return undefined;
  const inside = new GraphBuilder();
  for (const each of body.nodes) inside.addNode(each);
  const match = new Matcher(inside);
  const reader = new BodyReader(body, match, counter.index, counter.steps);
  return reader.isStep(counter.index) ? reader.read(node) : undefined;
}

/** The loop variable i of a condition i < T with constant T. */
function counterOf(cond: Graph): { index: number; steps: number } | undefined {
  const result = cond.outputs[0]?.value;
  const less = cond.nodes.find(({ name }) => name === result?.node);
  const limit = cond.nodes.find(({ name }) => name === less?.inputs[1]?.node)?.attrs.get("value");
  const steps = limit?.kind === "tensor" ? integersOf(limit.value)?.[0] : undefined;
  const variable = less?.inputs[0];
  if (less?.op !== "Less" || variable === undefined || steps === undefined || steps < 1)
    return undefined;
  const index = argumentIndex(cond, variable);
  return index < 0 ? undefined : { index, steps };
}

class BodyReader {
  readonly #body: Graph;
  readonly #match: Matcher;
  readonly #counter: ValueRef;
  readonly #counterIndex: number;
  readonly #steps: number;

  constructor(body: Graph, match: Matcher, counterIndex: number, steps: number) {
    this.#body = body;
    this.#match = match;
    this.#counterIndex = counterIndex;
    this.#counter = this.#argument(counterIndex);
    this.#steps = steps;
  }

  /** Tells whether the variable grows by 1. */
  isStep(index: number): boolean {
    const step = this.#match.withScalar(this.#body.outputs[index]?.value, "Add");
    return step?.c === 1 && sameRef(step.x, this.#argument(index));
  }

  read(node: GraphNode): SequenceLoop {
    const inputs: SequenceInput[] = [];
    const invariants: LoopInvariant[] = [];
    const outputs: SequenceOutput[] = [];
    const states: LoopState[] = [];
    for (const [index, { value }] of this.#body.outputs.entries()) {
      const outside = node.inputs[index];
      if (index === this.#counterIndex || outside === undefined) continue;
      const before = this.#argument(index);
      if (sameRef(value, before)) {
        const elements = this.#elementsOf(before);
        if (elements === undefined) invariants.push({ outside, before });
        else inputs.push(...elements.map((element) => ({ outside, element })));
        continue;
      }
      const output = this.#outputOf(index, value);
      if (output !== undefined) outputs.push(output);
      else states.push({ index, initial: outside, before, after: value });
    }
    const counter = { index: this.#counterIndex, before: this.#counter };
    return {
      steps: this.#steps,
      counter,
      body: this.#match,
      inputs,
      invariants,
      outputs,
      states,
    };
  }

  #argument(index: number): ValueRef {
    return { node: this.#body.inputs[index]?.node ?? "", output: 0 };
  }

  #usersOf(ref: ValueRef): readonly GraphNode[] {
    return this.#body.nodes.filter(({ inputs }) => inputs.some((input) => sameRef(input, ref)));
  }

  /** How many loop variables get a value as it is. */
  #resultsThatAre(ref: ValueRef): number {
    return this.#body.outputs.filter(({ value }) => sameRef(value, ref)).length;
  }

  /** Reads of a sequence at the counter; undefined when it is used in another way too. */
  #elementsOf(sequence: ValueRef): ValueRef[] | undefined {
    const users = this.#usersOf(sequence);
    const reads = users.every(
      ({ op, inputs }) =>
        op === "GatherV2" &&
        sameRef(inputs[0], sequence) &&
        sameRef(inputs[1], this.#counter) &&
        this.#match.isNumber(inputs[2], 0),
    );
    return reads && this.#resultsThatAre(sequence) === 1
      ? users.map(({ name }) => ({ node: name, output: 0 }))
      : undefined;
  }

  #outputOf(index: number, value: ValueRef): SequenceOutput | undefined {
    const list = this.#argument(index);
    const users = this.#usersOf(list);
    const rows = this.#match.build.shape(list)?.[0];
    if (this.#resultsThatAre(list) > 0) return undefined;
    const only = this.#match.operand(value, "ExpandDims");
    if (only !== undefined && users.length === 0 && rows === 1) {
      return { index, element: only, lastOnly: true };
    }
    const [target, row, begin] = this.#match.inputs(value, "XlaDynamicUpdateSlice") ?? [];
    const element = this.#match.operand(row, "ExpandDims");
    const at = this.#match.inputs(begin, "Pack")?.[0];
    const isWhole = rows === this.#steps && users.length === 1;
    if (
      !isWhole ||
      element === undefined ||
      !sameRef(target, list) ||
      !sameRef(at, this.#counter)
    ) {
      return undefined;
    }
    return { index, element, lastOnly: false };
  }
}
