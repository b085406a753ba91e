/**
 * Functions of int16 by table. The table is what the reference computes for all 65,536 numbers, so it needs no law of its
 * own; it is worth making where there is much to look up.
 */
import { allocate, bytesOf, viewAs } from "../../../base/dtype.ts";
import { assert } from "../../../base/errors.ts";
import { elementCount } from "../../../base/shape.ts";
import type { KernelNode } from "../../kernel.ts";
import { commonKernel } from "../../reference/common-table.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  emitWordLookup,
  type LookupFunction,
  WORD_LOOKUP_NAME,
} from "../elementwise/emit-lookup.ts";
import { elementSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";
import { NO_CONTEXT, withoutSurroundings } from "./lookup.ts";

/** Entries of a table, by the bits of the number. */
const VALUES = 65_536;
/** Bytes of a number and of an entry. */
const WORD_BYTES = 2;
/** Results from which on the table is worth making. */
const MIN_RESULTS = 8192;

/** A fast kernel for int16 whose elements are all treated alike. */
export const fastWordFunction: FastKernel = ({ node }) => {
  const input = inputAt(node, 0);
  const count = elementCount(input.shape);
  if (input.dtype !== "int16" || outputAt(node, 0).dtype !== "int16") return undefined;
  if (count < MIN_RESULTS) return undefined;
  return {
    variant: WORD_LOOKUP_NAME,
    functions: [{ name: WORD_LOOKUP_NAME, emit: emitWordLookup }],
    persistentBytes: VALUES * WORD_BYTES,
    scratchBytes: 0,
    bind(place) {
      const table = place.persistent;
      if (!place.isStored) new Uint8Array(place.memory.buffer).set(wordTable(node), table);
      const spans = elementSpans(count, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map(({ at, count }): Parameters<LookupFunction> => {
          return [source + at * WORD_BYTES, count, out + at * WORD_BYTES, table];
        });
        place.callAll(WORD_LOOKUP_NAME, calls);
      };
    },
  };
};

/** What the reference makes of all numbers, as bytes. */
function wordTable(node: KernelNode): Uint8Array {
  const kernel = commonKernel(node.op);
  assert(kernel !== undefined, `a reference kernel of ${node.op}`);
  const shape = [VALUES];
  const numbers = Uint16Array.from({ length: VALUES }, (_, bits) => bits);
  const input = { ...inputAt(node, 0), shape, data: viewAs("int16", bytesOf(numbers)) };
  const output = { ...outputAt(node, 0), shape };
  const data = allocate("int16", VALUES);
  const run = kernel.create({ ...node, inputs: [input], outputs: [output] }, NO_CONTEXT);
  run([input], [{ ...output, data, resize: withoutSurroundings }]);
  return bytesOf(data);
}
