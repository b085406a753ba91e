/**
 * Weights of layers, as the two kinds of files keep them. Legacy `.h5`: a group for each layer of the model, with a list
 * of the weights' names. `.keras`: a group for each object, named by class and number, with weights "0", "1", ….
 */
import { FormatError } from "../../base/errors.ts";
import type { Hdf5File } from "../../formats/keras/hdf5.ts";
import type { TensorValue } from "../../graph/ir.ts";
import type { LayerWeights } from "./layer.ts";
import { isModel, type LayerSpec, type ModelSpec } from "./model-spec.ts";

/** Finds the weights of the layers of one model, nested models included. */
export interface ModelWeights {
  layer(layer: LayerSpec): LayerWeights;
  /** Weights of a model that is a layer. */
  model(layer: LayerSpec, spec: ModelSpec): ModelWeights;
  /** Weights of a model that a layer holds, by the attributes that lead there: "layer" of TimeDistributed. */
  inside(layer: LayerSpec, attributes: readonly string[], spec: ModelSpec): ModelWeights;
}

interface NamedWeight {
  /** Parts of the name between slashes, without ":0". */
  readonly parts: readonly string[];
  load(): TensorValue;
}

/** Weights of a legacy file: by layer name, then by the last part of the weight's name. */
export function legacyWeights(file: Hdf5File, root: string): ModelWeights {
  const groupOf = (name: string): NamedWeight[] => {
    const group = `${root}${name}`;
    return (listAttribute(file, group, "weight_names") ?? []).map((weight) => ({
      parts: weight.replace(/:\d+$/, "").split("/"),
      load: () => toTensor(file, `${group}/${weight}`),
    }));
  };
  return {
    layer: (layer) => namedWeights(groupOf(layer.name), layer.name),
    model(layer) {
      return nestedWeights(groupOf(layer.name));
    },
    inside(layer) {
      return nestedWeights(groupOf(layer.name));
    },
  };
}

/** Weights that are known by their full names, as TF.js keeps them: "layer/kernel". */
export function listedWeights(weights: ReadonlyMap<string, TensorValue>): ModelWeights {
  return nestedWeights(
    [...weights].map(([name, value]) => ({
      parts: name.replace(/:\d+$/, "").split("/"),
      load: () => value,
    })),
  );
}

/** A nested model's weights lie in one group: its layers own those whose names have the layer's name in them. */
function nestedWeights(all: readonly NamedWeight[]): ModelWeights {
  const ownedBy = (name: string): NamedWeight[] => {
    const path = name.split("/");
    return all.filter(({ parts }) =>
      parts.some((_, i) => path.every((part, k) => parts[i + k] === part)),
    );
  };
  return {
    layer: (layer) => namedWeights(ownedBy(layer.name), layer.name),
    model(layer) {
      const own = ownedBy(layer.name);
      return nestedWeights(own.length === 0 ? all : own);
    },
    inside(layer, _attributes, spec) {
      return this.model(layer, spec);
    },
  };
}

function namedWeights(weights: readonly NamedWeight[], owner: string): LayerWeights {
  return {
    count: weights.length,
    get(name, index) {
      const byName = weights.filter(({ parts }) => isCalled(parts.at(-1) ?? "", name));
      const found = byName.length === 1 ? byName[0] : (byName[0] ?? weights[index]);
      if (found === undefined) throw missing(owner, name);
      return found.load();
    },
    inner(_attribute, name) {
      if (name === undefined) return this;
      const own = weights.filter(({ parts }) => parts.some((part) => isCalled(part, name)));
      return namedWeights(own.length === 0 ? weights : own, `${owner}/${name}`);
    },
    member(_attribute, objects, i) {
      const { name } = objects[i]!;
      // TF.js calls the cells of a stack by their places.
      const called = [name, `RNNCell_${i}`].map((wanted) =>
        weights.filter(({ parts }) => parts.includes(wanted)),
      );
      const own = called.find((found) => found.length > 0) ?? [];
      return namedWeights(own, `${owner}/${name}`);
    },
  };
}

/** Names may be made unique with a number: "kernel_1". */
function isCalled(found: string, wanted: string): boolean {
  return (
    found === wanted ||
    (found.startsWith(`${wanted}_`) && /^\d+$/.test(found.slice(wanted.length + 1)))
  );
}

