/**
 * A FlatBuffers schema as data: what the generic decoder and encoder follow. The subset is what the formats here use:
 * tables with scalar, enum, string, table and union fields and one-dimensional vectors; no structs, no nested vectors.
 *
 * A table's record in TypeScript: scalars and enums (by name) always there, everything else absent when the bytes leave
 * it out; a union is `{ type, value }`; 64-bit integers are bigint; vectors of ubyte are Uint8Array, of float
 * Float32Array, of anything else plain arrays.
 */

/** Names of scalar types in the schema language. Sizes: 1, 1, 1, 2, 4, 4, 4, 8, 8 bytes. */
export type ScalarType =
  | "bool"
  | "byte"
  | "ubyte"
  | "ushort"
  | "int"
  | "uint"
  | "float"
  | "long"
  | "ulong";

/** Bytes that one scalar takes. */
export const SCALAR_SIZE: Readonly<Record<ScalarType, number>> = {
  bool: 1,
  byte: 1,
  ubyte: 1,
  ushort: 2,
  int: 4,
  uint: 4,
  float: 4,
  long: 8,
  ulong: 8,
};

interface FieldBase {
  /** Index in the table's vtable. A union's value is at `slot`, its type byte at `slot - 1`. */
  readonly slot: number;
  readonly name: string;
}

export type FieldDescriptor =
  | (FieldBase & { readonly kind: "deprecated" })
  | (FieldBase & {
      readonly kind: "scalar";
      readonly of: ScalarType;
      readonly default: number | bigint | boolean;
    })
  | (FieldBase & { readonly kind: "enum"; readonly of: string; readonly default: string })
  | (FieldBase & { readonly kind: "string"; readonly of: "string" })
  | (FieldBase & { readonly kind: "table"; readonly of: string })
  | (FieldBase & { readonly kind: "union"; readonly of: string })
  | (FieldBase & VectorDescriptor);

/**
 * `align` is the least alignment of the first element in the file, in bytes; the element's size when absent.
 * `large` marks bytes that may be left where they are when a large file is opened.
 */
export type VectorDescriptor = {
  readonly kind: "vector";
  readonly align?: number;
  readonly large?: boolean;
} & (
  | { readonly element: "scalar"; readonly of: ScalarType }
  | { readonly element: "enum" | "string" | "table"; readonly of: string }
);

export interface EnumDescriptor {
  readonly storage: ScalarType;
  /** A name's code is its index. */
  readonly names: readonly string[];
}

export interface FlatbufferSchema {
  /** The four characters at byte 4 of a file. */
  readonly identifier: string;
  /** Name of the root table. */
  readonly root: string;
  readonly enums: Readonly<Record<string, EnumDescriptor>>;
  /** Tables that a union may hold; a member's code is its index plus one, 0 means none. */
  readonly unions: Readonly<Record<string, readonly string[]>>;
  readonly tables: Readonly<Record<string, readonly FieldDescriptor[]>>;
}
