/** What `octavo inspect` does: reads a model of any kind and describes it. */
import { basename, dirname } from "node:path";
import { type Diagnostic, isOctavoError } from "../base/errors.ts";
import type { Graph } from "../graph/ir.ts";
import type { Model } from "../model/ir.ts";
import {
  type GraphDescription,
  graphText,
  type ModelDescription,
  modelText,
} from "./model-text.ts";
import { locateSource, type Source } from "./source-kind.ts";
import type { Terminal } from "./terminal.ts";

export interface InspectFlags {
  readonly tags?: readonly string[];
  readonly signature?: string;
  readonly json?: true;
}

interface Description {
  readonly document: ModelDescription | GraphDescription;
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

/** Describes the model at `path`. */
export async function inspectModel(
  path: string,
  flags: InspectFlags,
  terminal: Terminal,
): Promise<void> {
  const { document, text, diagnostics } = await describe(await locateSource(path), flags);
  terminal.warn(diagnostics);
  if (flags.json) terminal.printJson({ ...document, diagnostics });
  else terminal.print(text);
}

async function describe(source: Source, flags: InspectFlags): Promise<Description> {
  const { kind, path } = source;
  if (kind === "tflite") return describeTflite(path);
  const { countOps } = await import("../convert/report.ts");
  const { graph, diagnostics } = await importGraph(kind, path, flags);
  const document = describeGraph(kind, path, graph, countOps(graph));
  return { document, text: graphText(document), diagnostics };
}

async function importGraph(
  kind: GraphDescription["format"],
  path: string,
  { tags, signature }: InspectFlags,
): Promise<{ graph: Graph; diagnostics: readonly Diagnostic[] }> {
  if (kind === "saved_model") {
    const { importSavedModel } = await import("../import/saved-model.ts");
    const { fileTree } = await import("../node/file-tree.ts");
    return importSavedModel(fileTree(path), {
      ...(tags === undefined ? {} : { tags }),
      ...(signature === undefined ? {} : { signature }),
      keepDynamicBatch: true,
    });
  }
  if (kind === "tfjs") {
    const { importTfjs } = await import("../import/tfjs.ts");
    const { fileTree } = await import("../node/file-tree.ts");
    return importTfjs(fileTree(dirname(path)), { file: basename(path), keepDynamicBatch: true });
  }
  const { readWholeFile } = await import("../node/file-source.ts");
  const { MODEL_FILE_LIMIT } = await import("../io/read-whole.ts");
  const bytes = await readWholeFile(path, MODEL_FILE_LIMIT);
  const options = { name: path, keepDynamicBatch: true };
  if (kind === "frozen_graph") {
    const { importGraphDef } = await import("../import/graph-def.ts");
    return importGraphDef(bytes, options);
  }
  const { importKeras } = await import("../import/keras.ts");
  return importKeras(bytes, options);
}

async function describeTflite(path: string): Promise<Description> {
  const { openFile } = await import("../node/file-source.ts");
  const { readModel } = await import("../model/read.ts");
  const { summarizeModel } = await import("../model/summary.ts");
  const source = await openFile(path);
  try {
    const { model, diagnostics } = await readModel(source);
    const document: ModelDescription = {
      format: "tflite",
      path,
      byteLength: source.byteLength,
      ...(await tryToLoad(model)),
      ...summarizeModel(model),
    };
    return { document, text: modelText(document), diagnostics };
  } finally {
    await source.close();
  }
}

/** Whether the interpreter takes the model, and the memory that it plans for activations. */
async function tryToLoad(
  model: Model,
): Promise<Pick<ModelDescription, "runs" | "unsupported" | "memory" | "plan">> {
  const { Interpreter } = await import("../runtime/interpreter.ts");
  try {
    const interpreter = await Interpreter.create(model);
    const { arenaBytes, unsharedBytes } = interpreter.memory();
    const plan = interpreter.plan();
    interpreter.dispose();
    return { runs: true, memory: { arenaBytes, unsharedBytes }, plan };
  } catch (error) {
    if (isOctavoError(error, "UnsupportedError"))
      return { runs: false, unsupported: error.features };
    if (isOctavoError(error)) return { runs: false, unsupported: [error.message] };
    throw error;
  }
}

function describeGraph(
  format: GraphDescription["format"],
  path: string,
  graph: Graph,
  operations: GraphDescription["operations"],
): GraphDescription {
  const constants = [graph, ...graph.functions.values()]
    .flatMap(({ nodes }) => nodes)
    .flatMap(({ op, attrs }) => {
      const value = op === "Const" ? attrs.get("value") : undefined;
      return value?.kind === "tensor" ? [value.value.data] : [];
    });
  return {
    format,
    path,
    ...(graph.signatureKey === undefined ? {} : { signature: graph.signatureKey }),
    inputs: graph.inputs.map(({ key, dtype, signatureShape }) => ({
      name: key,
      dtype,
      shape: signatureShape ?? null,
    })),
    outputs: graph.outputs.map(({ key }) => ({ name: key })),
    operations,
    functions: [...graph.functions.keys()],
    constantBytes: constants.reduce(
      (sum, data) => sum + (Array.isArray(data) ? 0 : data.byteLength),
      0,
    ),
  };
}
