/**
 * TensorFlow graph → TFLite model. The two lists below are the order of the passes; each pass stands in a file of its own
 * and makes a new graph or draft from the one it is given.
 */
import type { Diagnostic } from "../base/errors.ts";
import type { Graph } from "../graph/ir.ts";
import { verifyGraph } from "../graph/verify.ts";
import type { Model } from "../model/ir.ts";
import { withVersions } from "../model/versions.ts";
import { assemble } from "./assemble.ts";
import { canonicalize } from "./canonicalize.ts";
import { decompose } from "./decompose.ts";
import type { Draft } from "./draft.ts";
import { expandCases } from "./expand-cases.ts";
import { flattenFunctions } from "./flatten-functions.ts";
import { foldAffine } from "./fold-affine.ts";
import { foldConstants } from "./fold-constants.ts";
import { foldIntoDense } from "./fold-into-dense.ts";
import { fuseActivations } from "./fuse-activations.ts";
import { fuseBidirectional } from "./fuse-bidirectional.ts";
import { fuseRecurrent } from "./fuse-recurrent.ts";
import { hoistElementwise } from "./hoist-elementwise.ts";
import { initializeResources } from "./initialize-resources.ts";
import { inlineCalls } from "./inline-calls.ts";
import { customRemarks, type FallbackOptions } from "./legalize/custom.ts";
import { legalize } from "./legalize.ts";
import { lowerLoops } from "./lower-loops.ts";
import { mergeDense } from "./merge-dense.ts";
import { mergeDilation } from "./merge-dilation.ts";
import { mergeEqual } from "./merge-equal.ts";
import { narrowDoubles } from "./narrow-doubles.ts";
import { expandExplicitPadding, mergePadding } from "./padding.ts";
import { recognizePatterns } from "./recognize-patterns.ts";
import { expandBlockCells } from "./recurrent/block-cells.ts";
import { removeIdentities } from "./remove-identities.ts";
import {
  type ConversionReport,
  countOperators,
  countOps,
  type PassReport,
  reportPass,
  reportPorts,
  total,
} from "./report.ts";
import { simplifyArithmetic } from "./simplify-arithmetic.ts";
import { simplifyMovement } from "./simplify-movement.ts";
import { sinkTransposes } from "./sink-transposes.ts";
import { splitComplex } from "./split-complex.ts";
import { toChannelsLast } from "./to-channels-last.ts";
import { unrollLoops } from "./unroll-loops.ts";

export interface ConvertOptions extends FallbackOptions {
  /** Remarks of the importer, carried into the report. */
  readonly diagnostics?: readonly Diagnostic[];
  /**
   * Most steps of a loop that is put in place step after step, where its number of steps is known; 0, the default,
   * leaves loops as they are. Loops that are fused operators count no steps.
   */
  readonly unroll?: number;
  /** Called with every intermediate graph, for tests that verify each step. */
  readonly onGraph?: (pass: string, graph: Graph) => void;
}

interface PassContext {
  readonly unroll: number;
  /** The graph itself, not the function of a loop or branch, which may run several times. */
  readonly isMain: boolean;
}

/** Passes that guess or change behaviour say so through `note`. */
type GraphPass = readonly [
  name: string,
  run: (graph: Graph, note: (diagnostic: Diagnostic) => void, context: PassContext) => Graph,
];
type DraftPass = readonly [name: string, run: (draft: Draft) => Draft];

/** Some passes stand here more than once: after a pass that gives them something to do. */
const GRAPH_PASSES: readonly GraphPass[] = [
  ["flatten functions", flattenFunctions],
  ["expand cases", expandCases],
  ["narrow doubles", narrowDoubles],
  ["remove identities", removeIdentities],
  ["fold constants", foldConstants],
  ["inline calls", inlineCalls],
  ["channels last", toChannelsLast],
  ["canonicalize", canonicalize],
  ["split complex", splitComplex],
  ["expand block cells", expandBlockCells],
  ["lower loops", lowerLoops],
  ["merge equal nodes", mergeEqual],
  ["simplify arithmetic", simplifyArithmetic],
  ["fuse recurrent", fuseRecurrent],
  ["unroll loops", (graph, _, { unroll }) => (unroll > 0 ? unrollLoops(graph, unroll) : graph)],
  ["simplify arithmetic", simplifyArithmetic],
  ["recognize patterns", recognizePatterns],
  ["decompose", decompose],
  ["expand explicit padding", expandExplicitPadding],
  ["fold constants", foldConstants],
  ["sink transposes", sinkTransposes],
  ["fold constants", foldConstants],
  ["simplify movement", simplifyMovement],
  ["fuse bidirectional", fuseBidirectional],
  ["simplify arithmetic", simplifyArithmetic],
  ["fold constants", foldConstants],
  ["merge equal nodes", mergeEqual],
  ["simplify arithmetic", simplifyArithmetic],
  ["merge dense layers", mergeDense],
  ["merge dilation", mergeDilation],
  ["merge padding", mergePadding],
  ["hoist elementwise", hoistElementwise],
  ["simplify movement", simplifyMovement],
];

