/**
 * A GraphDef in protobuf's JSON mapping, as TF.js graph models hold it: camelCase names, bytes in base64, 64-bit integers
 * as text, enumerations by name, defaults left out. Constants have no data of their own: it stands in the manifest under
 * the node's name, which has the name of the function in front where the constant is in one.
 */
import { FormatError } from "../../base/errors.ts";
import type {
  ArgDef,
  AttrList,
  AttrValue,
  FunctionDef,
  GraphDef,
  NodeDef,
  TensorShapeProto,
} from "../tensorflow/graph-messages.ts";
import type { TensorRecord } from "../tensorflow/tensor-record.ts";

/** Names of core/framework/types.proto without "DT_", by number. */
const TYPE_NAMES: readonly string[] = [
  "INVALID",
  "FLOAT",
  "DOUBLE",
  "INT32",
  "UINT8",
  "INT16",
  "INT8",
  "STRING",
  "COMPLEX64",
  "INT64",
  "BOOL",
  "QINT8",
  "QUINT8",
  "QINT32",
  "BFLOAT16",
  "QINT16",
  "QUINT16",
  "UINT16",
  "COMPLEX128",
  "HALF",
  "RESOURCE",
  "VARIANT",
  "UINT32",
  "UINT64",
];

/** Added to the number of a type whose tensors are references. */
const REFERENCE = 100;

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Reads a graph. `weights` are the manifest's tensors.
 *
 * @throws {FormatError} when a value is of another kind than its field, or a constant has no data.
 */
export function readGraphJson(
  json: unknown,
  weights: ReadonlyMap<string, TensorRecord>,
  where: string,
): GraphDef {
  return new GraphReader(weights, where).graph(json as Json);
}

/** Number of an element type by its name ("DT_FLOAT"). */
export function typeNumber(name: unknown, where: string): number {
  const [, base = "", reference] = /^DT_(\w+?)(_REF)?$/.exec(String(name)) ?? [];
  const number = typeof name === "number" ? name : TYPE_NAMES.indexOf(base);
  if (number >= 0) return reference === undefined ? number : number + REFERENCE;
  throw new FormatError({
    format: "tfjs",
    where,
    found: `type ${String(name)}`,
    expected: "a DataType",
  });
}

/** A shape: `{dim: [{size: "1"}, …]}`, or unknown. */
export function shapeFromJson(json: unknown, where: string): TensorShapeProto {
  const reader = new GraphReader(new Map(), where);
  return reader.shape((json ?? {}) as Json);
}

class GraphReader {
  readonly #weights: ReadonlyMap<string, TensorRecord>;
  readonly #where: string;

  constructor(weights: ReadonlyMap<string, TensorRecord>, where: string) {
    this.#weights = weights;
    this.#where = where;
  }

  graph(json: Json): GraphDef {
    const graph = this.#object(json, "the graph");
    const library = this.#object(field(graph, "library") ?? {}, "library");
    const functions = new Map<string, FunctionDef>();
    for (const item of this.#list(library, "function")) {
      const definition = this.#function(item);
      functions.set(definition.signature.name, definition);
    }
    return {
      node: this.#list(graph, "node").map((node) => this.#node(node, "")),
      library: functions,
    };
  }

  shape(json: Json): TensorShapeProto {
    const shape = this.#object(json, "a shape");
    const dim = this.#list(shape, "dim").map((item) =>
      Number(field(this.#object(item, "a dimension"), "size") ?? 0),
    );
    return { dim, unknown_rank: field(shape, "unknownRank") === true };
  }

  #function(json: Json): FunctionDef {
    const definition = this.#object(json, "a function");
    const signature = this.#object(field(definition, "signature") ?? {}, "a signature");
    const name = this.#text(signature, "name");
    return {
      signature: {
        name,
        input_arg: this.#list(signature, "inputArg").map((arg) => this.#argument(arg)),
        output_arg: this.#list(signature, "outputArg").map((arg) => this.#argument(arg)),
        attr: [],
      },
      node_def: this.#list(definition, "nodeDef").map((node) => this.#node(node, `${name}/`)),
      ret: this.#textMap(field(definition, "ret")),
      control_ret: this.#textMap(field(definition, "controlRet")),
      attr: new Map(),
    };
  }

  #argument(json: Json): ArgDef {
    const arg = this.#object(json, "an argument");
    const type = field(arg, "type");
    return {
      name: this.#text(arg, "name"),
      type: type === undefined ? 0 : typeNumber(type, this.#where),
      type_attr: this.#text(arg, "typeAttr"),
      number_attr: this.#text(arg, "numberAttr"),
      type_list_attr: this.#text(arg, "typeListAttr"),
    };
  }

