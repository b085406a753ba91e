/** Operator versions by rule: what a model needs its runtime to know, in its operators, its table and its metadata. */
import {
  type Buffer,
  type Metadata,
  type Model,
  type Operator,
  type OperatorCode,
  residentBuffer,
  type Subgraph,
  type Tensor,
} from "./ir.ts";
import { minRuntimeOfModel } from "./runtime-versions.ts";
import { requiredVersion } from "./version-rules.ts";

const METADATA_NAME = "min_runtime_version";
/** The release's ASCII, filled up with zeros. */
const METADATA_BYTES = 16;

/**
 * Sets every operator's version to the least that all uses of that operator in the model can have (never lower than
 * it is), leaves one entry per operator in `operatorCodes`, in order of first use, and records the runtime that this
 * needs in the metadata.
 */
export function withVersions(model: Model): Model {
  const codes = mergedCodes(model);
  const subgraphs = model.subgraphs.map((subgraph) => ({
    ...subgraph,
    operators: subgraph.operators.map((operator) => {
      const version = codes.get(keyOf(operator))?.version ?? operator.version;
      return version === operator.version ? operator : { ...operator, version };
    }),
  }));
  return withMinRuntime({ ...model, subgraphs, operatorCodes: [...codes.values()] });
}

function keyOf({ op, customCode }: OperatorCode): string {
  return customCode === undefined ? op : `${op} ${customCode}`;
}

/** Used codes in the table's order, then those that the table lacks, each with the highest version needed. */
function mergedCodes(model: Model): ReadonlyMap<string, OperatorCode> {
  const needed = new Map<string, OperatorCode>();
  for (const subgraph of model.subgraphs) {
    for (const operator of subgraph.operators) {
      const { op, customCode } = operator;
      const version = Math.max(operator.version, versionOf(operator, subgraph));
      const known = needed.get(keyOf(operator));
      if (known !== undefined && known.version >= version) continue;
      needed.set(keyOf(operator), {
        op,
        version,
        ...(customCode === undefined ? {} : { customCode }),
      });
    }
  }
  const order = [...model.operatorCodes.map(keyOf), ...needed.keys()];
  const codes = new Map<string, OperatorCode>();
  for (const key of order) {
    const code = needed.get(key);
    if (code !== undefined) codes.set(key, code);
  }
  return codes;
}

/** The version that one operator needs by itself. */
export function versionOf(operator: Operator, subgraph: Subgraph): number {
  if (operator.op === "CUSTOM") return operator.version;
  const lookUp = (indices: readonly number[]): (Tensor | undefined)[] =>
    indices.map((index) => subgraph.tensors[index]);
  return requiredVersion({
    operator,
    inputs: lookUp(operator.inputs),
    outputs: lookUp(operator.outputs),
  });
}

function withMinRuntime(model: Model): Model {
  const buffer = releaseBuffer(minRuntimeOfModel(model));
  const entry = model.metadata.find(({ name }) => name === METADATA_NAME);
  if (entry !== undefined && isOnlyUse(entry, model)) {
    return {
      ...model,
      buffers: model.buffers.map((known, index) => (index === entry.buffer ? buffer : known)),
    };
  }
  return {
    ...model,
    buffers: [...model.buffers, buffer],
    metadata: [
      ...model.metadata.filter((known) => known !== entry),
      { name: METADATA_NAME, buffer: model.buffers.length },
    ],
  };
}

/** Whether the entry's buffer may be replaced: nothing else refers to it. */
function isOnlyUse(entry: Metadata, { metadata, subgraphs }: Model): boolean {
  const { buffer } = entry;
  const isShared =
    metadata.some((other) => other !== entry && other.buffer === buffer) ||
    subgraphs.some(({ tensors }) => tensors.some((tensor) => tensor.buffer === buffer));
  return buffer !== 0 && !isShared;
}

function releaseBuffer(release: string): Buffer {
  const bytes = new Uint8Array(METADATA_BYTES);
  bytes.set(new TextEncoder().encode(release).subarray(0, METADATA_BYTES - 1));
  return residentBuffer(bytes);
}
