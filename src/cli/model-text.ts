/** What `octavo inspect` says, for people. */
import type { DType } from "../base/dtype.ts";
import { formatShape, type Shape } from "../base/shape.ts";
import type {
  ComputeKind,
  ModelSummary,
  PortSummary,
  QuantizationSummary,
  SubgraphSummary,
} from "../model/summary.ts";
import type { PlannedStep } from "../runtime/observations.ts";
import { SOURCE_TEXT, type SourceKind } from "./source-kind.ts";
import { byteText, numberText, percentText, shortName, textTable } from "./text.ts";

/** A .tflite file, as `octavo inspect --json` prints it. */
export interface ModelDescription extends ModelSummary {
  readonly format: "tflite";
  readonly path: string;
  readonly byteLength: number;
  /** Whether this version of Octavo runs it. */
  readonly runs: boolean;
  /** Why not: everything that is missing. */
  readonly unsupported?: readonly string[];
  /** Planned block of activations, and what they would take without sharing addresses. */
  readonly memory?: { readonly arenaBytes: number; readonly unsharedBytes: number };
  /** What a run of the main subgraph does, in order, and on which kernels. */
  readonly plan?: readonly PlannedStep[];
}

/** A TensorFlow graph, as `octavo inspect --json` prints it. */
export interface GraphDescription {
  readonly format: Exclude<SourceKind, "tflite">;
  readonly path: string;
  readonly signature?: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: DType;
    /** null for an unknown rank. */
    readonly shape: Shape | null;
  }[];
  readonly outputs: readonly { readonly name: string }[];
  /** How often each operation occurs, functions included. */
  readonly operations: Readonly<Record<string, number>>;
  /** Bodies of loops and branches. */
  readonly functions: readonly string[];
  readonly constantBytes: number;
}

/** Prints the description of a .tflite file. */
export function modelText(model: ModelDescription): string {
  const blocks = [headText(model)];
  const signatures = model.signatures.map(
    ({ key, inputs, outputs }) => `  ${key}(${inputs.join(", ")}) → ${outputs.join(", ")}`,
  );
  if (signatures.length > 0) blocks.push(["Signatures:", ...signatures].join("\n"));
  for (const [index, subgraph] of model.subgraphs.entries()) {
    blocks.push(portsText(subgraph, index, model.subgraphs.length));
  }
  blocks.push(operatorsText(model));
  const quantized = quantizedText(model.subgraphs);
  if (quantized !== undefined) blocks.push(quantized);
  blocks.push(runsText(model));
  return blocks.join("\n\n");
}

/** Prints the description of a graph. */
export function graphText(graph: GraphDescription): string {
  const { inputs, outputs, operations, functions } = graph;
  const signature = graph.signature === undefined ? "" : `, signature ${graph.signature}`;
  const rows = Object.entries(operations).sort(([, a], [, b]) => b - a);
  const blocks = [
    `${graph.path}: ${SOURCE_TEXT[graph.format]}${signature}, ${byteText(graph.constantBytes)} of constants`,
    textTable([
      ["input", "type", "shape"],
      ...inputs.map(({ name, dtype, shape }) => [
        name,
        dtype,
        shape === null ? "unknown" : formatShape(shape),
      ]),
    ]),
    `Outputs: ${outputs.map(({ name }) => name).join(", ")}`,
    textTable([["operation", "count"], ...rows.map(([op, count]) => [op, String(count)])]),
  ];
  if (functions.length > 0) blocks.push(`Functions of loops and branches: ${functions.join(", ")}`);
  return blocks.join("\n\n");
}

function headText({
  path,
  byteLength,
  description,
  operatorCount,
  constants,
  metadata,
}: ModelDescription): string {
  const types = constants.map(
    ({ dtype, count, byteLength: bytes }) => `${byteText(bytes)} ${dtype} (${count})`,
  );
  return [
    `${path}: TensorFlow Lite model, ${byteText(byteLength)}${description === "" ? "" : `, "${description}"`}`,
    `${operatorCount} operators; constants: ${types.length === 0 ? "none" : types.join(", ")}`,
    ...(metadata.length === 0
      ? []
      : [
          `metadata: ${metadata.map(({ name, byteLength: bytes }) => `${name} (${byteText(bytes)})`).join(", ")}`,
        ]),
  ].join("\n");
}

function portsText(
  { name, inputs, outputs }: SubgraphSummary,
  index: number,
  count: number,
): string {
  const row = (way: string) => (port: PortSummary) => [
    way,
    shortName(port.name),
    port.dtype,
    formatShape(port.shape),
    scaleText(port.quantization),
  ];
  const table = textTable([
    ["", "tensor", "type", "shape", "quantization"],
    ...inputs.map(row("input")),
    ...outputs.map(row("output")),
  ]);
  return count === 1 ? table : `Subgraph ${index} "${name}":\n${table}`;
}

function operatorsText({ operators, constantBytes }: ModelDescription): string {
  return textTable([
    ["operator", "count", "computes", "version", "constants", "share"],
    ...operators.map(({ op, count, kinds, versions, constantBytes: bytes }) => [
      op,
      String(count),
      kindsText(kinds),
      versions.join(", "),
      byteText(bytes),
      constantBytes === 0 ? "" : percentText(bytes / constantBytes),
    ]),
  ]);
}

const KIND_TEXT: Readonly<Record<ComputeKind, string>> = {
  float: "float",
  hybrid: "hybrid",
  weight_only: "float, int8 weights",
  float16: "float, float16 weights",
  integer: "integers",
  other: "–",
};

function kindsText(kinds: Readonly<Partial<Record<ComputeKind, number>>>): string {
  const entries = Object.entries(kinds) as [ComputeKind, number][];
  if (entries.length === 1) return entries.map(([kind]) => KIND_TEXT[kind]).join("");
  return entries.map(([kind, count]) => `${count} × ${KIND_TEXT[kind]}`).join(", ");
}

/** Constants with a scale: undefined where there are none. */
function quantizedText(subgraphs: readonly SubgraphSummary[]): string | undefined {
  const rows = subgraphs
    .flatMap(({ tensors }) => tensors)
    .filter(({ byteLength, quantization }) => byteLength > 0 && quantization !== undefined)
    .map(({ name, dtype, shape, quantization, byteLength }) => [
      shortName(name),
      dtype,
      formatShape(shape),
      scaleText(quantization),
      byteText(byteLength),
    ]);
  if (rows.length === 0) return undefined;
  return textTable([["quantized constant", "type", "shape", "scale", "bytes"], ...rows]);
}

function scaleText(quantization: QuantizationSummary | undefined): string {
  if (quantization === undefined) return "";
  const { granularity, axis, scaleMin, scaleMax, zeroPoint } = quantization;
  if (scaleMin === undefined || scaleMax === undefined) return granularity;
  const zero = zeroPoint === undefined || zeroPoint === 0 ? "" : `, zero point ${zeroPoint}`;
  if (granularity === "tensor") return `${numberText(scaleMin)}${zero}`;
  return `${numberText(scaleMin)} … ${numberText(scaleMax)} along axis ${axis}${zero}`;
}

function runsText({ runs, unsupported, memory, plan = [] }: ModelDescription): string {
  if (!runs) return ["Octavo cannot run it:", ...(unsupported ?? [])].join("\n  ");
  if (memory === undefined) return "Octavo can run it.";
  const emitted = plan.filter(({ kernel }) => kernel !== undefined).length;
  const kernels =
    plan.length === 0 ? "" : `; WebAssembly serves ${emitted} of ${plan.length} steps`;
  return `Octavo can run it; activations take ${byteText(memory.arenaBytes)}${kernels}.`;
}
