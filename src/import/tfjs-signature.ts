/**
 * Inputs and outputs of a TF.js graph model: a SignatureDef in JSON, among the model's own fields or among the user's
 * metadata, or none (tfjs-converter/src/executor/graph_model.ts).
 */
import { Config, isObject } from "./keras/config.ts";

/** Tensor names in the order of the signature, and its names for them. */
export interface TfjsSignature {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly keys: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
}

/** Reads the signature; undefined where there is none that says both inputs and outputs. */
export function readTfjsSignature(model: Config): TfjsSignature | undefined {
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

/** Tensors; hash tables, which a `resourceId` marks, are not passed in. */
function entriesOf(signature: Config, side: "inputs" | "outputs"): Entry[] {
  return configsOf(signature, side)
    .filter(([, entry]) => !entry.has("resourceId"))
    .map(([key, entry]) => ({ key, name: entry.text("name") }));
}

function configsOf(signature: Config, side: "inputs" | "outputs"): [string, Config][] {
  const entries = signature.get(side);
  if (!isObject(entries)) return [];
  return Object.entries(entries).map(([key, value]) => [
    key,
    new Config(value, `${signature.where}, ${side}, "${key}"`),
  ]);
}

/** The placeholders that stand for hash tables, by the nodes of the initializer that make them. */
export function readCapturedTables(model: Config): Map<string, string> {
  const metadata = model.has("userDefinedMetadata")
    ? model.object("userDefinedMetadata")
    : undefined;
  const read = (name: string, side: "inputs" | "outputs"): [number, string][] => {
    const place = [metadata, model].find((config) => config?.has(name));
    if (place === undefined) return [];
    return configsOf(place.object(name), side)
      .filter(([, entry]) => entry.has("resourceId"))
      .map(([key, entry]) => [
        entry.number("resourceId"),
        entry.text("name", key).replace(/:\d+$/, ""),
      ]);
  };
  const makers = new Map(read("initializerSignature", "outputs"));
  const captured = new Map<string, string>();
  for (const [id, placeholder] of read("signature", "inputs")) {
    const maker = makers.get(id);
    if (maker !== undefined) captured.set(maker, placeholder);
  }
  return captured;
}

/** The names that a model whose outputs are a dictionary had for them, in the order of the signature's outputs. */
function structuredKeys(metadata: Config | undefined, count: number): string[] | undefined {
  const keys = metadata?.get("structuredOutputKeys");
  if (!Array.isArray(keys) || keys.length !== count || new Set(keys).size !== count) {
    return undefined;
  }
  return keys.every((key) => typeof key === "string") ? (keys as string[]) : undefined;
}
