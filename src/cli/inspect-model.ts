/** What `octavo inspect` does: reads a model of any kind and describes it. */
import { type Diagnostic, isOctavoError, UnsupportedError } from "../base/errors.ts";
import { countOps } from "../convert/report.ts";
import type { Graph } from "../graph/ir.ts";
import { importSavedModel } from "../import/saved-model.ts";
import type { Model } from "../model/ir.ts";
import { readModel } from "../model/read.ts";
import { summarizeModel } from "../model/summary.ts";
import { openFile } from "../node/file-source.ts";
import { fileTree } from "../node/file-tree.ts";
import { Interpreter } from "../runtime/interpreter.ts";
import type { InspectFlags } from "./commands/inspect.ts";
import {
  type GraphDescription,
  graphText,
  type ModelDescription,
  modelText,
} from "./model-text.ts";
import { locateSource } from "./source-kind.ts";
import type { Terminal } from "./terminal.ts";

/** Describes the model at `path`. */
export async function inspectModel(
  path: string,
  flags: InspectFlags,
  terminal: Terminal,
): Promise<void> {
  const source = await locateSource(path);
  if (source.kind === "tflite") {
    const { description, diagnostics } = await describeTflite(path);
    terminal.warn(diagnostics);
    if (flags.json) terminal.printJson({ ...description, diagnostics });
    else terminal.print(modelText(description));
    return;
  }
  if (source.kind === "saved_model") {
    const { tags, signature } = flags;
    const { graph, diagnostics } = await importSavedModel(fileTree(source.path), {
      ...(tags === undefined ? {} : { tags }),
      ...(signature === undefined ? {} : { signature }),
      keepDynamicBatch: true,
    });
    const description = describeGraph(path, graph);
    if (flags.json) terminal.printJson({ ...description, diagnostics });
    else terminal.print(graphText(description));
    return;
  }
  throw new UnsupportedError({
    where: path,
    found: `a model of kind ${source.kind}`,
    expected: "a .tflite file or a SavedModel folder",
    features: [source.kind],
  });
}

async function describeTflite(
  path: string,
): Promise<{ description: ModelDescription; diagnostics: readonly Diagnostic[] }> {
  const source = await openFile(path);
  try {
    const { model, diagnostics } = await readModel(source);
    const summary = summarizeModel(model);
    const { unsupported, memory } = await tryToLoad(model);
    const description: ModelDescription = {
      format: "tflite",
      path,
      byteLength: source.byteLength,
      runs: unsupported === undefined,
      ...(unsupported === undefined ? {} : { unsupported }),
      ...(memory === undefined ? {} : { memory }),
      ...summary,
    };
    return { description, diagnostics };
  } finally {
    await source.close();
  }
}

/** Whether the interpreter takes the model, and the memory that it plans for activations. */
async function tryToLoad(model: Model): Promise<Pick<ModelDescription, "unsupported" | "memory">> {
  try {
    const interpreter = await Interpreter.create(model);
    const { arenaBytes, unsharedBytes } = interpreter.memory();
    interpreter.dispose();
    return { memory: { arenaBytes, unsharedBytes } };
  } catch (error) {
    if (isOctavoError(error, "UnsupportedError")) return { unsupported: error.features };
    if (isOctavoError(error)) return { unsupported: [error.message] };
    throw error;
  }
}

function describeGraph(path: string, graph: Graph): GraphDescription {
  const constants = [graph, ...graph.functions.values()]
    .flatMap(({ nodes }) => nodes)
    .flatMap(({ op, attrs }) => {
      const value = op === "Const" ? attrs.get("value") : undefined;
      return value?.kind === "tensor" ? [value.value.data] : [];
    });
  return {
    format: "saved_model",
    path,
    ...(graph.signatureKey === undefined ? {} : { signature: graph.signatureKey }),
    inputs: graph.inputs.map(({ key, dtype, signatureShape }) => ({
      name: key,
      dtype,
      shape: signatureShape ?? null,
    })),
    outputs: graph.outputs.map(({ key }) => ({ name: key })),
    operations: countOps(graph),
    functions: [...graph.functions.keys()],
    constantBytes: constants.reduce(
      (sum, data) => sum + (Array.isArray(data) ? 0 : data.byteLength),
      0,
    ),
  };
}
