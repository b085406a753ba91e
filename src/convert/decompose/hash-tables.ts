/**
 * Hash tables in the two forms that have kernels, string to int64 and back: int32 becomes int64 in the table and is cast
 * outside of it.
 */
import type { ValueRef } from "../../graph/ir.ts";
import { integersOf, valueFrom } from "../fold/values.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { NodeWriter } from "../node-writer.ts";
import type { Decomposition } from "./decomposition.ts";

/** A table with int64 in place of int32. */
const hashTable: Decomposition = (node, build) => {
  const widened = node.inputs.map((ref) => wideConstant(ref, build));
  if (widened.every((ref, i) => ref === node.inputs[i])) return undefined;
  return [build.add(node.name, "HashTableV2", widened, Object.fromEntries(node.attrs))];
};

function wideConstant(ref: ValueRef, build: GraphBuilder): ValueRef {
  const value = build.value(ref);
  const numbers = value?.dtype === "int32" ? integersOf(value) : undefined;
  const wide = value && numbers && valueFrom("int64", value.shape, numbers);
  return wide === undefined ? ref : build.constant(`${ref.node}/int64`, wide);
}

/** Keys and default are cast for the table, what it finds is cast back. */
const tableFind: Decomposition = (node, build) => {
  const [table, keys, fallback] = node.inputs;
  if (table === undefined || keys === undefined || fallback === undefined) return undefined;
  const types = [build.type(keys).dtype, build.type(fallback).dtype];
  const result = types[1];
  if (!types.includes("int32") || result === undefined) return undefined;
  const w = new NodeWriter(build, node.name);
  const wide = (ref: ValueRef) =>
    build.type(ref).dtype === "int32" ? w.cast(wideConstant(ref, build), "int64") : ref;
  const found = w.node("LookupTableFindV2", [table, wide(keys), wide(fallback)]);
  return [w.cast(found, result)];
};

/** What is in a table never changes: the number of its different keys is a constant. */
const tableSize: Decomposition = (node, build) => {
  const table = node.inputs[0] && build.producer(node.inputs[0]);
  const keys = table?.op === "HashTableV2" ? build.value(table.inputs[0]) : undefined;
  if (keys === undefined) return undefined;
  const different = new Set([...(keys.data as Iterable<bigint | Uint8Array>)].map(String));
  const count = BigInt64Array.of(BigInt(different.size));
  return [build.constant(node.name, { dtype: "int64", shape: [], data: count })];
};

export const HASH_TABLES: ReadonlyMap<string, Decomposition> = new Map([
  ["HashTableV2", hashTable],
  ["LookupTableFindV2", tableFind],
  ["LookupTableFind", tableFind],
  ["LookupTableSizeV2", tableSize],
  ["LookupTableSize", tableSize],
]);
