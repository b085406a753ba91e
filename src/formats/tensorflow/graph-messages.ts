/**
 * Messages of TensorFlow graphs (tensorflow/core/framework/*.proto): the fields that the importer needs, under the
 * format's own names and numbers.
 */
import { NamedRecords, type Records } from "./named-records.ts";
import type { TensorRecord } from "./tensor-record.ts";
import { parseMessage, type WireReader } from "./wire.ts";

/** `dim` sizes; -1 is unknown. */
export interface TensorShapeProto {
  readonly dim: readonly number[];
  readonly unknown_rank: boolean;
}

export interface TensorProto {
  dtype: number;
  tensor_shape?: TensorShapeProto;
  tensor_content: Uint8Array;
  readonly float_val: number[];
  readonly double_val: number[];
  readonly int_val: number[];
  readonly string_val: Uint8Array[];
  readonly scomplex_val: number[];
  readonly int64_val: bigint[];
  readonly bool_val: boolean[];
  readonly dcomplex_val: number[];
  readonly half_val: number[];
  readonly uint32_val: number[];
  readonly uint64_val: bigint[];
}

export interface NameAttrList {
  readonly name: string;
  readonly attr: AttrMap;
}

export interface AttrList {
  readonly s: Uint8Array[];
  readonly i: number[];
  readonly f: number[];
  readonly b: boolean[];
  readonly type: number[];
  readonly shape: TensorShapeProto[];
  readonly tensor: Uint8Array[];
  readonly func: NameAttrList[];
}

/**
 * The value that is there, by the name of its field. Tensors stay bytes, for `readTensor`, until they are needed; other
 * forms of a graph bring them along decoded.
 */
export type AttrValue =
  | { readonly kind: "list"; readonly value: AttrList }
  | { readonly kind: "s"; readonly value: Uint8Array }
  | { readonly kind: "i"; readonly value: number }
  | { readonly kind: "f"; readonly value: number }
  | { readonly kind: "b"; readonly value: boolean }
  | { readonly kind: "type"; readonly value: number }
  | { readonly kind: "shape"; readonly value: TensorShapeProto }
  | { readonly kind: "tensor"; readonly value: Uint8Array | TensorRecord }
  | { readonly kind: "placeholder"; readonly value: string }
  | { readonly kind: "func"; readonly value: NameAttrList };

/** Attributes by name. */
export interface AttrMap {
  keys(): Iterable<string>;
  /** @throws {FormatError} when the attribute's bytes are damaged. */
  get(name: string): AttrValue | undefined;
}

export interface NodeDef {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: AttrMap;
}

export interface ArgDef {
  readonly name: string;
  readonly type: number;
  readonly type_attr: string;
  readonly number_attr: string;
  readonly type_list_attr: string;
}

export interface AttrDef {
  readonly name: string;
  readonly default_value?: AttrValue;
}

export interface OpDef {
  readonly name: string;
  readonly input_arg: readonly ArgDef[];
  readonly output_arg: readonly ArgDef[];
  readonly attr: readonly AttrDef[];
}

export interface FunctionDef {
  readonly signature: OpDef;
  readonly node_def: readonly NodeDef[];
  /** Output name to the value that it returns. */
  readonly ret: ReadonlyMap<string, string>;
  readonly attr: AttrMap;
  readonly control_ret: ReadonlyMap<string, string>;
}

export interface GraphDef {
  readonly node: readonly NodeDef[];
  readonly library: Records<FunctionDef>;
}

export function readTensorShape(wire: WireReader): TensorShapeProto {
  const dim: number[] = [];
  let unknown_rank = false;
  while (wire.next()) {
    if (wire.field === 2) dim.push(wire.message(readDim));
    else if (wire.field === 3) unknown_rank = wire.bool();
    else wire.skip();
  }
  return { dim, unknown_rank };
}

function readDim(wire: WireReader): number {
  let size = 0;
  while (wire.next()) {
    if (wire.field === 1) size = wire.int64();
    else wire.skip();
  }
  return size;
}

const int = (wire: WireReader): number => wire.int32();
const float = (wire: WireReader): number => wire.float();
const double = (wire: WireReader): number => wire.double();
const bool = (wire: WireReader): boolean => wire.bool();
const bigInt64 = (wire: WireReader): bigint => wire.bigInt64();
const string = (wire: WireReader): string => wire.string();

