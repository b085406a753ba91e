/**
 * A SavedModel folder to a graph: the graph with the wanted tags, cut down to what the signature's outputs need,
 * functions inlined, variables read from the checkpoint and turned into constants.
 */
import {
  type Diagnostic,
  FormatError,
  IoError,
  type OctavoError,
  UnsupportedError,
} from "../base/errors.ts";
import { type MetaGraphDef, readSavedModel } from "../formats/tensorflow/saved-model-messages.ts";
import { openTensorBundle } from "../formats/tensorflow/tensor-bundle.ts";
import { textFormError } from "../formats/tensorflow/text-form.ts";
import { parseMessage } from "../formats/tensorflow/wire.ts";
import type { Graph } from "../graph/ir.ts";
import type { FileTree } from "../io/byte-source.ts";
import { MODEL_FILE_LIMIT, readWhole } from "../io/read-whole.ts";
import { GraphBuilder } from "./graph-builder.ts";
import {
  type BuildContext,
  buildContext,
  type InputPlan,
  type PendingConstant,
  type PendingTable,
} from "./graph-plan.ts";
import type { ShapeOptions } from "./input-shapes.ts";
import { chooseMetaGraph, chooseSignature } from "./meta-graph.ts";
import { OpSignatures } from "./op-signatures.ts";
import { type Program, Resolver } from "./resolver.ts";
import { mainScope } from "./scope.ts";
import { cutsOf, planInputs, planOutputs } from "./signature-plan.ts";
import { findState } from "./state.ts";
import { savedModelTables } from "./tables.ts";
import { followRestore, VariableReader } from "./variables.ts";
import { readVocabulary } from "./vocabulary.ts";

const MODEL_FILE = "saved_model.pb";
const VARIABLES_PREFIX = "variables/variables";

/** How a SavedModel is read. */
export interface SavedModelOptions extends ShapeOptions {
  /** The graph with exactly these tags; else the only one, or the one tagged "serve". */
  readonly tags?: readonly string[];
  /** Signature key; else "serving_default", or the only one. */
  readonly signature?: string;
}

export interface ImportResult {
  readonly graph: Graph;
  readonly diagnostics: Diagnostic[];
}

/**
 * Imports a SavedModel folder.
 *
 * Inputs and outputs come in the order in which TensorFlow's converter writes them; see signature-plan.ts.
 *
 * @throws {IoError} when a file is missing.
 * @throws {UnsupportedError} when the graph is in text form or in pieces.
 * @throws {FormatError} when a file is damaged.
 * @throws {UsageError} when tags, signature or shapes fit nothing in the model.
 * @throws {GraphError} when the graph breaks its own rules (missing functions, cycles …).
 */
export async function importSavedModel(
  tree: FileTree,
  options: SavedModelOptions = {},
): Promise<ImportResult> {
  const diagnostics: Diagnostic[] = [];
  const where = `${tree.name}/${MODEL_FILE}`;
  const model = parseMessage(readSavedModel, await readModelFile(tree, where), where);
  const metaGraph = chooseMetaGraph(model, options.tags, where);
  const { key, signature } = chooseSignature(metaGraph, options.signature, where);
  const convention = metaGraph.has_object_graph ? "tensorflow2" : "tensorflow1";
  const place = `${where}, signature "${key}"`;
  const inputs = planInputs(signature, convention, options, diagnostics, place);
  const resolver = new Resolver(programOf(metaGraph, inputs, where));
  const outputNames = [...signature.outputs.values()].map(({ name }) => name);
  const accesses = findState(resolver, outputNames, diagnostics);
  resolver.keepVariables(accesses.map(({ variable }) => variable));
  const context = buildContext(resolver, () => savedModelTables(resolver, metaGraph));
  const outputs = planOutputs(signature, convention, resolver, place);
  const graph = new GraphBuilder(context).build(inputs, outputs, accesses);
  await fillVariables(tree, metaGraph, context);
  for (const table of context.pendingTables) await fillTable(tree, table);
  return { graph: { signatureKey: key, ...graph }, diagnostics };
}

