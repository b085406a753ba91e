/**
 * Encodes records that a descriptor describes as a FlatBuffer, with the `flatbuffers` package's Builder. Large byte
 * vectors need not pass through it: a `TailVector` in a record's place stands for bytes that the caller puts behind the
 * encoded part, so that files of any size are written without holding them.
 *
 * Scalars that equal the schema's default are left out, as FlatBuffers do. Records and arrays that occur several times
 * (the same object), equal strings and equal vectors of integers are written once.
 */
import { Builder } from "flatbuffers";
import { assert } from "../../base/errors.ts";
import {
  type FieldDescriptor,
  type FlatbufferSchema,
  SCALAR_SIZE,
  type ScalarType,
  type VectorDescriptor,
} from "./descriptor.ts";

/** Alignment in the file of whatever stands in the tail, in bytes. */
export const TAIL_ALIGNMENT = 16;

/** A byte vector outside the encoded part. Its first byte comes `tailOffset` bytes behind the encoded part's end. */
export class TailVector {
  readonly tailOffset: number;
  readonly byteLength: number;

  constructor(tailOffset: number, byteLength: number) {
    assert(
      tailOffset % TAIL_ALIGNMENT === 0 && tailOffset > 0,
      "tail vectors are aligned and have a count before them",
    );
    this.tailOffset = tailOffset;
    this.byteLength = byteLength;
  }
}

/**
 * Encodes `record` as a table of type `schema.root`. The result's length is a multiple of 16, so that what follows it
 * keeps its alignment. A tail vector's count (uint32, 4 bytes before its first byte) is the caller's to write.
 */
export function encodeFlatbuffer(schema: FlatbufferSchema, record: object): Uint8Array {
  return new Encoder(schema).encode(record);
}

class Encoder {
  readonly #schema: FlatbufferSchema;
  readonly #builder = new Builder(1024);
  /** Offsets of strings and of vectors of integers, by content. */
  readonly #texts = new Map<string, number>();
  /** Offsets of what is written already, by type, then object. */
  readonly #written = new Map<string, Map<object, number>>();

  constructor(schema: FlatbufferSchema) {
    this.#schema = schema;
  }

  encode(record: object): Uint8Array {
    this.#builder.prep(TAIL_ALIGNMENT, 0);
    const root = this.#table(this.#schema.root, record);
    this.#builder.finish(root, this.#schema.identifier);
    return this.#builder.asUint8Array();
  }

