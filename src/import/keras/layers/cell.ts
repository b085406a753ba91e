/** What recurrent cells are made from, and the parts that several share. */
import type { Shape } from "../../../base/shape.ts";
import type { TensorValue } from "../../../graph/ir.ts";
import { applyActivation } from "../activations.ts";
import type { Config } from "../config.ts";
import type { LayerWeights } from "../layer.ts";
import type { NodeWriter, Symbolic } from "../node-writer.ts";
import type { Cell, Step } from "./recurrent.ts";

export interface CellSpec {
  /** Of the output and of every state, without the batch. */
  readonly outputShape: Shape;
  readonly stateCount: number;
  readonly cell: Cell;
}

/** What a cell is read from. */
export interface CellSource {
  readonly className: string;
  readonly config: Config;
  readonly weights: LayerWeights;
  readonly kerasVersion: number;
}

export function addBias(
  pen: NodeWriter,
  name: string,
  x: Symbolic,
  bias: TensorValue | undefined,
): Symbolic {
  if (bias === undefined) return x;
  return pen.emit(name, "BiasAdd", [x, pen.constant(`${name}/bias`, bias)], { shape: x.shape });
}

/** `count` equal parts of the last dimension. */
export function splitLast(pen: NodeWriter, name: string, x: Symbolic, count: number): Symbolic[] {
  return pen.split(name, x, x.shape.length - 1, count);
}

type Activate = (pen: NodeWriter, name: string, x: Symbolic) => Symbolic;

export function activationOf(
  { config, kerasVersion }: CellSource,
  key: string,
  fallback: string,
): Activate {
  return (pen, name, x) => applyActivation(pen, name, x, config, key, kerasVersion, fallback);
}

/** Of the quarters i, f, g, o of the last dimension: c' = σ(f)·c + σ(i)·act(g); h' = σ(o)·act(c'). */
export function lstmStep(
  source: CellSource,
): (pen: NodeWriter, path: string, sum: Symbolic, c: Symbolic) => Step {
  const activate = activationOf(source, "activation", "tanh");
  const gate = activationOf(source, "recurrent_activation", "sigmoid");
  return (pen, path, sum, c) => {
    const [i, f, candidate, o] = splitLast(pen, `${path}/split`, sum, 4);
    const kept = pen.binary(`${path}/mul`, "Mul", gate(pen, `${path}/f`, f!), c);
    const taken = pen.binary(
      `${path}/mul_1`,
      "Mul",
      gate(pen, `${path}/i`, i!),
      activate(pen, `${path}/c`, candidate!),
    );
    const nextC = pen.binary(`${path}/next_c`, "AddV2", kept, taken);
    const output = pen.binary(
      `${path}/mul_2`,
      "Mul",
      gate(pen, `${path}/o`, o!),
      activate(pen, `${path}/h`, nextC),
    );
    return { output, states: [output, nextC] };
  };
}
