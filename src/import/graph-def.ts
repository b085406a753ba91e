/**
 * A frozen GraphDef (.pb) to a graph. Such a file does not say what its inputs and outputs are: the caller does, or
 * there is only one way to read it. An input may be any tensor; what computes it is cut off.
 */

import type { DType } from "../base/dtype.ts";
import { type Diagnostic, FormatError, GraphError, UsageError } from "../base/errors.ts";
import { type GraphDef, type NodeDef, readGraphDef } from "../formats/tensorflow/graph-messages.ts";
import { isGraphText, textFormError } from "../formats/tensorflow/text-form.ts";
import { parseMessage } from "../formats/tensorflow/wire.ts";
import type { Attr, Graph, PartialShape } from "../graph/ir.ts";
import { outputType } from "../graph/output-types.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { type BuildContext, buildContext, type InputPlan, type OutputPlan } from "./graph-plan.ts";
import { decideShapes, type ShapeOptions } from "./input-shapes.ts";
import { OpSignatures } from "./op-signatures.ts";
import { isVariable, type Program, Resolver } from "./resolver.ts";
import { mainScope, parseInput, type Scope } from "./scope.ts";
import { cutsOf, placeholderName } from "./signature-plan.ts";
import { graphTables } from "./tables.ts";

/** How a frozen graph is read. */
export interface GraphDefOptions extends ShapeOptions {
  /** Tensor names ("x", "node:1"), in the order wanted; else every Placeholder that the outputs need. */
  readonly inputs?: readonly string[];
  /** Tensor names; else the only node that nothing uses. */
  readonly outputs?: readonly string[];
  /** Name of the file, for messages. */
  readonly name?: string;
}

/** What forms of a graph other than a frozen file say beside it. */
export interface GraphRecordsOptions extends GraphDefOptions {
  /** The signature's names for `inputs` and `outputs`, in their order. */
  readonly keys?: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
  /** Whether, without `outputs`, all nodes that nothing uses are outputs, instead of the only one. */
  readonly allSinks?: boolean;
}

/** Nodes that nothing uses and that nobody would call a result. */
const NO_RESULT: ReadonlySet<string> = new Set([
  "Const",
  "NoOp",
  "Placeholder",
  "PlaceholderWithDefault",
  "Assert",
  "Assign",
  "AssignVariableOp",
  "Print",
  "PrintV2",
  "SaveV2",
  "Save",
  "WriteFile",
  "MergeV2Checkpoints",
  "ScalarSummary",
  "HistogramSummary",
  "ImageSummary",
  "MergeSummary",
  "TensorArrayCloseV3",
  "LookupTableImport",
  "LookupTableImportV2",
  "InitializeTable",
  "InitializeTableV2",
  "InitializeTableFromTextFile",
  "InitializeTableFromTextFileV2",
]);

/**
 * Imports a frozen graph. Tensors are named without ":0", as TensorFlow's converter names them for such files.
 *
 * @throws {FormatError} when the bytes are no GraphDef.
 * @throws {UnsupportedError} when they are one in text form.
 * @throws {GraphError} when the graph still has variables, or breaks its own rules.
 * @throws {UsageError} when names or shapes fit nothing in the graph, or nothing was named and the guess is not unique.
 */
export function importGraphDef(
  bytes: Uint8Array,
  options: GraphDefOptions = {},
): { graph: Graph; diagnostics: Diagnostic[] } {
  const where = options.name ?? "GraphDef";
  if (isGraphText(bytes)) throw textFormError("GraphDef", where);
  return importGraphRecords(parseMessage(readGraphDef, bytes, where), options);
}

/** Imports a graph from its records, wherever they came from. */
export function importGraphRecords(
  graphDef: GraphDef,
  options: GraphRecordsOptions,
): { graph: Graph; diagnostics: Diagnostic[] } {
  const where = options.name ?? "GraphDef";
  const diagnostics: Diagnostic[] = [];
  if (graphDef.node.length === 0) {
    throw new FormatError({
      format: "graph_def",
      where,
      found: "no node in it",
      expected: "a binary GraphDef",
      remedy: "Check that the file is complete and of this kind",
    });
  }
  const functions = graphDef.library;
  const none = { has: () => false, get: () => undefined };
  const signatures = new OpSignatures(functions, none);
  const program: Program = { main: mainScope(graphDef), functions, signatures, cuts: new Map() };
  const outputNames = options.outputs ?? guessOutputs(graphDef, options, diagnostics, where);
  for (const name of outputNames) findTensor(program.main, name, "outputs", where);
  const inputNames = options.inputs ?? guessInputs(program, outputNames, diagnostics, where);
  const inputs = planInputs(program, inputNames, options, diagnostics, where);
  const resolver = new Resolver({ ...program, cuts: cutsOf(inputs) });
  const context = buildContext(resolver, () => graphTables(resolver));
  const { keys } = options;
  const outputs = outputNames.map((name, i) => planOutput(resolver, name, keys?.outputs[i], where));
  const graph = new GraphBuilder(context).build(inputs, outputs);
  refuseVariables(context, where);
  if (keys === undefined) return { graph, diagnostics };
  return { graph: { ...graph, signatureKey: "serving_default" }, diagnostics };
}

