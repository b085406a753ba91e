/** AttrValue messages (core/framework/attr_value.proto) to attributes of the graph. */
import { FormatError } from "../base/errors.ts";
import { toDType } from "../formats/tensorflow/data-type.ts";
import type { AttrValue, AttrValue_ListValue } from "../formats/tensorflow/graph_pb.ts";
import { decodeTensor, toShape } from "../formats/tensorflow/tensor.ts";
import type { Attr } from "../graph/ir.ts";

/** Attributes of a file's nodes by name. */
export type AttrMessages = Readonly<Record<string, AttrValue>>;

/**
 * Translates one value; undefined where the message holds none. `placeholders` are the attributes that the caller of
 * a polymorphic function passes: a value of kind placeholder names one of them.
 */
export function toAttr(
  message: AttrValue,
  where: string,
  placeholders: AttrMessages = {},
): Attr | undefined {
  const { value } = message;
  switch (value.case) {
    case undefined:
      return undefined;
    case "list":
      return { kind: "list", value: listItems(value.value, where) };
    case "s":
      return toStringAttr(value.value);
    case "i":
      return toInt(value.value);
    case "f":
      return { kind: "float", value: value.value };
    case "b":
      return { kind: "bool", value: value.value };
    case "type":
      return { kind: "type", value: toDType(value.value, where) };
    case "shape":
      return { kind: "shape", value: toShape(value.value, where) };
    case "tensor":
      return { kind: "tensor", value: decodeTensor(value.value, where) };
    case "func":
      return { kind: "func", value: value.value.name };
    case "placeholder": {
      const passed = Object.hasOwn(placeholders, value.value)
        ? placeholders[value.value]
        : undefined;
      if (passed === undefined || passed.value.case === "placeholder") {
        throw new FormatError({
          format: "graph",
          where,
          found: `placeholder "${value.value}"`,
          expected: "an attribute that the caller passes",
        });
      }
      return toAttr(passed, where);
    }
  }
}

function listItems(list: AttrValue_ListValue, where: string): Attr[] {
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

function toInt(value: bigint): Attr {
  return { kind: "int", value: Number(value) };
}
