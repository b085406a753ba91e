/**
 * Decodes and verifies any FlatBuffer that a descriptor describes. Bytes are hostile: every position and count is
 * checked against the file before anything is allocated, and what is decoded is charged against a budget that a file
 * whose objects do not overlap cannot exceed. Objects that are referenced several times are decoded once and shared.
 * The recursion is as deep as the schema, which has no table inside itself.
 *
 * Byte vectors alias the file. Those marked as large are `LeftOut` where the window does not hold them.
 *
 * What the descriptor does not know is never dropped in silence: unknown fields become diagnostics, unknown enum codes
 * and union members, without which a record has no meaning, end in one UnsupportedError that lists them all.
 *
 * Layout: https://flatbuffers.dev/internals/. A table starts with the signed distance to its vtable; the vtable holds
 * its own size, the table's size and, per slot, the field's distance from the table's start (0: not there).
 */
import { type Diagnostic, FormatError, UnsupportedError } from "../../base/errors.ts";
import type { ByteWindow } from "./byte-window.ts";
import { DecodeBudget } from "./decode-budget.ts";
import {
  type FieldDescriptor,
  type FlatbufferSchema,
  SCALAR_SIZE,
  type ScalarType,
  type VectorDescriptor,
} from "./descriptor.ts";
import { Findings, MAX_LISTED } from "./findings.ts";

/** A vtable may be shared by thousands of tables; it is read once. */
interface VTable {
  /** Distance from the table's start by slot, 0 where the field is not there. */
  readonly fieldOffsets: readonly number[];
  /** Slots that are there, ascending. */
  readonly presentSlots: readonly number[];
  readonly tableSize: number;
}

export type FlatbufferRecord = Record<string, unknown>;

export interface Decoded {
  readonly record: FlatbufferRecord;
  readonly diagnostics: readonly Diagnostic[];
}

/** The root table's offset and the identifier. */
const MIN_FILE_BYTES = 8;
/** Decodes the root table. `format` names the format in errors ("tflite"), `window` the file. */
export function decodeFlatbuffer(
  schema: FlatbufferSchema,
  window: ByteWindow,
  format: string,
  name: string,
): Decoded {
  return new Decoder(schema, window, format, name).decode();
}

class Decoder {
  readonly #schema: FlatbufferSchema;
  readonly #window: ByteWindow;
  readonly #format: string;
  readonly #name: string;
  readonly #vtables = new Map<number, VTable>();
  /** Decoded objects by type, then position. */
  readonly #shared = new Map<string, Map<number, unknown>>();
  readonly #findings = new Findings();
  readonly #unsupported = new Set<string>();
  readonly #text = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #budget: DecodeBudget;

  constructor(schema: FlatbufferSchema, window: ByteWindow, format: string, name: string) {
    this.#schema = schema;
    this.#window = window;
    this.#format = format;
    this.#name = name;
    this.#budget = new DecodeBudget(name, window.byteLength);
  }

  decode(): Decoded {
    const { identifier, root } = this.#schema;
    if (this.#window.byteLength < MIN_FILE_BYTES) {
      throw this.#foreign(`${this.#window.byteLength} bytes`, `at least ${MIN_FILE_BYTES}`);
    }
    const found = this.#window.bytes(4, 4, "file identifier");
    if (String.fromCharCode(...found) !== identifier) {
      const hex = [...found].map((byte) => byte.toString(16).padStart(2, "0"));
      throw this.#foreign(`file identifier ${hex.join(" ")}`, `"${identifier}"`);
    }
    const record = this.#table(root, this.#window.uint32(0, "root offset"));
    if (this.#unsupported.size > 0) {
      const features = [...this.#unsupported];
      throw new UnsupportedError({
        where: this.#name,
        found: features.slice(0, MAX_LISTED).join("; "),
        expected: "only codes that the schema has",
        remedy: "The file is damaged, or was written for a newer version of the format",
        features,
      });
    }
    return { record, diagnostics: this.#findings.diagnostics(this.#name, this.#format) };
  }

  #foreign(found: string, expected: string): FormatError {
    return new FormatError({
      where: this.#name,
      found,
      expected,
      remedy: `Give a .${this.#format} file; this is none, or its beginning is lost`,
      format: this.#format,
      byteOffset: 0,
    });
  }

  /** Decodes the object of type `type` at `position` unless that was done before. */
  #once<T>(type: string, position: number, decode: () => T): T {
    let ofType = this.#shared.get(type);
    if (ofType === undefined) {
      ofType = new Map();
      this.#shared.set(type, ofType);
    }
    const known = ofType.get(position);
    if (known !== undefined) return known as T;
    const decoded = decode();
    ofType.set(position, decoded);
    return decoded;
  }