function guessOutputs(
  graphDef: GraphDef,
  { allSinks }: GraphRecordsOptions,
  diagnostics: Diagnostic[],
  where: string,
): string[] {
  const used = new Set<string>();
  for (const { input } of graphDef.node) {
    for (const name of input) used.add(name.replace(/^\^/, "").split(":")[0]!);
  }
  const sinks = graphDef.node.filter(({ name, op }) => !used.has(name) && !NO_RESULT.has(op));
  const only = sinks[0]?.name;
  if (allSinks === true && sinks.length > 1) {
    const names = sinks.map(({ name }) => name);
    const list = names.map((name) => `"${name}"`).join(", ");
    diagnostics.push({
      id: "outputs-guessed",
      text: `Outputs: ${list}, the nodes that nothing uses.`,
    });
    return names;
  }
  if (sinks.length !== 1 || only === undefined) {
    const names = sinks.slice(0, 8).map(({ name }) => `"${name}"`);
    throw new UsageError({
      where,
      found: `${sinks.length} nodes that could be the output`,
      expected: names.length === 0 ? "one" : `one of ${names.join(", ")}`,
      remedy: "Name the outputs with --outputs",
      option: "outputs",
    });
  }
  diagnostics.push({
    id: "outputs-guessed",
    text: `Output: "${only}", the only node that nothing uses.`,
  });
  return [only];
}

/** Placeholders that the outputs need, in the order of the file. */
function guessInputs(
  program: Program,
  outputs: readonly string[],
  diagnostics: Diagnostic[],
  where: string,
): string[] {
  const { main } = program;
  const needed = new Set<string>();
  const queue = outputs.map((name) => name.split(":")[0]!);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    for (const input of main.nodes.get(name)?.input ?? []) {
      const parsed = parseInput(input, false, where);
      if (parsed !== undefined) queue.push(parsed.node);
    }
  }
  const inputs = [...main.nodes.values()]
    .filter(({ op, name }) => needed.has(name) && (op === "Placeholder" || op === "LegacyFedInput"))
    .map(({ name }) => name);
  if (inputs.length === 0) {
    throw new UsageError({
      where,
      found: "no placeholder that the outputs need",
      expected: "at least one input",
      remedy: "Name the inputs with --inputs",
      option: "inputs",
    });
  }
  const names = inputs.map((name) => `"${name}"`).join(", ");
  diagnostics.push({
    id: "inputs-guessed",
    text: `Inputs: ${names}, the placeholders that the outputs need.`,
  });
  return inputs;
}

function planInputs(
  program: Program,
  names: readonly string[],
  options: GraphRecordsOptions,
  diagnostics: Diagnostic[],
  where: string,
): InputPlan[] {
  const described = names.map((name, i) => {
    const tensorName = name.replace(/:0$/, "");
    const { node, index } = findTensor(program.main, name, "inputs", where);
    const described = describeTensor(program, node, index);
    const key = options.keys?.inputs[i] ?? tensorName;
    return { key, tensorName, node: placeholderName(name), ...described };
  });
  const shapes = decideShapes(described, options, diagnostics);
  return described.map((input, i) => ({ ...input, shape: shapes[i] }));
}

function findTensor(
  main: Scope,
  name: string,
  option: string,
  where: string,
): { node: NodeDef; index: number } {
  const parsed = parseInput(name, false, where);
  const node = parsed && main.nodes.get(parsed.node);
  if (parsed !== undefined && node !== undefined) return { node, index: parsed.index };
  throw new UsageError({
    where,
    found: `no node "${name}"`,
    expected: "the name of a tensor of the graph",
    remedy: `Check --${option}`,
    option,
  });
}

/** Element type and shape, as far as the node itself says. */
function describeTensor(
  program: Program,
  node: NodeDef,
  index: number,
): { dtype: DType; signatureShape: PartialShape } {
  const resolver = new Resolver(program);
  const attrs = new Map<string, Attr>();
  for (const name of node.attr.keys()) {
    const message = node.attr.get(name);
    if (message?.kind === "tensor") continue;
    const attr = resolver.attr(program.main, node, name);
    if (attr !== undefined) attrs.set(name, attr);
  }
  const typed = { name: node.name, op: node.op, inputs: [], attrs, outputCount: 1 };
  const outputShapes = attrs.get("_output_shapes");
  const hint = outputShapes?.kind === "list" ? outputShapes.value[index] : undefined;
  const shape = node.op.startsWith("Placeholder") ? attrs.get("shape") : hint;
  return {
    dtype: outputType(typed, index) ?? "float32",
    signatureShape: shape?.kind === "shape" ? shape.value : undefined,
  };
}

function planOutput(
  resolver: Resolver,
  name: string,
  key: string | undefined,
  where: string,
): OutputPlan {
  const value = resolver.resolve(resolver.program.main, name);
  const tensorName = name.replace(/:0$/, "");
  if (value !== undefined) return { key: key ?? tensorName, tensorName, value };
  throw new UsageError({
    where,
    found: `output "${name}"`,
    expected: "a tensor",
    option: "outputs",
  });
}

function refuseVariables({ pending }: BuildContext, where: string): void {
  const first = pending.find(({ variable }) => isVariable(variable));
  if (first === undefined) return;
  throw new GraphError({
    where,
    found: `${pending.length} variables ("${first.variable.name}" …), whose values a GraphDef does not hold`,
    expected: "a frozen graph",
    remedy: "Freeze the graph first, or convert the SavedModel",
    node: first.variable.name,
  });
}
