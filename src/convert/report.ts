/** What a conversion did, as plain data: printed as text or JSON by the command line. */
import type { Diagnostic } from "../base/errors.ts";
import type { Graph } from "../graph/ir.ts";
import type { Model } from "../model/ir.ts";

/** How often each op occurs. */
export type OpCounts = Readonly<Record<string, number>>;

/** Nodes or operators before and after one pass. */
export interface PassReport {
  readonly pass: string;
  readonly before: number;
  readonly after: number;
}

/** Counts of operations before and after, what each pass changed, and remarks. */
export interface ConversionReport {
  /** TensorFlow ops of the source graph and its functions, constants and inputs left out. */
  readonly source: OpCounts;
  /** TFLite operators of the result. */
  readonly result: OpCounts;
  readonly sourceTotal: number;
  readonly resultTotal: number;
  readonly subgraphs: number;
  readonly constantBytes: number;
  /** Passes that changed the number of nodes, in order. */
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

export const total = (counts: OpCounts): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

function countNames(names: readonly string[]): OpCounts {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