export function readTensor(wire: WireReader): TensorProto {
  const tensor: TensorProto = {
    dtype: 0,
    tensor_content: new Uint8Array(0),
    float_val: [],
    double_val: [],
    int_val: [],
    string_val: [],
    scomplex_val: [],
    int64_val: [],
    bool_val: [],
    dcomplex_val: [],
    half_val: [],
    uint32_val: [],
    uint64_val: [],
  };
  while (wire.next()) {
    const read = TENSOR_FIELDS[wire.field];
    if (read === undefined) wire.skip();
    else read(tensor, wire);
  }
  return tensor;
}

const TENSOR_FIELDS: readonly (((tensor: TensorProto, wire: WireReader) => void) | undefined)[] = [
  undefined,
  (tensor, wire) => {
    tensor.dtype = wire.int32();
  },
  (tensor, wire) => {
    tensor.tensor_shape = wire.message(readTensorShape);
  },
  undefined,
  (tensor, wire) => {
    tensor.tensor_content = wire.bytes();
  },
  (tensor, wire) => wire.repeated(tensor.float_val, float),
  (tensor, wire) => wire.repeated(tensor.double_val, double),
  (tensor, wire) => wire.repeated(tensor.int_val, int),
  (tensor, wire) => tensor.string_val.push(wire.bytes()),
  (tensor, wire) => wire.repeated(tensor.scomplex_val, float),
  (tensor, wire) => wire.repeated(tensor.int64_val, bigInt64),
  (tensor, wire) => wire.repeated(tensor.bool_val, bool),
  (tensor, wire) => wire.repeated(tensor.dcomplex_val, double),
  (tensor, wire) => wire.repeated(tensor.half_val, int),
  undefined,
  undefined,
  (tensor, wire) => wire.repeated(tensor.uint32_val, (from) => from.uint32()),
  (tensor, wire) => wire.repeated(tensor.uint64_val, (from) => from.bigUint64()),
];

function readNameAttrList(wire: WireReader): NameAttrList {
  let name = "";
  const attr = new EncodedAttrs();
  while (wire.next()) {
    if (wire.field === 1) name = wire.string();
    else if (wire.field === 2) attr.read(wire);
    else wire.skip();
  }
  return { name, attr };
}

/** The last value counts, as everywhere in protobuf; undefined when the message is empty. */
export function readAttrValue(wire: WireReader): AttrValue | undefined {
  let attr: AttrValue | undefined;
  while (wire.next()) attr = readAttrField(wire) ?? attr;
  return attr;
}

function readAttrField(wire: WireReader): AttrValue | undefined {
  switch (wire.field) {
    case 1:
      return { kind: "list", value: wire.message(readAttrList) };
    case 2:
      return { kind: "s", value: wire.bytes() };
    case 3:
      return { kind: "i", value: wire.int64() };
    case 4:
      return { kind: "f", value: wire.float() };
    case 5:
      return { kind: "b", value: wire.bool() };
    case 6:
      return { kind: "type", value: wire.int32() };
    case 7:
      return { kind: "shape", value: wire.message(readTensorShape) };
    case 8:
      return { kind: "tensor", value: wire.bytes() };
    case 9:
      return { kind: "placeholder", value: wire.string() };
    case 10:
      return { kind: "func", value: wire.message(readNameAttrList) };
    default:
      wire.skip();
      return undefined;
  }
}

function readAttrList(wire: WireReader): AttrList {
  const list: AttrList = { s: [], i: [], f: [], b: [], type: [], shape: [], tensor: [], func: [] };
  while (wire.next()) {
    if (wire.field === 2) list.s.push(wire.bytes());
    else if (wire.field === 3) wire.repeated(list.i, (from) => from.int64());
    else if (wire.field === 4) wire.repeated(list.f, float);
    else if (wire.field === 5) wire.repeated(list.b, bool);
    else if (wire.field === 6) wire.repeated(list.type, int);
    else if (wire.field === 7) list.shape.push(wire.message(readTensorShape));
    else if (wire.field === 8) list.tensor.push(wire.bytes());
    else if (wire.field === 9) list.func.push(wire.message(readNameAttrList));
    else wire.skip();
  }
  return list;
}

/** Attributes as bytes, each decoded when it is asked for: of most nodes nobody asks for any. */
class EncodedAttrs implements AttrMap {
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #decoded = new Map<string, AttrValue | undefined>();

