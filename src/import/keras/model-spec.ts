/**
 * The layers of a Keras model and how they are connected, from the configurations of Keras 2 and 3. Every way to write a
 * model becomes one form: layers with calls, calls with arguments that are tensors of other calls.
 */
import { FormatError, UnsupportedError } from "../../base/errors.ts";
import { Config, describe, isObject, type Json, type JsonObject } from "./config.ts";

/** Output `tensor` of call `call` of a layer. */
export interface TensorId {
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

export type Argument =
  | { readonly kind: "tensor"; readonly id: TensorId }
  | { readonly kind: "list"; readonly items: readonly Argument[] }
  | { readonly kind: "value"; readonly value: Json };

export interface Call {
  readonly args: readonly Argument[];
  readonly kwargs: ReadonlyMap<string, Argument>;
}

export interface LayerSpec {
  readonly name: string;
  readonly className: string;
  /** Module, where the file says it: tells operations (`x + y`) from layers of the same name. */
  readonly module: string;
  readonly config: Config;
  readonly calls: readonly Call[];
}

export interface ModelSpec {
  readonly name: string;
  readonly isSequential: boolean;
  readonly layers: readonly LayerSpec[];
  readonly inputs: readonly TensorId[];
  readonly outputs: readonly TensorId[];
  /** What the outputs are called, where the model returns a dictionary. */
  readonly outputKeys?: readonly string[];
}

/** How Keras 3 writes arrays and tensors that a call takes beside those of other calls: as lists of numbers. */
const CONSTANTS: ReadonlySet<Json> = new Set(["__numpy__", "__tensor__"]);

const MODELS: ReadonlySet<string> = new Set(["Sequential", "Functional", "Model"]);

export function isModel(className: string): boolean {
  return MODELS.has(className);
}

/**
 * Reads a serialized model: `{class_name, config, …}`.
 *
 * @throws {UnsupportedError} for subclassed models, whose code the file does not hold.
 */
export function readModelSpec(json: Json, where: string): ModelSpec {
  const top = new Config(json, where);
  const className = top.text("class_name");
  if (!isModel(className)) {
    throw new UnsupportedError({
      where,
      found: `a model of class ${className}`,
      expected: "Sequential or Functional",
      remedy: "Export it with model.export(path), and convert the SavedModel",
      features: [`model class ${className}`],
    });
  }
  const config = top.get("config");
  if (className === "Sequential") return readSequential(config, where);
  const values = new Config(config, `${where}, config`);
  const layers = values.list("layers").map((layer) => readLayer(layer, where));
  const outputLayers = values.get("output_layers");
  const outputs = readIds(outputLayers, values);
  const outputKeys = isObject(outputLayers) ? Object.keys(outputLayers).sort() : undefined;
  return {
    ...(outputKeys?.length === outputs.length ? { outputKeys } : {}),
    name: values.text("name", "model"),
    isSequential: false,
    layers: withOwnCalls(layers, outputs),
    inputs: readIds(values.get("input_layers"), values),
    outputs,
  };
}

/**
 * A model inside a model may have a call of its own, in which it was built. Files leave that call out and still count
 * it: the call after the last is then in use.
 */
function withOwnCalls(layers: readonly LayerSpec[], outputs: readonly TensorId[]): LayerSpec[] {
  const calls = layers.flatMap((layer) => layer.calls);
  const used = new Set(
    [...outputs, ...calls.flatMap(tensorsOfCall)].map(({ layer, call }) => `${call} ${layer}`),
  );
  return layers.map((layer) => {
    const [first] = layer.calls;
    const isCounted = used.has(`${layer.calls.length} ${layer.name}`);
    if (!isModel(layer.className) || first === undefined || !isCounted) return layer;
    return { ...layer, calls: [first, ...layer.calls] };
  });
}

/** The tensors among the arguments of a call. */
export function tensorsOfCall({ args, kwargs }: Call): TensorId[] {
  return [...args, ...kwargs.values()].flatMap(idsOf);
}

function idsOf(argument: Argument): TensorId[] {
  if (argument.kind === "tensor") return [argument.id];
  return argument.kind === "list" ? argument.items.flatMap(idsOf) : [];
}

/** A serialized layer inside another ("layer" of Bidirectional, "cell" of RNN). */
export function readInnerLayer(json: Json | undefined, where: string): LayerSpec {
  return readLayer(json ?? null, where);
}

function readSequential(config: Json | undefined, where: string): ModelSpec {
  // Very old files: the configuration is the list of layers itself.
  const values = Array.isArray(config) ? undefined : new Config(config, `${where}, config`);
  const list = Array.isArray(config) ? config : values!.list("layers");
  const layers = list.map((layer) => readLayer(layer, where));
  const first = layers[0];
  if (first === undefined) throw new Config({}, where).wrong("no layers", "at least one");
  if (first.className !== "InputLayer") layers.unshift(inputLayerFor(first, values));
  const chained = layers.map((layer, i): LayerSpec => {
    if (i === 0) return layer;
    const id = { layer: layers[i - 1]!.name, call: 0, tensor: 0 };
    const call: Call = { args: [{ kind: "tensor", id }], kwargs: new Map() };
    return { ...layer, calls: [call] };
  });
  const idOf = (layer: LayerSpec): TensorId => ({ layer: layer.name, call: 0, tensor: 0 });
  return {
    name: values?.text("name", "sequential") ?? "sequential",
    isSequential: true,
    layers: chained,
    inputs: [idOf(chained[0]!)],
    outputs: [idOf(chained.at(-1)!)],
  };
}

/** The shape stands in the first layer's configuration, or beside the list of layers. */
function inputLayerFor(first: LayerSpec, values: Config | undefined): LayerSpec {
  const shape =
    first.config.get("batch_input_shape") ??
    first.config.get("batch_shape") ??
    values?.get("build_input_shape");
  if (shape === undefined) {
    throw new FormatError({
      format: "keras",
      where: first.config.where,
      found: "a model that does not say the shape of its input",
      expected: "a model that was built",
      remedy: "Call model.build(input_shape) and save it again",
    });
  }
  const name = `${first.name}_input`;
  const json = { name, batch_shape: shape, dtype: first.config.get("dtype") ?? "float32" };
  const config = new Config(json, first.config.where);
  return { name, className: "InputLayer", module: "", config, calls: [] };
}

function readLayer(json: Json, where: string): LayerSpec {
  const layer = new Config(json, `${where}, layer`);
  const className = layer.text("class_name");
  const config = new Config(layer.get("config"), `${where}, layer of class ${className}`);
  const name = layer.text("name", config.text("name", className));
  const place = `${where}, layer "${name}" (${className})`;
  const nodes = layer.get("inbound_nodes");
  return {
    name,
    className,
    module: layer.text("module", ""),
    // A nested model is read from its own serialized form.
    config: isModel(className) ? layer : new Config(layer.get("config"), place),
    calls: Array.isArray(nodes) ? nodes.map((node) => readCall(node, place)) : [],
  };
}

function readCall(node: Json, where: string): Call {
  if (isObject(node)) return readKeras3Call(node, where);
  if (!Array.isArray(node) || node.length === 0) {
    throw new Config({}, where).wrong(`inbound node ${describe(node)}`, "a call");
  }
  // Keras 2: a list of [layer, call, tensor, kwargs]; layers of operations leave one level of lists out.
  const entries = Array.isArray(node[0]) ? node : [node];
  const args = entries.map((entry): Argument => readKeras2Entry(entry, where));
  const last = entries[0] as readonly Json[];
  const kwargs = isObject(last[3]) ? last[3] : {};
  return {
    args: args.length === 1 ? args : [{ kind: "list", items: args }],
    kwargs: new Map(Object.entries(kwargs).map(([key, value]) => [key, readKeras2Value(value)])),
  };
}

function readKeras2Entry(entry: Json, where: string): Argument {
  const id = toId(entry);
  if (id !== undefined) return { kind: "tensor", id };
  if (Array.isArray(entry) && entry[0] === "_CONSTANT_VALUE") {
    return { kind: "value", value: entry[2] ?? null };
  }
  // A list in the list that is the first argument.
  if (Array.isArray(entry) && entry.every((item) => Array.isArray(item))) {
    return { kind: "list", items: entry.map((item) => readKeras2Entry(item, where)) };
  }
  throw new Config({}, where).wrong(`inbound node ${describe(entry)}`, "[layer, call, tensor, …]");
}

/** Tensors appear among keyword arguments as [layer, call, tensor], also in lists. */
function readKeras2Value(value: Json): Argument {
  if (!Array.isArray(value)) return { kind: "value", value };
  const id = value.length === 3 ? toId(value) : undefined;
  if (id !== undefined) return { kind: "tensor", id };
  const items = value.map(readKeras2Value);
  const isPlain = items.every(({ kind }) => kind === "value");
  return isPlain ? { kind: "value", value } : { kind: "list", items };
}

function readKeras3Call(node: JsonObject, where: string): Call {
  const config = new Config(node, where);
  const kwargs = config.get("kwargs") ?? {};
  return {
    args: config.list("args").map((arg) => readKeras3Argument(arg, where)),
    kwargs: new Map(
      Object.entries(isObject(kwargs) ? kwargs : {}).map(([key, value]) => [
        key,
        readKeras3Argument(value, where),
      ]),
    ),
  };
}

function readKeras3Argument(value: Json, where: string): Argument {
  if (Array.isArray(value)) {
    return { kind: "list", items: value.map((item) => readKeras3Argument(item, where)) };
  }
  if (isObject(value) && value["class_name"] === "__keras_tensor__") {
    const id = toId(new Config(value["config"], where).get("keras_history"));
    if (id !== undefined) return { kind: "tensor", id };
  }
  if (isObject(value) && value["class_name"] === "__tuple__") {
    return readKeras3Argument(value["items"] ?? null, where);
  }
  if (isObject(value) && CONSTANTS.has(value["class_name"] ?? null)) {
    return { kind: "value", value: new Config(value["config"], where).get("value") ?? null };
  }
  return { kind: "value", value };
}

function toId(value: Json | undefined): TensorId | undefined {
  if (!Array.isArray(value)) return undefined;
  const [layer, call, tensor] = value as readonly Json[];
  if (typeof layer !== "string" || typeof call !== "number" || typeof tensor !== "number")
    return undefined;
  return call >= 0 ? { layer, call, tensor } : undefined;
}

/** Keras flattens dictionaries in the order of their keys. */
const sortedValues = (values: JsonObject): Json[] =>
  Object.entries(values)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value);

/** One triple, a list of them, or a dictionary. */
function readIds(value: Json | undefined, config: Config): TensorId[] {
  const only = toId(value);
  if (only !== undefined) return [only];
  const items = Array.isArray(value) ? value : isObject(value) ? sortedValues(value) : [];
  if (items.length === 0) throw config.wrong("no inputs or no outputs", "a list of tensors");
  return items.flatMap((item) => readIds(item, config));
}
