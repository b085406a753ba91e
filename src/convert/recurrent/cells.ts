/**
 * Recurrent cells as loop bodies compute them, recognized by what they compute. The names follow TensorFlow Lite:
 *   LSTM  i, f, o = σ(…), g = act(…);  c′ = clip(f·c + i·g);  h′ = clip((o·act(c′))·P)
 *   RNN   h′ = act(x·W + h·U + b)
 */
import type { ValueRef } from "../../graph/ir.ts";
import { type Matcher, sameRef } from "../patterns/matcher.ts";
import { type Affine, type AffineSources, type Matrix, readAffine } from "./affine.ts";
import type { LoopState } from "./sequence-loop.ts";

export type CellActivation = "NONE" | "RELU" | "RELU6" | "TANH";

export interface Gate {
  readonly x: Matrix;
  readonly h: Matrix;
  readonly bias: Float32Array;
  readonly peephole?: Float32Array;
}

/** What an LSTM cell computes with. */
export interface LstmWeights {
  readonly kind: "lstm";
  readonly input: Gate;
  readonly forget: Gate;
  readonly cell: Gate;
  readonly output: Gate;
  readonly activation: CellActivation;
  /** 0: no clipping. */
  readonly cellClip: number;
  readonly projectionClip: number;
  readonly projection?: Matrix;
}

/** What a plain recurrent cell computes with. */
export interface RnnWeights {
  readonly kind: "rnn";
  readonly gate: Gate;
  readonly activation: CellActivation;
}

/** A cell found in a loop, with the loop variables that are its states. */
export interface LstmCell extends LstmWeights {
  readonly h: LoopState;
  readonly c: LoopState;
}

export interface RnnCell extends RnnWeights {
  readonly h: LoopState;
}

export type Cell = LstmCell | RnnCell;

const ACTIVATIONS: Readonly<Record<string, CellActivation>> = {
  Tanh: "TANH",
  Relu: "RELU",
  Relu6: "RELU6",
};

/** A plain recurrent cell with state `h` and input `x`. */
export function matchRnn(x: ValueRef, h: LoopState, match: Matcher): RnnCell | undefined {
  const [inner, activation] = activated(h.after, match);
  const gate = gateOf(inner, { x, h: h.before, cells: [] }, match);
  return gate && { kind: "rnn", gate, activation, h };
}

/** An LSTM cell with states `h` and `c` and input `x`. */
export function matchLstm(
  x: ValueRef,
  h: LoopState,
  c: LoopState,
  match: Matcher,
): LstmCell | undefined {
  const projected = unclipped(h.after, match);
  const [unprojected, projection] = withoutProjection(projected.x, match);
  for (const [gateRef, squashed] of pairs(match.inputs(unprojected, "Mul"))) {
    const outputGate = match.operand(gateRef, "Sigmoid");
    const [state, activation] = activated(squashed, match);
    if (outputGate === undefined || !sameRef(state, c.after)) continue;
    const parts = cellUpdate(c, activation, match);
    if (parts === undefined) continue;
    const sources = { x, h: h.before };
    const before = { ...sources, cells: [c.before] };
    const input = gateOf(parts.input, before, match);
    const forget = gateOf(parts.forget, before, match);
    const cell = gateOf(parts.candidate, { ...sources, cells: [] }, match);
    const output = gateOf(outputGate, { ...sources, cells: [c.after] }, match);
    if (!input || !forget || !cell || !output) continue;
    return {
      kind: "lstm",
      input,
      forget,
      cell,
      output,
      activation,
      cellClip: parts.clip,
      projectionClip: projection === undefined ? 0 : projected.clip,
      ...(projection && { projection }),
      h,
      c,
    };
  }
  return undefined;
}

interface CellUpdate {
  readonly input: ValueRef;
  readonly forget: ValueRef;
  readonly candidate: ValueRef;
  readonly clip: number;
}

/** c′ = clip(σ(forget)·c + σ(input)·act(candidate)), the products in any order. */
function cellUpdate(
  c: LoopState,
  activation: CellActivation,
  match: Matcher,
): CellUpdate | undefined {
  const { x: update, clip } = unclipped(c.after, match);
  for (const [kept, added] of pairs(match.inputs(update, "Add"))) {
    const forget = pairs(match.inputs(kept, "Mul"))
      .filter(([, state]) => sameRef(state, c.before))
      .map(([gate]) => match.operand(gate, "Sigmoid"))
      .find((gate) => gate !== undefined);
    for (const [gate, squashed] of pairs(match.inputs(added, "Mul"))) {
      const input = match.operand(gate, "Sigmoid");
      const [candidate, found] = activated(squashed, match);
      if (forget && input && found === activation) return { input, forget, candidate, clip };
    }
  }
  return undefined;
}

/** Both orders of two operands. */
function pairs(inputs: readonly ValueRef[] | undefined): [ValueRef, ValueRef][] {
  const [a, b] = inputs ?? [];
  if (a === undefined || b === undefined) return [];
  return [
    [a, b],
    [b, a],
  ];
}

/** The operand of an activation and its name. */
function activated(ref: ValueRef, match: Matcher): [ValueRef, CellActivation] {
  const activation = ACTIVATIONS[match.build.producer(ref).op];
  const inner = match.build.producer(ref).inputs[0];
  return activation !== undefined && inner !== undefined ? [inner, activation] : [ref, "NONE"];
}

/** max(min(x, clip), −clip), in either order. */
function unclipped(ref: ValueRef, match: Matcher): { x: ValueRef; clip: number } {
  const outer = match.withScalar(ref, "Maximum") ?? match.withScalar(ref, "Minimum");
  const inner =
    outer && (match.withScalar(outer.x, "Minimum") ?? match.withScalar(outer.x, "Maximum"));
  if (outer === undefined || inner === undefined || outer.c !== -inner.c)
    return { x: ref, clip: 0 };
  return { x: inner.x, clip: Math.abs(outer.c) };
}

function withoutProjection(ref: ValueRef, match: Matcher): [ValueRef, Matrix | undefined] {
  const [x, weights] = match.inputs(ref, "MatMul") ?? [];
  const value = match.value(weights);
  if (x === undefined || value?.dtype !== "float32" || value.shape.length !== 2)
    return [ref, undefined];
  const [rows = 0, columns = 0] = value.shape;
  return [x, { rows, columns, data: value.data as Float32Array }];
}

/** A gate whose sum has both products; a missing bias is zero. */
function gateOf(ref: ValueRef, sources: AffineSources, match: Matcher): Gate | undefined {
  const affine: Affine | undefined = readAffine(ref, sources, match);
  if (affine?.x === undefined || affine.h === undefined || affine.peepholes.length > 1)
    return undefined;
  const peephole = affine.peepholes[0]?.weights;
  return {
    x: affine.x,
    h: affine.h,
    bias: affine.bias ?? new Float32Array(affine.columns),
    ...(peephole && { peephole }),
  };
}