  #once(type: string, value: object, write: () => number): number {
    let ofType = this.#written.get(type);
    if (ofType === undefined) {
      ofType = new Map();
      this.#written.set(type, ofType);
    }
    const known = ofType.get(value);
    if (known !== undefined) return known;
    const offset = write();
    ofType.set(value, offset);
    return offset;
  }

  /** Children first, as the Builder wants it, then the table itself; wide fields first to avoid padding. */
  #table(type: string, record: object): number {
    return this.#once(type, record, () => {
      const fields = this.#schema.tables[type];
      assert(fields !== undefined, `table ${type} in the schema`);
      const children = new Map<number, number>();
      for (const field of fields) this.#child(children, field, fieldValue(record, field.name));
      this.#builder.startObject((fields.at(-1)?.slot ?? -1) + 1);
      for (const [slot, offset] of children) {
        this.#builder.addOffset(offset);
        this.#builder.slot(slot);
      }
      for (const width of [8, 4, 2, 1]) {
        for (const field of fields) this.#inline(field, fieldValue(record, field.name), width);
      }
      return this.#builder.endObject();
    });
  }

  /** Writes what a field refers to and notes where it is. */
  #child(children: Map<number, number>, field: FieldDescriptor, value: unknown): void {
    if (value === undefined) return;
    switch (field.kind) {
      case "string":
        children.set(field.slot, this.#string(value as string));
        return;
      case "table":
        children.set(field.slot, this.#table(field.of, value as object));
        return;
      case "vector":
        children.set(field.slot, this.#vector(field, value as object));
        return;
      case "union": {
        const { type, value: member } = value as { type: string; value: object };
        children.set(field.slot, this.#table(type, member));
      }
    }
  }

  /** Writes a scalar, an enum code or a union's type byte into the open table when it is `width` bytes wide. */
  #inline(field: FieldDescriptor, value: unknown, width: number): void {
    if (value === undefined) return;
    if (field.kind === "scalar") {
      if (SCALAR_SIZE[field.of] !== width || Object.is(value, field.default)) return;
      this.#scalar(field.of, value as number | bigint | boolean);
      this.#builder.slot(field.slot);
    } else if (field.kind === "enum") {
      const { storage } = this.#enum(field.of);
      if (SCALAR_SIZE[storage] !== width || value === field.default) return;
      this.#scalar(storage, this.#codeOf(field.of, value));
      this.#builder.slot(field.slot);
    } else if (field.kind === "union" && width === 1) {
      const { type } = value as { type: string };
      const code = (this.#schema.unions[field.of]?.indexOf(type) ?? -1) + 1;
      assert(code > 0, `${type} is a member of ${field.of}`);
      this.#builder.addInt8(code);
      this.#builder.slot(field.slot - 1);
    }
  }

  #enum(type: string): FlatbufferSchema["enums"][string] {
    const descriptor = this.#schema.enums[type];
    assert(descriptor !== undefined, `enum ${type} in the schema`);
    return descriptor;
  }

  #codeOf(type: string, name: unknown): number {
    const code = this.#enum(type).names.indexOf(name as string);
    assert(code >= 0, `${String(name)} is a name of ${type}`);
    return code;
  }

  #scalar(type: ScalarType, value: number | bigint | boolean): void {
    switch (type) {
      case "bool":
      case "byte":
      case "ubyte":
        this.#builder.addInt8(Number(value));
        return;
      case "ushort":
        this.#builder.addInt16(value as number);
        return;
      case "int":
      case "uint":
        this.#builder.addInt32(value as number);
        return;
      case "float":
        this.#builder.addFloat32(value as number);
        return;
      case "long":
      case "ulong":
        this.#builder.addInt64(value as bigint);
    }
  }

  #vector(vector: VectorDescriptor, value: object): number {
    // A negative offset from the end of the encoded part: the vector's count, 4 bytes before its first byte.
    if (value instanceof TailVector) return -(value.tailOffset - 4);
    const type = `[${vector.of}]${vector.align ?? ""}`;
    return this.#once(type, value, () =>
      isShared(vector)
        ? this.#shared(`${type}${(value as readonly unknown[]).join()}`, () =>
            this.#newVector(vector, value),
          )
        : this.#newVector(vector, value),
    );
  }

  /** What has the same text, type included, is written once. */
  #shared(text: string, write: () => number): number {
    const offset = this.#texts.get(text) ?? write();
    this.#texts.set(text, offset);
    return offset;
  }

  #newVector(vector: VectorDescriptor, value: object): number {
    if (vector.of === "ubyte" || vector.of === "float") {
      const { buffer, byteOffset, byteLength } = value as Uint8Array | Float32Array;
      return this.#bytes(new Uint8Array(buffer, byteOffset, byteLength), vector);
    }
    const elements = value as readonly unknown[];
    if (vector.element === "scalar" || vector.element === "enum") {
      const storage = vector.element === "scalar" ? vector.of : this.#enum(vector.of).storage;
      this.#builder.startVector(
        SCALAR_SIZE[storage],
        elements.length,
        vector.align ?? SCALAR_SIZE[storage],
      );
      for (let index = elements.length - 1; index >= 0; index--) {
        const element = elements[index];
        this.#scalar(
          storage,
          vector.element === "enum"
            ? this.#codeOf(vector.of, element)
            : (element as number | bigint | boolean),
        );
      }
      return this.#builder.endVector();
    }
    const offsets = elements.map((element) =>
      vector.element === "table"
        ? this.#table(vector.of, element as object)
        : this.#string(element as string),
    );
    this.#builder.startVector(4, offsets.length, 4);
    for (const offset of offsets.reverse()) this.#builder.addOffset(offset);
    return this.#builder.endVector();
  }

  #string(text: string): number {
    return this.#shared(`"${text}`, () => this.#builder.createString(text));
  }

  /** Little-endian bytes as they are. Counts are elements, so floats need theirs corrected. */
  #bytes(bytes: Uint8Array, vector: VectorDescriptor): number {
    const size = vector.of === "float" ? 4 : 1;
    this.#builder.prep(vector.align ?? size, bytes.byteLength);
    if (size === 1) return this.#builder.createByteVector(bytes);
    this.#builder.startVector(size, bytes.byteLength / size, size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = bytes.byteLength - 4; at >= 0; at -= 4)
      this.#builder.addInt32(view.getInt32(at, true));
    return this.#builder.endVector();
  }
}

/**
 * Whether equal vectors are written once: those of integers, which are shapes, operands and zero points. A network has
 * few different ones, and the zero points of its channels take more bytes than their scales.
 */
function isShared({ of, element }: VectorDescriptor): boolean {
  return element === "scalar" && of !== "ubyte" && of !== "float";
}

function fieldValue(record: object, name: string): unknown {
  return (record as Record<string, unknown>)[name];
}
