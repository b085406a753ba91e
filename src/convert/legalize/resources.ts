/** Variables that the model itself changes: TFLite's resource variables. */
import { makeOptions } from "../../formats/tflite/options.ts";
import { findAttr } from "../../graph/attrs.ts";
import type { LegalizationRow } from "./lowering.ts";

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

export const RESOURCE_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["VarHandleOp", varHandle],
  ["ReadVariableOp", readVariable],
  ["AssignVariableOp", assignVariable],
]);
