/**
 * Inputs and outputs of a TF.js graph model: a SignatureDef in JSON, among the model's own fields or among the user's
 * metadata, or none (tfjs-converter/src/executor/graph_model.ts).
 */
import { UnsupportedError } from "../base/errors.ts";
import { Config, isObject } from "./keras/config.ts";

/** Tensor names in the order of the signature, and its names for them. */
export interface TfjsSignature {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly keys: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
}

/**
 * Reads the signature; undefined where there is none that says both inputs and outputs.
 *
 * @throws {UnsupportedError} for models with hash tables, which a second graph fills.
 */
export function readTfjsSignature(model: Config): TfjsSignature | undefined {
  refuseTables(model);
  const metadata = model.has("userDefinedMetadata")
    ? model.object("userDefinedMetadata")
    : undefined;
  const place = [model, metadata].find((config) => config?.has("signature"));
  const signature = place?.object("signature");
  if (signature === undefined) return undefined;
  const inputs = entriesOf(signature, "inputs");
  const outputs = entriesOf(signature, "outputs");
  if (inputs.length === 0 || outputs.length === 0) return undefined;
  const outputKeys = outputs.map(({ key }) => key);
  return {
    inputs: inputs.map(({ name }) => name),
    outputs: outputs.map(({ name }) => name),
    keys: {
      inputs: inputs.map(({ key }) => key),
      outputs: structuredKeys(metadata, outputs.length) ?? outputKeys,
    },
  };
}

interface Entry {
  readonly key: string;
  readonly name: string;
}

function entriesOf(signature: Config, side: "inputs" | "outputs"): Entry[] {
  const entries = signature.get(side);
  if (!isObject(entries)) return [];
  return Object.entries(entries).map(([key, value]) => {
    const entry = new Config(value, `${signature.where}, ${side}, "${key}"`);
    if (entry.has("resourceId")) throw noTables(entry.where);
    return { key, name: entry.text("name") };
  });
}

/** The names that a model whose outputs are a dictionary had for them, in the order of the signature's outputs. */
function structuredKeys(metadata: Config | undefined, count: number): string[] | undefined {
  const keys = metadata?.get("structuredOutputKeys");
  if (!Array.isArray(keys) || keys.length !== count || new Set(keys).size !== count) {
    return undefined;
  }
  return keys.every((key) => typeof key === "string") ? (keys as string[]) : undefined;
}

function refuseTables(model: Config): void {
  const initializer = model.has("modelInitializer") ? model.object("modelInitializer") : undefined;
  if (initializer?.has("node") && initializer.list("node").length > 0) {
    throw noTables(initializer.where);
  }
}

function noTables(where: string): UnsupportedError {
  return new UnsupportedError({
    where,
    found: "hash tables, which a second graph fills",
    expected: "a model without them",
    remedy: "Look words up before the model runs, and convert the part after that",
    features: ["TF.js hash tables"],
  });
}
