/** While and If: their functions become subgraphs. */
import { makeOptions } from "../../formats/tflite/options.ts";
import { funcAttr } from "../../graph/attrs.ts";
import type { LegalizationRow } from "./lowering.ts";

const loop: LegalizationRow = (lowering) =>
  lowering.emit(
    "WHILE",
    lowering.inputs(),
    makeOptions("WhileOptions", {
      cond_subgraph_index: lowering.subgraph(funcAttr(lowering.node, "cond")),
      body_subgraph_index: lowering.subgraph(funcAttr(lowering.node, "body")),
    }),
  );

const branch: LegalizationRow = (lowering) =>
  lowering.emit(
    "IF",
    lowering.inputs(),
    makeOptions("IfOptions", {
      then_subgraph_index: lowering.subgraph(funcAttr(lowering.node, "then_branch")),
      else_subgraph_index: lowering.subgraph(funcAttr(lowering.node, "else_branch")),
    }),
  );

export const CONTROL_FLOW_ROWS: ReadonlyMap<string, LegalizationRow> = new Map([
  ["While", loop],
  ["StatelessWhile", loop],
  ["If", branch],
  ["StatelessIf", branch],
]);
