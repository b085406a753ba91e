/**
 * A Keras model file to a graph: legacy HDF5 (`.h5`, Keras 2 and 3) and the zip archive of Keras 3 (`.keras`). Layers are
 * written as the TensorFlow operations that Keras itself would run; the file holds no code, only names and weights.
 */

import { type Diagnostic, FormatError, UnsupportedError } from "../base/errors.ts";
import { type Hdf5File, openHdf5 } from "../formats/keras/hdf5.ts";
import { readMember } from "../formats/zip/archive.ts";
import type { Graph } from "../graph/ir.ts";
import type { ShapeOptions } from "./input-shapes.ts";
import { Config, type Json, kerasVersionOf, parseJson } from "./keras/config.ts";
import { readModelSpec } from "./keras/model-spec.ts";
import { archiveWeights, legacyWeights } from "./keras/weights.ts";
import { buildKerasGraph, type KerasModel } from "./keras-graph.ts";

/** How a Keras model is read. */
export interface KerasOptions extends ShapeOptions {
  /** Name of the file, for messages. */
  readonly name?: string;
}

const ZIP = [0x50, 0x4b, 0x03, 0x04];
const HDF5 = [0x89, 0x48, 0x44, 0x46];

/** A model's description and its weights, in a file that is open. */
interface OpenModel extends KerasModel {
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
    return { graph: buildKerasGraph(model, options, diagnostics, where), diagnostics };
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
  const kerasVersion = kerasVersionOf(metadata.get("keras_version"));
  const file = await openHdf5(weights, `${where}, model.weights.h5`);
  return keepOpen(file, () => ({ spec, file, kerasVersion, weights: archiveWeights(file, spec) }));
}

async function openLegacy(bytes: Uint8Array, where: string): Promise<OpenModel> {
  const file = await openHdf5(bytes, where);
  return keepOpen(file, () => {
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
      kerasVersion: kerasVersionOf(version),
      weights: legacyWeights(file, "model_weights/"),
    };
  });
}

/** Closes the file when what is to be read from it cannot be. */
function keepOpen<T>(file: Hdf5File, read: () => T): T {
  try {
    return read();
  } catch (error) {
    file.close();
    throw error;
  }
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