  /** The position that the offset at `position` refers to. Offsets count from where they stand. */
  #follow(position: number, what: string): number {
    const offset = this.#window.uint32(position, what);
    if (offset === 0) throw this.#window.error(position, what, "offset 0", "a positive offset");
    return position + offset;
  }

  #table(type: string, position: number): FlatbufferRecord {
    return this.#once(type, position, () => {
      const vtable = this.#vtable(position, type);
      const fields = this.#schema.tables[type] ?? [];
      this.#budget.charge(vtable.tableSize, position, type);
      this.#budget.countTable(position, type);
      const record: FlatbufferRecord = {};
      for (const field of fields) this.#field(record, field, vtable, position, type);
      this.#noteUnknown(fields, vtable, position, type);
      return record;
    });
  }

  #vtable(table: number, type: string): VTable {
    const position = table - this.#window.int32(table, type);
    const known = this.#vtables.get(position);
    if (known !== undefined) return known;
    const what = `vtable of ${type}`;
    const size = this.#window.uint16(position, what);
    const tableSize = this.#window.uint16(position + 2, what);
    if (size < 4 || size % 2 !== 0 || tableSize < 4) {
      throw this.#window.error(
        position,
        what,
        `sizes ${size} and ${tableSize}`,
        "even sizes from 4",
      );
    }
    this.#budget.charge(size, position, what);
    const fieldOffsets = Array.from({ length: (size - 4) / 2 }, (_, slot) =>
      this.#window.uint16(position + 4 + 2 * slot, what),
    );
    const presentSlots = [...fieldOffsets.keys()].filter((slot) => fieldOffsets[slot] !== 0);
    const vtable = { fieldOffsets, presentSlots, tableSize };
    this.#vtables.set(position, vtable);
    return vtable;
  }

  #noteUnknown(
    fields: readonly FieldDescriptor[],
    vtable: VTable,
    table: number,
    type: string,
  ): void {
    const lastKnown = fields.at(-1)?.slot ?? -1;
    for (const slot of vtable.presentSlots.slice(-MAX_LISTED)) {
      if (slot <= lastKnown) continue;
      this.#findings.note(
        "unknown-field",
        `${type} has an unknown field in slot ${slot}; a rewritten file loses it`,
        table,
      );
    }
  }

  #field(
    record: FlatbufferRecord,
    field: FieldDescriptor,
    vtable: VTable,
    table: number,
    type: string,
  ): void {
    const offset = vtable.fieldOffsets[field.slot] ?? 0;
    if (offset === 0 && field.kind !== "union") {
      // Most fields of most tables: no name is made for them.
      if ("default" in field) record[field.name] = field.default;
      return;
    }
    const what = `${type}.${field.name}`;
    const position = table + offset;
    switch (field.kind) {
      case "deprecated":
        this.#findings.note(
          "deprecated-field",
          `${what} is deprecated; a rewritten file loses it`,
          table,
        );
        return;
      case "scalar":
        record[field.name] = this.#scalar(field.of, position, what);
        return;
      case "enum":
        record[field.name] = this.#enum(field.of, position, what);
        return;
      case "union": {
        const typeOffset = vtable.fieldOffsets[field.slot - 1] ?? 0;
        this.#union(record, field.name, field.of, typeOffset, offset, table, what);
        return;
      }
      case "string":
        record[field.name] = this.#string(this.#follow(position, what), what);
        return;
      case "table":
        record[field.name] = this.#table(field.of, this.#follow(position, what));
        return;
      case "vector":
        record[field.name] = this.#vector(field, this.#follow(position, what), what);
    }
  }

  #scalar(type: ScalarType, position: number, what: string): number | bigint | boolean {
    switch (type) {
      case "bool":
        return this.#window.uint8(position, what) !== 0;
      case "byte":
        return this.#window.int8(position, what);
      case "ubyte":
        return this.#window.uint8(position, what);
      case "ushort":
        return this.#window.uint16(position, what);
      case "int":
        return this.#window.int32(position, what);
      case "uint":
        return this.#window.uint32(position, what);
      case "float":
        return this.#window.float32(position, what);
      case "long":
        return this.#window.int64(position, what);
      case "ulong":
        return this.#window.uint64(position, what);
    }
  }

  /** Unknown codes are collected; the record then holds the code itself, which nobody gets to see. */
  #enum(type: string, position: number, what: string): unknown {
    const descriptor = this.#schema.enums[type];
    const code =
      descriptor === undefined ? -1 : Number(this.#scalar(descriptor.storage, position, what));
    const name = descriptor?.names[code];
    if (name === undefined) this.#refuse(`${what} ${code} at byte ${position}`);
    return name ?? code;
  }

  #refuse(feature: string): void {
    if (this.#unsupported.size < MAX_LISTED * MAX_LISTED) this.#unsupported.add(feature);
  }

  #union(
    record: FlatbufferRecord,
    name: string,
    union: string,
    typeOffset: number,
    valueOffset: number,
    table: number,
    what: string,
  ): void {
    const code = typeOffset === 0 ? 0 : this.#window.uint8(table + typeOffset, `${what} type`);
    if (code === 0 || valueOffset === 0) {
      if (code !== 0 || valueOffset !== 0) {
        this.#findings.note(
          "half-union",
          `${what} has only its type or only its value; a rewritten file loses it`,
          table,
        );
      }
      return;
    }
    const type = this.#schema.unions[union]?.[code - 1];
    if (type === undefined) {
      this.#refuse(`${what} of type ${code} at byte ${table}`);
      return;
    }
    record[name] = { type, value: this.#table(type, this.#follow(table + valueOffset, what)) };
  }

  #string(position: number, what: string): string {
    return this.#once("string", position, () => {
      const byteLength = this.#window.uint32(position, what);
      this.#budget.charge(byteLength + 5, position, what);
      const bytes = this.#window.bytes(position + 4, byteLength + 1, what);
      if (bytes[byteLength] !== 0) {
        throw this.#window.error(
          position,
          what,
          "text without an end mark",
          "a zero byte behind it",
        );
      }
      const text = this.#text.decode(bytes.subarray(0, byteLength));
      if (text.includes("\ufffd")) {
        this.#findings.note(
          "not-utf8",
          `${what} is not UTF-8; the wrong bytes were replaced`,
          position,
        );
      }
      return text;
    });
  }

  #vector(vector: VectorDescriptor, position: number, what: string): unknown {
    return this.#once(`[${vector.of}]${vector.large === true}`, position, () => {
      const count = this.#window.uint32(position, what);
      const first = position + 4;
      if (vector.large === true) return this.#window.large(first, count, what);
      if (vector.of === "ubyte") return this.#window.bytes(first, count, what);
      const size = this.#elementSize(vector);
      const bytes = this.#window.bytes(first, count * size, what);
      this.#budget.charge(4 + bytes.byteLength, position, what);
      // Not bytes.slice(): on Node's Buffer that is a view. Long vectors are not read element by element.
      if (vector.of === "float") return new Float32Array(new Uint8Array(bytes).buffer);
      if (vector.of === "int") return [...new Int32Array(new Uint8Array(bytes).buffer)];
      if (vector.of === "long") return [...new BigInt64Array(new Uint8Array(bytes).buffer)];
      return Array.from({ length: count }, (_, index) =>
        this.#element(vector, first + index * size, what),
      );
    });
  }

  #elementSize(vector: VectorDescriptor): number {
    if (vector.element === "scalar") return SCALAR_SIZE[vector.of];
    if (vector.element !== "enum") return 4;
    const descriptor = this.#schema.enums[vector.of];
    return descriptor === undefined ? 4 : SCALAR_SIZE[descriptor.storage];
  }

  #element(vector: VectorDescriptor, position: number, what: string): unknown {
    switch (vector.element) {
      case "scalar":
        return this.#scalar(vector.of, position, what);
      case "enum":
        return this.#enum(vector.of, position, what);
      case "string":
        return this.#string(this.#follow(position, what), what);
      case "table":
        return this.#table(vector.of, this.#follow(position, what));
    }
  }
}
