/**
 * Functions of TensorFlow that stand as layers in models of Keras 2: `TFOpLambda` with the function's name ("math.add"),
 * `SlicingOpLambda` for indexing, and `TensorFlowOpLayer` with a node. Most do what an operation of Keras 3 does, under
 * other names of arguments.
 */
import { Config, describe, isObject, type Json } from "../config.ts";
import {
  type CallArgument,
  type LayerCall,
  type Translate,
  tensorsOf,
  unsupported,
} from "../layer.ts";
import { OPERATIONS } from "../operation-table.ts";
import { FUNCTIONS, NODES } from "./function-table.ts";
import { TENSORFLOW_OPERATIONS } from "./tensorflow-operations.ts";

/** The name of the function, without the modules that hold the same under other names. */
export function functionName(name: string): string {
  return name.replace(/^(?:compat\.v1|keras\.backend|raw_ops)\./, "");
}

/** Whether there is a translation for a node with this op. */
export const isKnownNode = (op: string): boolean => NODES.has(op);

/** Whether there is a translation for a function of this name. */
export function isKnownFunction(name: string): boolean {
  return FUNCTIONS.has(functionName(name));
}

/** A call of a TensorFlow function, translated as the operation that it is. */
export const functionOperation: Translate = (call) => {
  const name = functionName(call.config.text("function"));
  const equivalent = FUNCTIONS.get(name);
  if (equivalent === undefined) throw unsupported(call.config, `the function tf.${name}`);
  const { names = {}, defaults = {} } = equivalent;
  const kwargs = new Map(
    [...call.kwargs].map(([key, value]) => [names[key] ?? key, value] as const),
  );
  const config = call.config.with(defaults);
  return translationOf(equivalent.operation, config)({ ...call, config, kwargs });
};

/** A node of TensorFlow: its inputs and attributes become the arguments of the operation that it is. */
export const nodeOperation: Translate = (call) => {
  const node = call.config.object("node_def");
  const equivalent = NODES.get(node.text("op"));
  if (equivalent === undefined) throw unsupported(call.config, `the node ${node.text("op")}`);
  const args = nodeInputs(call);
  const attrs = node.has("attr") ? node.object("attr") : new Config({}, node.where);
  const options = Object.entries(equivalent.attributes ?? {}).flatMap(([attr, name]) => {
    const value = attrs.has(attr) ? attributeValue(attrs.object(attr)) : undefined;
    return value === undefined ? [] : [[name, value] as const];
  });
  const config = call.config.with(Object.fromEntries(options));
  const translate = translationOf(equivalent.operation, config);
  if (equivalent.inputs.length > 0) {
    const kwargs = new Map(args.map((arg, i) => [equivalent.inputs[i] ?? `input ${i}`, arg]));
    return translate({ ...call, config, args: [], kwargs });
  }
  // The last input of ConcatV2 is the axis; all others of a list are its items.
  const isJoin = node.text("op") === "ConcatV2";
  const items = isJoin ? args.slice(0, -1) : args;
  const axis = args.at(-1);
  const kwargs = new Map(isJoin && axis !== undefined ? [["axis", axis]] : []);
  const list: CallArgument = { kind: "list", items };
  return translate({ ...call, config, args: [list], kwargs, inputs: tensorsOf(list) });
};

/** Inputs in their order: the constants have their places, tensors of other layers take the rest. */
function nodeInputs({ args, config }: LayerCall): CallArgument[] {
  const inputs: CallArgument[] = args
    .flatMap(tensorsOf)
    .map((tensor) => ({ kind: "tensor", tensor }));
  const constants = config.get("constants") ?? {};
  if (!isObject(constants)) throw config.wrong(`constants ${describe(constants)}`, "an object");
  const places = Object.keys(constants).sort((a, b) => Number(a) - Number(b));
  for (const place of places) {
    inputs.splice(Number(place), 0, { kind: "value", value: constants[place] ?? null });
  }
  return inputs;
}

/** An attribute as protobuf writes it in JSON: `{i: "2"}`, `{b: true}`, `{type: "DT_INT32"}`, `{list: {i: ["1"]}}`. */
function attributeValue(attr: Config): Json | undefined {
  const list = attr.get("list");
  if (isObject(list)) return [list["i"] ?? []].flat().map(Number);
  const whole = attr.get("i");
  if (whole !== undefined) return Number(whole);
  const bytes = attr.get("s");
  if (typeof bytes === "string") {
    if (BASE64.test(bytes)) return atob(bytes);
    throw attr.wrong(`bytes ${describe(bytes)}`, "base64");
  }
  const type = attr.get("type");
  if (typeof type === "string") return DTYPES.get(type) ?? type;
  return attr.get("b") ?? attr.get("f");
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const DTYPES: ReadonlyMap<string, string> = new Map([
  ["DT_FLOAT", "float32"],
  ["DT_INT32", "int32"],
  ["DT_INT64", "int64"],
  ["DT_BOOL", "bool"],
]);

function translationOf(operation: string, config: Config): Translate {
  const translate = TENSORFLOW_OPERATIONS.get(operation) ?? OPERATIONS.get(operation);
  if (translate !== undefined) return translate;
  throw unsupported(config, `the operation ${operation}`);
}

/** x[…]: the index is a list of numbers and of ranges with start, stop and step. */
export const slicing =
  (getItem: Translate): Translate =>
  (call: LayerCall) => {
    const spec = call.kwargs.get("slice_spec");
    if (spec?.kind !== "value") throw unsupported(call.config, "an index that is computed");
    const key: CallArgument = { kind: "value", value: keyOf(spec.value) };
    return getItem({ ...call, kwargs: new Map([["key", key]]) });
  };

/** The index as Keras 3 writes it. */
function keyOf(spec: Json): Json {
  if (Array.isArray(spec)) return spec.map(keyOf);
  if (!isObject(spec)) return spec;
  if ("start" in spec) return { class_name: "__slice__", config: spec };
  const value = spec["value"];
  const isEllipsis = spec["class_name"] === "__ellipsis__" || value === "Ellipsis";
  return isEllipsis ? { class_name: "__ellipsis__", config: {} } : spec;
}
