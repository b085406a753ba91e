/**
 * A TF.js model to a graph: `model.json` with its files of weights. A graph model is a GraphDef in JSON, a layers model a
 * Keras configuration; each goes the way of its kind.
 */
import { type Diagnostic, FormatError, IoError, UsageError } from "../base/errors.ts";
import type { TensorRecord } from "../formats/tensorflow/tensor-record.ts";
import { readGraphJson } from "../formats/tfjs/graph-json.ts";
import {
  readManifest,
  type WeightGroup,
  type WeightQuantization,
  type WeightSpec,
} from "../formats/tfjs/manifest.ts";
import type { Graph } from "../graph/ir.ts";
import type { FileTree } from "../io/byte-source.ts";
import { readWhole } from "../io/read-whole.ts";
import { unfuseGraph } from "./fused-nodes.ts";
import { importGraphRecords } from "./graph-def.ts";
import type { ShapeOptions } from "./input-shapes.ts";
import { Config, type Json, kerasVersionOf, parseJson, TFJS_VERSION } from "./keras/config.ts";
import { readModelSpec } from "./keras/model-spec.ts";
import { listedWeights } from "./keras/weights.ts";
import { buildKerasGraph } from "./keras-graph.ts";
import { withInitializer } from "./tfjs-initializer.ts";
import { readCapturedTables, readTfjsSignature } from "./tfjs-signature.ts";

/** Far more than any description of a model; an engine's strings end at about 500 million characters. */
const MAX_MODEL_BYTES = 128 * 1024 * 1024;

/** How a TF.js model is read. */
export interface TfjsOptions extends ShapeOptions {
  /** Name of the model's file in the folder: "model.json" unless it is given. */
  readonly file?: string;
  /** Tensor names of a graph model, in place of its signature's; else its placeholders. */
  readonly inputs?: readonly string[];
  /** Tensor names of a graph model, in place of its signature's; else all nodes that nothing uses. */
  readonly outputs?: readonly string[];
}

/**
 * Imports a TF.js model from its folder.
 *
 * @throws {IoError} when the model or a file of weights is missing.
 * @throws {FormatError} when the model is malformed, or names files outside its folder.
 */
export async function importTfjs(
  tree: FileTree,
  options: TfjsOptions = {},
): Promise<{ graph: Graph; diagnostics: Diagnostic[] }> {
  const file = options.file ?? "model.json";
  const where = `${tree.name.replace(/[\\/]+$/, "")}/${file}`;
  const json = parseJson(new TextDecoder().decode(await readFile(tree, file, where)), where);
  const model = new Config(json, where);
  const groups = model.list("weightsManifest").map((group) => readWeightGroup(group, where));
  const weights = await readManifest(tree, groups, where);
  const topology = model.object("modelTopology");
  if (topology.has("node")) return importGraphModel(model, weights, options, where);
  if (options.inputs !== undefined || options.outputs !== undefined) throw onlyGraphModels(where);
  return importLayersModel(topology, weights, options, where);
}

function onlyGraphModels(where: string): UsageError {
  return new UsageError({
    where,
    found: "a layers model, with inputs or outputs given",
    expected: "none of them, or a graph model",
    remedy: "Leave them out: a layers model says what its inputs and outputs are",
    option: "inputs",
  });
}

async function readFile(tree: FileTree, file: string, where: string): Promise<Uint8Array> {
  const source = await tree.open(file);
  if (source === undefined) {
    throw new IoError({
      where,
      found: "no such file",
      expected: "the model.json of a TF.js model",
      remedy: "Check the path",
      path: where,
    });
  }
  return readWhole(source, { name: "description of a model", max: MAX_MODEL_BYTES });
}

function importGraphModel(
  model: Config,
  weights: ReadonlyMap<string, TensorRecord>,
  options: TfjsOptions,
  where: string,
): { graph: Graph; diagnostics: Diagnostic[] } {
  const { inputs, outputs } = options;
  const signature =
    inputs === undefined && outputs === undefined ? readTfjsSignature(model) : undefined;
  const topology = readGraphJson(model.get("modelTopology"), weights, where);
  const initializer = model.has("modelInitializer") ? model.get("modelInitializer") : undefined;
  const whole =
    initializer === undefined
      ? topology
      : withInitializer(
          topology,
          readGraphJson(initializer, weights, where),
          readCapturedTables(model),
        );
  const graphDef = unfuseGraph(whole);
  return importGraphRecords(graphDef, { ...options, ...signature, allSinks: true, name: where });
}

function importLayersModel(
  topology: Config,
  weights: ReadonlyMap<string, TensorRecord>,
  options: TfjsOptions,
  where: string,
): { graph: Graph; diagnostics: Diagnostic[] } {
  const described = topology.has("model_config") ? topology.get("model_config") : undefined;
  const json: Json = described ?? {
    class_name: topology.text("class_name"),
    config: topology.get("config") ?? null,
  };
  const diagnostics: Diagnostic[] = [];
  const version = topology.text("keras_version", "");
  // TF.js itself has the formulas of the first Keras: hard_sigmoid by 0.2, GRU that resets before.
  const kerasVersion = version.startsWith("tfjs") ? TFJS_VERSION : kerasVersionOf(version);
  const model = { spec: readModelSpec(json, where), weights: listedWeights(weights), kerasVersion };
  return { graph: buildKerasGraph(model, options, diagnostics, where), diagnostics };
}

function readWeightGroup(json: Json, where: string): WeightGroup {
  const group = new Config(json, `${where}, weightsManifest`);
  const paths = group.list("paths");
  if (!paths.every((path) => typeof path === "string"))
    throw group.wrong("paths that are no text", "text");
  return {
    paths: paths as string[],
    weights: group.list("weights").map((weight) => readWeightSpec(weight, where)),
  };
}

function readWeightSpec(json: Json, where: string): WeightSpec {
  const spec = new Config(json, `${where}, weightsManifest`);
  const shape = spec.list("shape") as readonly number[];
  if (!shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw new FormatError({
      format: "tfjs",
      where: spec.where,
      found: `shape ${JSON.stringify(shape)}`,
      expected: "sizes",
    });
  }
  const weight = {
    name: spec.text("name"),
    shape,
    dtype: spec.text("dtype"),
    isOptimizerState: spec.text("group", "model") === "optimizer",
  };
  return spec.has("quantization")
    ? { ...weight, quantization: readQuantization(spec.object("quantization")) }
    : weight;
}

function readQuantization(config: Config): WeightQuantization {
  const dtype = config.text("dtype");
  if (!config.has("scale")) return { dtype };
  return { dtype, scale: config.number("scale"), min: config.number("min") };
}
