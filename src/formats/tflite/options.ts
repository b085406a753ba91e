/**
 * Making and reading operator options. A record in the file may leave fields out; in memory every scalar is there, so
 * code that makes options names only what differs from the schema's defaults.
 */
import type { FieldDescriptor } from "../flatbuffer/descriptor.ts";
import {
  type BuiltinOptions,
  type BuiltinOptions2,
  type TableRecords,
  TFLITE_SCHEMA,
} from "./schema.gen.ts";

/** Names of the option tables of the first union, like "Conv2DOptions". */
export type BuiltinOptionsName = BuiltinOptions["type"];
/** Names of the option tables of the second union: StableHLO operators and whatever came late. */
export type BuiltinOptions2Name = BuiltinOptions2["type"];

/** A union's member with its type known. */
interface Member<K extends keyof TableRecords> {
  readonly type: K;
  readonly value: TableRecords[K];
}

/** The table's scalar and enum fields with the schema's defaults. */
export function defaultsOf<K extends keyof TableRecords>(table: K): TableRecords[K] {
  const fields: readonly FieldDescriptor[] = TFLITE_SCHEMA.tables[table] ?? [];
  const record: Record<string, unknown> = {};
  for (const field of fields) {
    if (field.kind === "scalar" || field.kind === "enum") record[field.name] = field.default;
  }
  return record as unknown as TableRecords[K];
}

/** Operator options with the schema's defaults for every field that `fields` does not name. */
export function makeOptions<K extends BuiltinOptionsName | BuiltinOptions2Name>(
  type: K,
  fields: Partial<TableRecords[K]> = {},
): Member<K> {
  return { type, value: { ...defaultsOf(type), ...fields } };
}

/**
 * The options as the named table: the schema's defaults where an operator has none (as the official runtime reads
 * them), undefined where it has another table's.
 */
export function optionsAs<K extends BuiltinOptionsName>(
  options: BuiltinOptions | undefined,
  type: K,
): TableRecords[K] | undefined {
  if (options === undefined) return defaultsOf(type);
  return options.type === type ? (options.value as TableRecords[K]) : undefined;
}
