/** What a conversion did, as plain data: printed as text or JSON by the command line. */
import type { DType } from "../base/dtype.ts";
import type { Diagnostic } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { Graph } from "../graph/ir.ts";
import type { Model } from "../model/ir.ts";

/** How often each op occurs. */
export type OpCounts = Readonly<Record<string, number>>;

/** Nodes or operators before and after one pass, constants and inputs included. */
export interface PassReport {
  readonly pass: string;
  readonly before: number;
  readonly after: number;
  /**
   * How many more of an op there are, negative for fewer: what was folded, fused and recognized. Passes on the graph
   * count TensorFlow's ops, passes after "legalize" TFLite's operators.
   */
  readonly changes: OpCounts;
}

/** An input or output of the result. */
export interface PortReport {
  /** Name in the signature. */
  readonly name: string;
  /** Name of the tensor in the file. */
  readonly tensor: string;
  readonly dtype: DType;
  /** -1 where a dimension may be resized; null for an unknown rank. */
  readonly shape: Shape | null;
}

export interface InputReport extends PortReport {
  /** What the source says, unknown dimensions -1; null for an unknown rank. */
  readonly sourceShape: Shape | null;
}

/** What goes in and out, counts of operations before and after, what each pass changed, and remarks. */
export interface ConversionReport {
  readonly inputs: readonly InputReport[];
  readonly outputs: readonly PortReport[];
  /** TensorFlow ops of the source graph and its functions, constants and inputs left out. */
  readonly source: OpCounts;
  /** TFLite operators of the result. */
  readonly result: OpCounts;
  readonly sourceTotal: number;
  readonly resultTotal: number;
  readonly subgraphs: number;
  readonly constantBytes: number;
  /** Passes that changed something of how often each op occurs, in order. */
  readonly passes: readonly PassReport[];
  /** What was guessed, dropped or fixed on the way. */
  readonly diagnostics: readonly Diagnostic[];
}

const NOT_COUNTED: ReadonlySet<string> = new Set(["Const", "Placeholder", "NoOp"]);

export function countOps(graph: Graph): OpCounts {
  const all = [graph, ...graph.functions.values()].flatMap(({ nodes }) =>
    nodes.map(({ op }) => op),
  );
  return countNames(all.filter((op) => !NOT_COUNTED.has(op)));
}

export function countOperators(model: Model): OpCounts {
  return countNames(
    model.subgraphs.flatMap(({ operators }) =>
      operators.map(({ op, customCode }) => customCode ?? op),
    ),
  );
}

/** How often operations of these names occur more in `after` than in `before`; undefined when nothing changed. */
export function reportPass(
  pass: string,
  before: readonly string[],
  after: readonly string[],
): PassReport | undefined {
  const changes = new Map<string, number>();
  for (const name of after) changes.set(name, (changes.get(name) ?? 0) + 1);
  for (const name of before) changes.set(name, (changes.get(name) ?? 0) - 1);
  const changed = [...changes].filter(([, count]) => count !== 0).sort(byName);
  if (changed.length === 0) return undefined;
  return {
    pass,
    before: before.length,
    after: after.length,
    changes: Object.fromEntries(changed),
  };
}

/** What the model takes and gives, under the graph's names. */
export function reportPorts(
  { inputs, outputs }: Graph,
  { subgraphs }: Model,
): Pick<ConversionReport, "inputs" | "outputs"> {
  const [main] = subgraphs;
  const port = (key: string, index: number | undefined): PortReport[] => {
    const tensor = main?.tensors[index ?? -1];
    if (tensor === undefined) return [];
    const { name, dtype, hasRank, shapeSignature = tensor.shape } = tensor;
    return [{ name: key, tensor: name, dtype, shape: hasRank ? shapeSignature : null }];
  };
  return {
    inputs: inputs.flatMap(({ key, signatureShape: sourceShape = null }, i) =>
      port(key, main?.inputs[i]).map((input) => ({ ...input, sourceShape })),
    ),
    outputs: outputs.flatMap(({ key }, i) => port(key, main?.outputs[i])),
  };
}

export const total = (counts: OpCounts): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

function countNames(names: readonly string[]): OpCounts {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(byName));
}

const byName = ([a]: [string, number], [b]: [string, number]): number => (a < b ? -1 : 1);
