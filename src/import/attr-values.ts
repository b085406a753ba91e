/** AttrValue messages (core/framework/attr_value.proto) to attributes of the graph. */
import { FormatError } from "../base/errors.ts";
import { toDType } from "../formats/tensorflow/data-type.ts";
import type { AttrList, AttrMap, AttrValue } from "../formats/tensorflow/graph-messages.ts";
import { decodeTensor, type TensorRecord, toShape } from "../formats/tensorflow/tensor.ts";
import type { Attr } from "../graph/ir.ts";

/**
 * Translates one value. `passed` are the attributes that the caller of a polymorphic function gives it: a value of kind
 * placeholder names one of them.
 */
export function toAttr(message: AttrValue, where: string, passed: AttrMap = NO_ATTRS): Attr {
  switch (message.kind) {
    case "list":
      return { kind: "list", value: listItems(message.value, where) };
    case "s":
      return toStringAttr(message.value);
    case "i":
      return toInt(message.value);
    case "f":
      return { kind: "float", value: message.value };
    case "b":
      return { kind: "bool", value: message.value };
    case "type":
      return { kind: "type", value: toDType(message.value, where) };
    case "shape":
      return { kind: "shape", value: toShape(message.value, where) };
    case "tensor":
      return { kind: "tensor", value: tensorOf(message.value, where) };
    case "func":
      return { kind: "func", value: message.value.name };
    case "placeholder":
      return toAttr(substitute(message.value, passed, where), where);
  }
}

function tensorOf(value: Uint8Array | TensorRecord, where: string): TensorRecord {
  return value instanceof Uint8Array ? decodeTensor(value, where) : value;
}

const NO_ATTRS: AttrMap = new Map();

function substitute(name: string, passed: AttrMap, where: string): AttrValue {
  const value = passed.get(name);
  if (value !== undefined && value.kind !== "placeholder") return value;
  throw new FormatError({
    format: "graph",
    where,
    found: `placeholder "${name}"`,
    expected: "an attribute that the caller passes",
  });
}

function listItems(list: AttrList, where: string): Attr[] {
  return [
    ...list.s.map(toStringAttr),
    ...list.i.map(toInt),
    ...list.f.map((value): Attr => ({ kind: "float", value })),
    ...list.b.map((value): Attr => ({ kind: "bool", value })),
    ...list.type.map((value): Attr => ({ kind: "type", value: toDType(value, where) })),
    ...list.shape.map((value): Attr => ({ kind: "shape", value: toShape(value, where) })),
    ...list.tensor.map((value): Attr => ({ kind: "tensor", value: decodeTensor(value, where) })),
    ...list.func.map((value): Attr => ({ kind: "func", value: value.name })),
  ];
}

function toStringAttr(bytes: Uint8Array): Attr {
  return { kind: "string", value: new TextDecoder().decode(bytes) };
}

function toInt(value: number): Attr {
  return { kind: "int", value };
}