  read(wire: WireReader): void {
    wire.entry(this.#bytes, (from) => from.bytes());
  }

  keys(): Iterable<string> {
    return this.#bytes.keys();
  }

  get(name: string): AttrValue | undefined {
    const bytes = this.#bytes.get(name);
    if (bytes === undefined) return undefined;
    if (!this.#decoded.has(name)) {
      this.#decoded.set(name, parseMessage(readAttrValue, bytes, `attribute "${name}"`));
    }
    return this.#decoded.get(name);
  }
}

export function readNode(wire: WireReader): NodeDef {
  let name = "";
  let op = "";
  const input: string[] = [];
  const attr = new EncodedAttrs();
  while (wire.next()) {
    if (wire.field === 1) name = wire.string();
    else if (wire.field === 2) op = wire.string();
    else if (wire.field === 3) input.push(wire.string());
    else if (wire.field === 5) attr.read(wire);
    else wire.skip();
  }
  return { name, op, input, attr };
}

function readArg(wire: WireReader): ArgDef {
  const arg = { name: "", type: 0, type_attr: "", number_attr: "", type_list_attr: "" };
  while (wire.next()) {
    if (wire.field === 1) arg.name = wire.string();
    else if (wire.field === 3) arg.type = wire.int32();
    else if (wire.field === 4) arg.type_attr = wire.string();
    else if (wire.field === 5) arg.number_attr = wire.string();
    else if (wire.field === 6) arg.type_list_attr = wire.string();
    else wire.skip();
  }
  return arg;
}

function readAttrDef(wire: WireReader): AttrDef {
  let name = "";
  let value: AttrValue | undefined;
  while (wire.next()) {
    if (wire.field === 1) name = wire.string();
    else if (wire.field === 3) value = wire.message(readAttrValue);
    else wire.skip();
  }
  return value === undefined ? { name } : { name, default_value: value };
}

export function readOpDef(wire: WireReader): OpDef {
  let name = "";
  const input_arg: ArgDef[] = [];
  const output_arg: ArgDef[] = [];
  const attr: AttrDef[] = [];
  while (wire.next()) {
    if (wire.field === 1) name = wire.string();
    else if (wire.field === 2) input_arg.push(wire.message(readArg));
    else if (wire.field === 3) output_arg.push(wire.message(readArg));
    else if (wire.field === 4) attr.push(wire.message(readAttrDef));
    else wire.skip();
  }
  return { name, input_arg, output_arg, attr };
}

function readFunction(wire: WireReader): FunctionDef {
  let signature: OpDef = { name: "", input_arg: [], output_arg: [], attr: [] };
  const node_def: NodeDef[] = [];
  const ret = new Map<string, string>();
  const control_ret = new Map<string, string>();
  const attr = new EncodedAttrs();
  while (wire.next()) {
    if (wire.field === 1) signature = wire.message(readOpDef);
    else if (wire.field === 3) node_def.push(wire.message(readNode));
    else if (wire.field === 4) wire.entry(ret, string);
    else if (wire.field === 5) attr.read(wire);
    else if (wire.field === 6) wire.entry(control_ret, string);
    else wire.skip();
  }
  return { signature, node_def, ret, attr, control_ret };
}

function readFunctionName(wire: WireReader): string {
  let name = "";
  while (wire.next()) {
    if (wire.field === 1) name = wire.message(readOpName);
    else wire.skip();
  }
  return name;
}

/** The name of an OpDef, without the rest. */
export function readOpName(wire: WireReader): string {
  let name = "";
  while (wire.next()) {
    if (wire.field === 1) name = wire.string();
    else wire.skip();
  }
  return name;
}

export function readGraphDef(wire: WireReader): GraphDef {
  const node: NodeDef[] = [];
  const functions: Uint8Array[] = [];
  while (wire.next()) {
    if (wire.field === 1) node.push(wire.message(readNode));
    else if (wire.field === 2) wire.message((library) => readLibrary(library, functions));
    else wire.skip();
  }
  return { node, library: new NamedRecords(functions, readFunctionName, readFunction, "function") };
}

function readLibrary(wire: WireReader, functions: Uint8Array[]): void {
  while (wire.next()) {
    if (wire.field === 1) functions.push(wire.bytes());
    else wire.skip();
  }
}