async function readModelFile(tree: FileTree, where: string): Promise<Uint8Array> {
  const source = await tree.open(MODEL_FILE);
  if (source === undefined) throw missingModel(await tree.list(""), where, tree.name);
  return readWhole(source, {
    name: "bytes of a SavedModel's graph",
    max: MODEL_FILE_LIMIT.max,
    remedy: "Save it with variables in place of constants: they are read one by one",
  });
}

/** TensorFlow has two more forms of the graph: as text, and cut in pieces where it is longer than a message can be. */
function missingModel(files: readonly string[], where: string, folder: string): OctavoError {
  const text = "saved_model.pbtxt";
  const pieces = "saved_model.cpb";
  if (files.includes(text)) return textFormError("SavedModel", `${folder}/${text}`);
  if (files.includes(pieces)) {
    return new UnsupportedError({
      where: `${folder}/${pieces}`,
      found: "a SavedModel whose graph is in pieces",
      expected: `a graph of less than 2 GiB in ${MODEL_FILE}`,
      remedy: "Save it with variables in place of constants",
      features: ["SavedModels in pieces"],
    });
  }
  return new IoError({
    where,
    found: "no such file",
    expected: `a SavedModel folder, which holds ${MODEL_FILE}`,
    remedy: "Check the path",
    path: where,
  });
}

function programOf(metaGraph: MetaGraphDef, inputs: readonly InputPlan[], where: string): Program {
  const graphDef = metaGraph.graph_def;
  if (graphDef === undefined) throw malformed(where, "no graph in it", "a graph");
  const functions = graphDef.library;
  return {
    main: mainScope(graphDef),
    functions,
    signatures: new OpSignatures(functions, metaGraph.meta_info_def.stripped_op_list),
    cuts: cutsOf(inputs),
  };
}

async function fillVariables(
  tree: FileTree,
  metaGraph: MetaGraphDef,
  { resolver, pending }: BuildContext,
): Promise<void> {
  if (pending.length === 0) return;
  const bundle = await openTensorBundle(tree, VARIABLES_PREFIX);
  if (bundle === undefined) {
    throw new IoError({
      where: `${tree.name}/${VARIABLES_PREFIX}.index`,
      found: "no such file",
      expected: `the values of ${pending.length} variables`,
      remedy: "Copy the variables folder whole",
      path: `${VARIABLES_PREFIX}.index`,
    });
  }
  try {
    const restore = metaGraph.saver_def.restore_op_name;
    const sources = followRestore(new Resolver(resolver.program), restore);
    const reader = new VariableReader(bundle, sources);
    await fillFrom(reader, pending, bundle.name);
  } finally {
    await bundle.close();
  }
}

async function fillFrom(
  reader: VariableReader,
  pending: readonly PendingConstant[],
  where: string,
): Promise<void> {
  const missing: string[] = [];
  for (const { variable, fill } of pending) {
    const value = await reader.read(variable);
    if (value === undefined) missing.push(`"${variable.name}"`);
    else fill(value);
  }
  if (missing.length > 0) {
    const found = `no values for the variables ${missing.join(", ")}`;
    throw malformed(where, found, "a value for each variable");
  }
}

async function fillTable(
  tree: FileTree,
  { table, path, format, fill }: PendingTable,
): Promise<void> {
  const where = `${tree.name}/${path}`;
  const source = await tree.open(path);
  if (source === undefined) {
    throw new IoError({
      where,
      found: "no such file",
      expected: `the entries of the table "${table.name}"`,
      remedy: "Copy the assets folder whole",
      path: where,
    });
  }
  try {
    const bytes = await source.read(0, source.byteLength);
    const { keys, values } = readVocabulary(bytes, format, where);
    fill(keys, values);
  } finally {
    await source.close?.();
  }
}

function malformed(where: string, found: string, expected: string): FormatError {
  return new FormatError({ format: "saved_model", where, found, expected });
}