  #node(json: Json, prefix: string): NodeDef {
    const node = this.#object(json, "a node");
    const name = this.#text(node, "name");
    const attr = new Map<string, AttrValue>();
    for (const [key, value] of Object.entries(
      this.#object(field(node, "attr") ?? {}, `node "${name}"`),
    )) {
      const read = this.#attr(this.#object(value, `attribute "${key}" of "${name}"`), name, prefix);
      if (read !== undefined) attr.set(key, read);
    }
    return {
      name,
      op: this.#text(node, "op"),
      input: this.#list(node, "input").map(String),
      attr,
    };
  }

  #attr(json: JsonObject, node: string, prefix: string): AttrValue | undefined {
    const [kind, value] = Object.entries(json)[0] ?? [];
    switch (kind) {
      case undefined:
        return undefined;
      case "s":
        return { kind: "s", value: this.#bytes(value!) };
      case "i":
        return { kind: "i", value: this.#integer(value!) };
      case "f":
        return { kind: "f", value: Number(value) };
      case "b":
        return { kind: "b", value: value === true };
      case "type":
        return { kind: "type", value: typeNumber(value, this.#where) };
      case "shape":
        return { kind: "shape", value: this.shape(value!) };
      case "tensor":
        return { kind: "tensor", value: this.#constant(node, prefix) };
      case "func":
        return {
          kind: "func",
          value: { name: this.#text(this.#object(value!, "a function"), "name"), attr: new Map() },
        };
      case "list":
        return { kind: "list", value: this.#attrList(this.#object(value!, "a list")) };
      default:
        throw this.#wrong(`attribute of kind "${kind}"`, "a value");
    }
  }

  #constant(name: string, prefix: string): TensorRecord {
    // Of a constant in a function the converter has made the name unique: "function/constant" is its whole name.
    const value = this.#weights.get(name) ?? this.#weights.get(`${prefix}${name}`);
    if (value !== undefined) return value;
    throw this.#wrong(`constant "${name}" without data`, "a weight of this name in the manifest");
  }

  #attrList(json: JsonObject): AttrList {
    return {
      s: this.#list(json, "s").map((item) => this.#bytes(item)),
      i: this.#list(json, "i").map((item) => this.#integer(item)),
      f: this.#list(json, "f").map(Number),
      b: this.#list(json, "b").map((item) => item === true),
      type: this.#list(json, "type").map((item) => typeNumber(item, this.#where)),
      shape: this.#list(json, "shape").map((item) => this.shape(item)),
      tensor: [],
      func: [],
    };
  }

  /** Base64, or the bytes as a list of numbers. */
  #bytes(json: Json): Uint8Array {
    return Array.isArray(json) ? Uint8Array.from(json, Number) : fromBase64(json, this.#where);
  }

  #integer(json: Json): number {
    const value = Number(json);
    if (Number.isInteger(value)) return value;
    throw this.#wrong(`${JSON.stringify(json)} as an integer`, "a whole number");
  }

  #textMap(json: Json | undefined): Map<string, string> {
    return new Map(
      Object.entries(this.#object(json ?? {}, "a map")).map(([key, value]) => [key, String(value)]),
    );
  }

  #object(json: Json, what: string): JsonObject {
    if (typeof json === "object" && json !== null && !Array.isArray(json))
      return json as JsonObject;
    throw this.#wrong(`${what} that is no object`, "an object");
  }

  #list(json: JsonObject, name: string): readonly Json[] {
    const value = field(json, name) ?? [];
    if (Array.isArray(value)) return value;
    throw this.#wrong(`"${name}" that is no list`, "a list");
  }

  #text(json: JsonObject, name: string): string {
    const value = field(json, name) ?? "";
    if (typeof value === "string") return value;
    throw this.#wrong(`"${name}" that is no text`, "text");
  }

  #wrong(found: string, expected: string): FormatError {
    return new FormatError({ format: "tfjs", where: this.#where, found, expected });
  }
}

function field(json: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(json, name) ? json[name] : undefined;
}

function fromBase64(value: Json, where: string): Uint8Array {
  try {
    return Uint8Array.from(atob(String(value)), (char) => char.charCodeAt(0));
  } catch (cause) {
    throw new FormatError({
      format: "tfjs",
      where,
      found: "text that is not base64",
      expected: "bytes in base64",
      cause,
    });
  }
}