/** Passes that see to the functions of the graph themselves. */
const WHOLE_GRAPH: ReadonlySet<GraphPass[1]> = new Set([
  flattenFunctions,
  expandCases,
  narrowDoubles,
  lowerLoops,
]);

const DRAFT_PASSES: readonly DraftPass[] = [
  ["fold affine", foldAffine],
  ["fuse activations", fuseActivations],
  ["fold into dense layers", foldIntoDense],
];

/**
 * Converts a graph to a float model.
 *
 * @throws {GraphError} when the graph breaks the rules of graph/verify.ts; {ShapeError} when shapes do not fit together;
 * {UnsupportedError} with every operation that cannot be lowered.
 */
export function convertGraph(
  graph: Graph,
  options: ConvertOptions = {},
): { model: Model; report: ConversionReport } {
  verifyGraph(graph);
  const passes: PassReport[] = [];
  const note = (report: PassReport | undefined): void => {
    if (report !== undefined) passes.push(report);
  };
  const diagnostics: Diagnostic[] = [...(options.diagnostics ?? [])];
  let current = graph;
  for (const [pass, run] of GRAPH_PASSES) {
    const next = everywhere(
      current,
      (each, isMain) => {
        const context = { unroll: options.unroll ?? 0, isMain };
        return run(each, (remark) => diagnostics.push(remark), context);
      },
      WHOLE_GRAPH.has(run),
    );
    note(reportPass(pass, nodesOf(current), nodesOf(next)));
    options.onGraph?.(pass, next);
    current = next;
  }
  const lowered = legalize(current, options);
  diagnostics.push(...customRemarks(lowered));
  let drafts = initializeResources(lowered, current);
  for (const [pass, run] of DRAFT_PASSES) {
    const next = drafts.map(run);
    note(reportPass(pass, operatorsOf(drafts), operatorsOf(next)));
    drafts = next;
  }
  const model = withVersions(assemble(drafts, current));
  return { model, report: reportOn(graph, model, passes, diagnostics) };
}

/** Runs a pass over the graph and over the functions of its loops and branches. */
function everywhere(
  graph: Graph,
  run: (graph: Graph, isMain: boolean) => Graph,
  mainOnly: boolean,
): Graph {
  const main = run(graph, true);
  if (mainOnly) return main;
  const functions = new Map<string, Graph>();
  for (const [name, body] of main.functions) {
    const result = run({ ...body, functions: main.functions }, false);
    functions.set(name, { ...result, functions: new Map() });
  }
  return { ...main, functions };
}

const nodesOf = (graph: Graph): string[] =>
  [graph, ...graph.functions.values()].flatMap(({ nodes }) => nodes.map(({ op }) => op));

const operatorsOf = (drafts: readonly Draft[]): string[] =>
  drafts.flatMap(({ operators }) => operators.map(({ op, customCode }) => customCode ?? op));

function reportOn(
  graph: Graph,
  model: Model,
  passes: readonly PassReport[],
  diagnostics: readonly Diagnostic[],
): ConversionReport {
  const source = countOps(graph);
  const result = countOperators(model);
  return {
    ...reportPorts(graph, model),
    source,
    result,
    sourceTotal: total(source),
    resultTotal: total(result),
    subgraphs: model.subgraphs.length,
    constantBytes: model.buffers.reduce((sum, { byteLength }) => sum + byteLength, 0),
    passes,
    diagnostics,
  };
}