/** Long attributes are cut into pieces: weight_names0, weight_names1, …. */
export function listAttribute(file: Hdf5File, path: string, name: string): string[] | undefined {
  const whole = file.texts(path, name);
  if (whole !== undefined) return whole;
  const pieces: string[] = [];
  for (let i = 0; ; i++) {
    const piece = file.texts(path, `${name}${i}`);
    if (piece === undefined) return i === 0 ? undefined : pieces;
    pieces.push(...piece);
  }
}

/** Weights of a `.keras` file: paths are made from class names, counted in the order of the configuration. */
export function archiveWeights(file: Hdf5File, spec: ModelSpec, root = ""): ModelWeights {
  const container = file.keys(root).includes("layers")
    ? "layers"
    : "_layer_checkpoint_dependencies";
  const keys = containerKeys(spec);
  const pathOf = (layer: LayerSpec): string => join(root, container, keys.get(layer.name) ?? "");
  return {
    layer: (layer) => pathWeights(file, pathOf(layer), layer.name),
    model: (layer, inner) => archiveWeights(file, inner, pathOf(layer)),
    inside(layer, attributes, inner) {
      const step = (path: string, attribute: string) =>
        join(path, attributeKey(file, path, attribute));
      return archiveWeights(file, inner, attributes.reduce(step, pathOf(layer)));
    },
  };
}

function pathWeights(file: Hdf5File, path: string, owner: string): LayerWeights {
  return {
    count: file.keys(join(path, "vars")).length,
    get(name, index) {
      if (!file.keys(join(path, "vars")).includes(String(index))) throw missing(owner, name);
      return toTensor(file, join(path, "vars", String(index)));
    },
    inner(attribute) {
      const key = attributeKey(file, path, attribute);
      return pathWeights(file, join(path, key), `${owner}/${attribute}`);
    },
    member(attribute, objects, i) {
      const key = countedKeys(objects)[i]!;
      const list = join(path, attributeKey(file, path, attribute));
      return pathWeights(file, join(list, key), `${owner}/${objects[i]!.name}`);
    },
  };
}

/** Keras 2 wrote the names of private attributes with their underscore. */
function attributeKey(file: Hdf5File, path: string, attribute: string): string {
  return file.keys(path).includes(attribute) ? attribute : `_${attribute}`;
}

/** Keys of the layers of a model in their container, by name. */
function containerKeys({ layers, isSequential }: ModelSpec): Map<string, string> {
  const kept = layers.filter((layer, i) => {
    // A Sequential model does not count the input that stands in front of its layers.
    if (isSequential && i === 0 && layer.className === "InputLayer") return false;
    // Operations are no layers.
    return isModel(layer.className) || !layer.module.includes(".ops.");
  });
  const keys = countedKeys(kept);
  return new Map(kept.map(({ name }, i) => [name, keys[i]!]));
}

/** The class of a layer whose configuration has it under another name. */
const CLASSES: ReadonlyMap<string, string> = new Map([
  ["GroupQueryAttention", "GroupedQueryAttention"],
]);

/** Keys of objects in a list: the class in snake case, numbered from the second on. */
function countedKeys(objects: readonly LayerSpec[]): string[] {
  const used = new Map<string, number>();
  return objects.map(({ className }) => {
    const base = snakeCase(CLASSES.get(className) ?? className);
    const count = used.get(base) ?? 0;
    used.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  });
}

/** Keras' own rule: MaxPooling2D → max_pooling2d, ReLU → re_lu, PReLU → p_re_lu, LSTM → lstm. */
export function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

function toTensor(file: Hdf5File, path: string): TensorValue {
  const { dtype, shape, data } = file.dataset(path);
  if (dtype !== "float64") return { dtype, shape, data };
  return { dtype: "float32", shape, data: Float32Array.from(data as Float64Array) };
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("/");
}

function missing(owner: string, name: string): FormatError {
  return new FormatError({
    format: "keras",
    where: `layer "${owner}"`,
    found: `no weight "${name}" in the file`,
    expected: "a value for each weight",
    remedy: "Save the whole model again, with its weights",
  });
}
