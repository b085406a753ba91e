/**
 * Drafts → Model: drops what nothing uses, gives every constant a buffer (equal ones share it), writes unknown sizes as
 * 1 with -1 in the shape signature, and adds the signature and the conversion metadata.
 */
import { bytesOf } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import { isStatic } from "../base/shape.ts";
import type { Graph, TensorValue } from "../graph/ir.ts";
import {
  type Buffer,
  EMPTY_BUFFER,
  type Model,
  type Operator,
  residentBuffer,
  type Signature,
  type Subgraph,
  type Tensor,
} from "../model/ir.ts";
import { conversionMetadata } from "./conversion-metadata.ts";
import type { Draft, DraftOperator, DraftTensor } from "./draft.ts";
import { encodeStrings } from "./string-tensor.ts";

/** Puts the model together. Operator versions are 1 until `withVersions`. */
export function assemble(drafts: readonly Draft[], graph: Graph): Model {
  const pool = new BufferPool();
  const placed = drafts.map((draft) => placeDraft(draft, pool));
  const metadata = [{ name: "CONVERSION_METADATA", buffer: pool.add(conversionMetadata()) }];
  const main = placed[0];
  assert(main !== undefined, "a model has at least one subgraph");
  return {
    version: 3,
    description: "Octavo",
    operatorCodes: [],
    subgraphs: placed.map(({ subgraph }) => subgraph),
    buffers: pool.buffers,
    metadata,
    signatures: signatureOf(graph, main.subgraph),
  };
}

/** Names stand in the signature in sorted order, as the official converter writes them; subgraphs have their own. */
function signatureOf(graph: Graph, { inputs, outputs }: Subgraph): readonly Signature[] {
  if (graph.signatureKey === undefined) return [];
  const mapped = (items: readonly { key: string }[], indices: readonly number[]) =>
    items
      .map(({ key }, i) => ({ name: key, tensorIndex: indices[i] ?? -1 }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    {
      key: graph.signatureKey,
      inputs: mapped(graph.inputs, inputs),
      outputs: mapped(graph.outputs, outputs),
      subgraphIndex: 0,
    },
  ];
}

function placeDraft(draft: Draft, pool: BufferPool): { readonly subgraph: Subgraph } {
  const indexOf = new Map<number, number>();
  const tensors: Tensor[] = [];
  const constants = new Map<string, number>();
  const ranges = simulatedRanges(draft);
  const place = (old: number): number => {
    if (old < 0) return -1;
    const known = indexOf.get(old);
    if (known !== undefined) return known;
    const tensor = draft.tensors[old];
    assert(tensor !== undefined, `no tensor ${old} in draft ${draft.name}`);
    const buffer = tensor.value === undefined ? 0 : pool.add(bytesOfValue(tensor.value));
    const key = `${buffer}:${tensor.dtype}:${tensor.shape}`;
    const shared = buffer === 0 ? undefined : constants.get(key);
    const index = shared ?? tensors.push({ ...asTensor(tensor, buffer), ...ranges.get(old) }) - 1;
    if (buffer !== 0) constants.set(key, index);
    indexOf.set(old, index);
    return index;
  };
  const inputs = draft.inputs.map(place);
  const operators = liveOperators(draft).map((operator) => asOperator(operator, place));
  const outputs = draft.outputs.map(place);
  return { subgraph: { name: draft.name, tensors, operators, inputs, outputs } };
}

/** The ranges that a network was trained with stand on the tensors, as calibrated ranges do. */
function simulatedRanges({ operators }: Draft): Map<number, Pick<Tensor, "quantization">> {
  const none = new Float32Array(0);
  return new Map(
    operators.flatMap(({ options, outputs }) => {
      if (options?.type !== "FakeQuantOptions") return [];
      const [min, max] = [options.value.min, options.value.max].map((limit) =>
        Float32Array.of(limit),
      );
      const quantization = {
        scale: none,
        zeroPoint: [],
        min: min!,
        max: max!,
        quantizedDimension: 0,
      };
      return outputs.map((output) => [output, { quantization }] as const);
    }),
  );
}

/** Operators that the outputs need, and those with effects of their own. */
function liveOperators(draft: Draft): readonly DraftOperator[] {
  const needed = new Set(draft.outputs);
  const live: DraftOperator[] = [];
  for (const operator of draft.operators.toReversed()) {
    const effects = operator.outputs.length === 0;
    if (!effects && !operator.outputs.some((output) => needed.has(output))) continue;
    live.push(operator);
    for (const input of operator.inputs) needed.add(input);
  }
  return live.reverse();
}

/** Names of inlined calls say nothing and cost bytes: "StatefulPartitionedCall/model/conv" is "model/conv". */
const CALL_PREFIX = /^(?:(?:Stateful)?PartitionedCall(?:_\d+)?\/)+/;

function asTensor(tensor: DraftTensor, buffer: number): Tensor {
  const { dtype, isVariable = false } = tensor;
  const name = tensor.name.replace(CALL_PREFIX, "");
  const shape = tensor.shape;
  const base = { name, dtype, buffer, isVariable, hasRank: shape !== undefined };
  if (shape === undefined) return { ...base, shape: [] };
  if (isStatic(shape)) return { ...base, shape };
  return { ...base, shape: shape.map((size) => (size < 0 ? 1 : size)), shapeSignature: shape };
}

function asOperator(operator: DraftOperator, place: (old: number) => number): Operator {
  const { op, options, options2, customCode, customOptions } = operator;
  return {
    op,
    version: 1,
    inputs: operator.inputs.map(place),
    outputs: operator.outputs.map(place),
    ...(options && { options }),
    ...(options2 && { options2 }),
    ...(customCode !== undefined && { customCode }),
    ...(customOptions && { customOptions }),
  };
}

function bytesOfValue({ data }: TensorValue): Uint8Array {
  return Array.isArray(data) ? encodeStrings(data) : bytesOf(data);
}

/** Buffers of the model, equal contents stored once. Buffer 0 is the empty one. */
class BufferPool {
  readonly buffers: Buffer[] = [EMPTY_BUFFER];
  readonly #indices = new Map<string, number[]>();

  add(bytes: Uint8Array): number {
    if (bytes.byteLength === 0) return this.buffers.push(residentBuffer(bytes)) - 1;
    const key = `${bytes.byteLength}:${checksum(bytes)}`;
    const candidates = this.#indices.get(key) ?? [];
    const same = candidates.find((index) => equal(this.buffers[index]?.bytes, bytes));
    if (same !== undefined) return same;
    const index = this.buffers.push(residentBuffer(bytes)) - 1;
    this.#indices.set(key, [...candidates, index]);
    return index;
  }
}

/** FNV-1a over the bytes; long buffers are sampled. */
function checksum(bytes: Uint8Array): number {
  const step = Math.max(1, Math.floor(bytes.byteLength / 4096));
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.byteLength; i += step) {
    hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  }
  return hash >>> 0;
}

function equal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  if (a?.byteLength !== b.byteLength) return false;
  for (let i = 0; i < b.byteLength; i++) if (a[i] !== b[i]) return false;
  return true;
}
