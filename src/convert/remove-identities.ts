/** Takes out nodes that pass a value on unchanged, and with them whatever is there for its side effects only. */
import type { Graph } from "../graph/ir.ts";
import { rebuild } from "./graph-builder.ts";

const PASS_THROUGH: ReadonlySet<string> = new Set([
  "Identity",
  "IdentityN",
  "StopGradient",
  "PreventGradient",
  "CheckNumerics",
  "Snapshot",
  "GuaranteeConst",
  "EnsureShape",
  "XlaSharding",
  "Print",
  "PlaceholderWithDefault",
]);

export function removeIdentities(graph: Graph): Graph {
  return rebuild(graph, (node) => {
    if (node.op === "IdentityN") return node.inputs;
    return PASS_THROUGH.has(node.op) ? node.inputs.slice(0, 1) : undefined;
  });
}
