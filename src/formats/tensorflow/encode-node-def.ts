/**
 * Writing a NodeDef (core/framework/node_def.proto, attr_value.proto): its operation, its inputs without names, and
 * attributes in the order of their names. Operators of TensorFlow's own kernels in a TFLite file carry one.
 */
import type { DType } from "../../base/dtype.ts";
import { dataTypeOf } from "./data-type.ts";

/** The values of attributes that can be written. */
export type EncodableAttr =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "type"; readonly value: DType }
  | { readonly kind: "shape"; readonly value: readonly number[] | undefined }
  | { readonly kind: "list"; readonly value: readonly EncodableAttr[] };

/** Field numbers, the same in AttrValue and in its list. */
const FIELDS = { string: 2, int: 3, float: 4, bool: 5, type: 6, shape: 7 } as const;
const LIST = 1;
const NODE = { op: 2, input: 3, attr: 5 } as const;
const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

export function encodeNodeDef(
  op: string,
  inputCount: number,
  attrs: ReadonlyMap<string, EncodableAttr>,
): Uint8Array {
  const sorted = [...attrs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Uint8Array.from([
    ...field(NODE.op, text(op)),
    ...Array.from({ length: inputCount }, () => field(NODE.input, [])).flat(),
    ...sorted.flatMap(([name, attr]) =>
      field(NODE.attr, [...field(1, text(name)), ...field(2, attrValue(attr))]),
    ),
  ]);
}

function attrValue(attr: EncodableAttr): number[] {
  if (attr.kind !== "list") return scalar(attr);
  return field(LIST, attr.value.flatMap(scalar));
}

/** One field of AttrValue, or one element of its list (readers take repeated numbers unpacked as well). */
function scalar(attr: EncodableAttr): number[] {
  switch (attr.kind) {
    case "string":
      return field(FIELDS.string, text(attr.value));
    case "int":
      return [...tag(FIELDS.int, VARINT), ...varint(BigInt(attr.value))];
    case "bool":
      return [...tag(FIELDS.bool, VARINT), attr.value ? 1 : 0];
    case "type":
      return [...tag(FIELDS.type, VARINT), ...varint(BigInt(dataTypeOf(attr.value) ?? 0))];
    case "float": {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setFloat32(0, attr.value, true);
      return [...tag(FIELDS.float, FIXED32), ...bytes];
    }
    case "shape":
      return field(FIELDS.shape, shape(attr.value));
    case "list":
      return [];
  }
}

/** TensorShapeProto: a message for each dimension, or the mark of an unknown rank. */
function shape(sizes: readonly number[] | undefined): number[] {
  if (sizes === undefined) return [...tag(3, VARINT), 1];
  return sizes.flatMap((size) => field(2, [...tag(1, VARINT), ...varint(BigInt(size))]));
}

const text = (value: string): number[] => [...new TextEncoder().encode(value)];

const tag = (number: number, wireType: number): number[] => varint(BigInt(number * 8 + wireType));

function field(number: number, bytes: readonly number[]): number[] {
  return [...tag(number, BYTES), ...varint(BigInt(bytes.length)), ...bytes];
}

/** Seven bits a byte, lowest first; negative numbers as 64-bit two's complement. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}
