/**
 * A Keras model file to a graph: legacy HDF5 (`.h5`, Keras 2 and 3) and the zip archive of Keras 3 (`.keras`). Layers are
 * written as the TensorFlow operations that Keras itself would run; the file holds no code, only names and weights.
 */

import type { DType } from "../base/dtype.ts";
import { type Diagnostic, FormatError, UnsupportedError } from "../base/errors.ts";
import { readMember } from "../formats/keras/archive.ts";
import { type Hdf5File, openHdf5 } from "../formats/keras/hdf5.ts";
import type { Graph } from "../graph/ir.ts";
import { topologicalOrder } from "../graph/order.ts";
import { decideShapes, type ShapeOptions } from "./input-shapes.ts";
import { Config, isObject, type Json, parseJson } from "./keras/config.ts";
import { type LayerSpec, type ModelSpec, readModelSpec } from "./keras/model-spec.ts";
import { NodeWriter, type Symbolic } from "./keras/node-writer.ts";
import { refuseUnknownLayers, runModel } from "./keras/run-model.ts";
import { archiveWeights, legacyWeights, type ModelWeights } from "./keras/weights.ts";

/** How a Keras model is read. */
export interface KerasOptions extends ShapeOptions {
  /** Name of the file, for messages. */
  readonly name?: string;
}

const ZIP = [0x50, 0x4b, 0x03, 0x04];
const HDF5 = [0x89, 0x48, 0x44, 0x46];

/** A model's description and its open weights. */
interface OpenModel {
  readonly spec: ModelSpec;
  readonly weights: ModelWeights;
  readonly kerasVersion: number;
  readonly file: Hdf5File;
}

/**
 * Imports a Keras model from the bytes of its file.
 *
 * @throws {FormatError} when the bytes are neither kind of file, or damaged.
 * @throws {UnsupportedError} for weights without a model, subclassed models, and layers without a translation (all of
 *   them are listed).
 */
export async function importKeras(
  bytes: Uint8Array,
  options: KerasOptions = {},
): Promise<{ graph: Graph; diagnostics: Diagnostic[] }> {
  const where = options.name ?? "Keras model";
  const diagnostics: Diagnostic[] = [];
  const model = await openModel(bytes, where);
  try {
    refuseUnknownLayers(model.spec, where);
    return { graph: build(model, options, diagnostics, where), diagnostics };
  } finally {
    model.file.close();
  }
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

async function openModel(bytes: Uint8Array, where: string): Promise<OpenModel> {
  if (startsWith(bytes, ZIP)) return openArchive(bytes, where);
  if (startsWith(bytes, HDF5)) return openLegacy(bytes, where);
  throw new FormatError({
    format: "keras",
    where,
    found: "neither HDF5 nor a zip archive",
    expected: "a Keras model (.h5 or .keras)",
    remedy: "Check that the file is complete and of this kind",
  });
}

async function openArchive(bytes: Uint8Array, where: string): Promise<OpenModel> {
  const json = (name: string): Json => {
    const member = readMember(bytes, name, where);
    if (member === undefined) throw missingMember(where, name);
    return parseJson(new TextDecoder().decode(member), `${where}, ${name}`);
  };
  const spec = readModelSpec(json("config.json"), where);
  const metadata = new Config(json("metadata.json"), `${where}, metadata.json`);
  const weights = readMember(bytes, "model.weights.h5", where);
  if (weights === undefined) throw missingMember(where, "model.weights.h5");
  const file = await openHdf5(weights, `${where}, model.weights.h5`);
  const kerasVersion = versionOf(metadata.get("keras_version"));
  return { spec, file, kerasVersion, weights: archiveWeights(file, spec) };
}

async function openLegacy(bytes: Uint8Array, where: string): Promise<OpenModel> {
  const file = await openHdf5(bytes, where);
  try {
    const config = file.text("", "model_config");
    if (config === undefined) {
      throw new UnsupportedError({
        where,
        found: "weights without a model",
        expected: "a whole model",
        remedy: "Save it with model.save(path) instead of model.save_weights(path)",
        features: ["weights-only files"],
      });
    }
    const spec = readModelSpec(parseJson(config, `${where}, model_config`), where);
    const version = file.text("", "keras_version") ?? file.text("model_weights", "keras_version");
    return {
      spec,
      file,
      kerasVersion: versionOf(version),
      weights: legacyWeights(file, "model_weights/"),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

function versionOf(version: Json | undefined): number {
  const major = typeof version === "string" ? Number.parseInt(version, 10) : Number.NaN;
  return Number.isNaN(major) ? 2 : major;
}

function build(
  { spec, weights, kerasVersion }: OpenModel,
  options: KerasOptions,
  diagnostics: Diagnostic[],
  where: string,
): Graph {
  const writer = new NodeWriter();
  const described = spec.inputs.map((id) => {
    const layer = spec.layers.find(({ name }) => name === id.layer);
    if (layer?.className !== "InputLayer") throw noInput(where, id.layer);
    return describeInput(layer);
  });
  const shapes = decideShapes(described, options, diagnostics);
  const inputs = described.map(({ node, dtype, key }, i): Symbolic => {
    const shape = shapes[i];
    if (shape === undefined) throw noInput(where, key);
    return writer.placeholder(node, dtype, shape);
  });
  const results = runModel(spec, weights, inputs, { writer, kerasVersion, path: "", depth: 0 });
  const outputs = results.map(({ ref }, i) => ({
    key: `output_${i}`,
    tensorName: `StatefulPartitionedCall:${i}`,
    value: ref,
  }));
  return {
    signatureKey: "serving_default",
    inputs: described.map(({ key, tensorName, node, dtype, signatureShape }) => ({
      key,
      tensorName,
      node,
      dtype,
      signatureShape,
    })),
    outputs,
    nodes: topologicalOrder(writer.nodes),
    functions: writer.functions,
  };
}

interface DescribedInput {
  readonly key: string;
  readonly tensorName: string;
  readonly node: string;
  readonly dtype: DType;
  readonly signatureShape: readonly number[];
}

/** Names are those of an exported model, so that all sources of one model look alike. */
function describeInput(layer: LayerSpec): DescribedInput {
  const { config, name } = layer;
  const shape = config.get("batch_shape") ?? config.get("batch_input_shape");
  if (!Array.isArray(shape)) throw config.wrong("no shape", "batch_shape");
  return {
    key: name,
    node: `serving_default_${name}`,
    tensorName: `serving_default_${name}:0`,
    dtype: inputType(config),
    signatureShape: shape.map((size) => (typeof size === "number" ? size : -1)),
  };
}

/** A name, or a policy that has one. */
function inputType(config: Config): DType {
  const given = config.get("dtype") ?? "float32";
  const policy = isObject(given) ? given["config"] : undefined;
  const name = isObject(policy) ? policy["name"] : given;
  switch (name) {
    case "float32":
    case "int32":
    case "int64":
    case "uint8":
    case "int8":
    case "bool":
      return name;
    default:
      throw config.wrong(
        `input type ${JSON.stringify(given)}`,
        "float32, int32, int64, uint8, int8 or bool",
      );
  }
}

function noInput(where: string, layer: string): FormatError {
  return new FormatError({
    format: "keras",
    where,
    found: `input "${layer}", which is no input layer with a shape`,
    expected: "an InputLayer",
  });
}

function missingMember(where: string, name: string): FormatError {
  return new FormatError({
    format: "keras",
    where,
    found: `no ${name} in the archive`,
    expected: "a model saved by Keras 3",
    remedy: "Save it again with model.save(path)",
  });
}
