/**
 * Functions of one byte by table. The table is what the reference computes for all 256 bytes, so it needs no law of its
 * own. Where the reference treats the elements behind the last whole group differently they have a table of their own.
 */
import { allocate, bytesOf, type DType, type TensorData, viewAs } from "../../../base/dtype.ts";
import { assert } from "../../../base/errors.ts";
import { elementCount, type Shape } from "../../../base/shape.ts";
import type { KernelContext, OutputView, TensorInfo } from "../../kernel.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  emitLookup,
  type LookupFunction,
  type LookupVariant,
  lookupName,
} from "../elementwise/emit-lookup.ts";
import { elementSpans } from "../elementwise/spans.ts";
import {
  addressOf,
  type FastKernel,
  type FastPlan,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";

/** Entries of a table. */
export const VALUES = 256;
/** Types of one byte. */
const BYTES: readonly DType[] = ["int8", "uint8", "bool"];
/** Bytes of an entry, by the type of the results. */
const ENTRY_BYTES: Readonly<Partial<Record<DType, LookupVariant["to"]>>> = {
  int8: 1,
  uint8: 1,
  float32: 4,
};
/** Fewer than any group of the reference. */
const REST = 4;

/** An operator whose reference kernel fills a table. */
export type Tabulated = Pick<FastRequest, "node" | "reference">;

/** Plans an operator from bytes to bytes or floats that treats elements in groups of `group`; 1 for alike. */
export function planLookup(operator: Tabulated, group: number): FastPlan | undefined {
  const { node } = operator;
  const [input, output] = [inputAt(node, 0), outputAt(node, 0)];
  if (!BYTES.includes(input.dtype)) return undefined;
  if ((input.quantization?.scale.length ?? 0) > 1) return undefined;
  if ((output.quantization?.scale.length ?? 0) > 1) return undefined;
  const entryBytes = ENTRY_BYTES[output.dtype];
  if (entryBytes === undefined) return undefined;
  const variant = { from: 1, to: entryBytes } as const;
  const name = lookupName(variant);
  const count = elementCount(input.shape);
  const grouped = count - (count % group);
  const lay = (region: Region) => [0, 1].map(() => region.take(VALUES * entryBytes));
  const persistent = new Region();
  lay(persistent);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitLookup(module, variant) }],
    persistentBytes: persistent.byteLength,
    scratchBytes: 0,
    bind(place) {
      const run = place.call<LookupFunction>(name);
      const [whole, rest] = lay(new Region(place.persistent));
      const heap = new Uint8Array(place.memory.buffer);
      heap.set(byteTable(operator, [VALUES]), whole);
      if (grouped < count) heap.set(byteTable(operator, [REST]), rest);
      const spans = elementSpans(grouped, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map(({ at, count }): Parameters<LookupFunction> => {
          return [source + at, count, out + at * entryBytes, whole];
        });
        place.callAll(name, calls);
        run(source + grouped, count - grouped, out + grouped * entryBytes, rest);
      };
    },
  };
}

/** A fast kernel for bytes whose elements are all treated alike. */
export const fastByteFunction: FastKernel = (request) => planLookup(request, 1);

/** What the reference makes of all bytes, as bytes, computed on tensors of `shape`, whose size divides 256. */
export function byteTable(operator: Tabulated, shape: Shape): Uint8Array {
  const bytes = Uint8Array.from({ length: VALUES }, (_, index) => index);
  return functionTable(operator, bytes, shape);
}

/** The same for `numbers`, which hold the bits of what the node takes; the size of `shape` divides their count. */
export function functionTable(
  { node, reference }: Tabulated,
  numbers: Uint8Array | Uint16Array,
  shape: Shape,
): Uint8Array {
  const [input, output] = [inputAt(node, 0), outputAt(node, 0)];
  const results = allocate(output.dtype, numbers.length);
  const length = elementCount(shape);
  const run = reference.create(
    { ...node, inputs: [{ ...input, shape }], outputs: [{ ...output, shape }] },
    NO_CONTEXT,
  );
  for (let at = 0; at < numbers.length; at += length) {
    const data = viewAs(input.dtype, bytesOf(numbers.subarray(at, at + length)));
    run([{ ...input, shape, data }], [fixedView(output, shape, results, at)]);
  }
  return bytesOf(results);
}

function fixedView(
  info: TensorInfo,
  shape: Shape,
  results: Exclude<TensorData, readonly Uint8Array[]>,
  at: number,
): OutputView {
  const itemBytes = results.BYTES_PER_ELEMENT;
  const bytes = bytesOf(results).subarray(at * itemBytes, (at + elementCount(shape)) * itemBytes);
  return { ...info, shape, data: viewAs(info.dtype, bytes), resize: withoutSurroundings };
}

/** Stands for whatever a kernel may not ask for when it computes a table. */
export function withoutSurroundings(): never {
  assert(false, "a table has no surroundings");
}

/** The surroundings of a kernel that computes a table. */
export const NO_CONTEXT: KernelContext = {
  known: () => undefined,
  constant: () => undefined,
  resources: { handleOf: withoutSurroundings, get: withoutSurroundings, set: withoutSurroundings },
  subgraph: withoutSurroundings,
  checkTime: () => undefined,
};
