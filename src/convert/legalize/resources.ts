/** Variables that the model itself changes, and hash tables: TFLite's resources. */
import type { DType } from "../../base/dtype.ts";
import { makeOptions } from "../../formats/tflite/options.ts";
import type { BuiltinOptions } from "../../formats/tflite/schema.gen.ts";
import { findAttr, intAttr } from "../../graph/attrs.ts";
import type { GraphNode } from "../../graph/ir.ts";
import type { LegalizationRow } from "./lowering.ts";
import { tensorType } from "./options.ts";

const varHandle: LegalizationRow = (lowering) =>
  lowering.emit(
    "VAR_HANDLE",
    [],
    makeOptions("VarHandleOptions", { container: "", shared_name: sharedName(lowering.node) }),
  );

/** What names the variable in every subgraph: the node of its handle. */
export function sharedName(node: Parameters<typeof findAttr>[0]): string {
  const given = findAttr(node, "shared_name", "string");
  return given === undefined || given === "" ? node.name : given;
}

const readVariable: LegalizationRow = (lowering) =>
  lowering.emit("READ_VARIABLE", [lowering.input(0)], makeOptions("ReadVariableOptions"));

const assignVariable: LegalizationRow = (lowering) =>
  lowering.emit(
    "ASSIGN_VARIABLE",
    [lowering.input(0), lowering.input(1)],
    makeOptions("AssignVariableOptions"),
    [],
  );

/** The kernels have tables from strings to int64 and back. */
function isTableType(key: DType, value: DType): boolean {
  return (key === "string" && value === "int64") || (key === "int64" && value === "string");
}

/** Options of HASHTABLE for a node of the graph. */
export function hashtableOptions(node: GraphNode, key: DType, value: DType): BuiltinOptions {
  return makeOptions("HashtableOptions", {
    table_id: intAttr(node, "table_id"),
    key_dtype: tensorType(key),
    value_dtype: tensorType(value),
  });
}

/** The inputs, keys and values, are stored by the initializer: see initialize-resources.ts. */
const hashTable: LegalizationRow = (lowering) => {
  if (lowering.inputCount < 2) return lowering.fail("contents that the model does not say");
  const [keys, values] = [lowering.value(0), lowering.value(1)];
  if (!keys || !values) return lowering.fail("contents that are not constant");
  if (!isTableType(keys.dtype, values.dtype)) {
    const found = `${keys.dtype} keys and ${values.dtype} values`;
    return lowering.fail(`${found}, where string to int64 and int64 to string exist`);
  }
  lowering.emit("HASHTABLE", [], hashtableOptions(lowering.node, keys.dtype, values.dtype));
};

const tableFind: LegalizationRow = (lowering) =>
  lowering.emit("HASHTABLE_FIND", lowering.inputs(), makeOptions("HashtableFindOptions"));

export const RESOURCE_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["VarHandleOp", varHandle],
  ["ReadVariableOp", readVariable],
  ["AssignVariableOp", assignVariable],
  ["HashTableV2", hashTable],
  ["LookupTableFindV2", tableFind],
  ["LookupTableFind", tableFind],
]);
