/**
 * Functions of int16 by table. The table is what the reference computes for all 65,536 numbers, so it needs no law of its
 * own; it is worth making where there is much to look up.
 */
import { elementCount } from "../../../base/shape.ts";
import { inputAt, outputAt } from "../../require.ts";
import { emitLookup, type LookupFunction, lookupName } from "../elementwise/emit-lookup.ts";
import { elementSpans } from "../elementwise/spans.ts";
import { addressOf, type FastKernel } from "../fast-kernel.ts";
import { functionTable } from "./lookup.ts";

/** Entries of a table, by the bits of the number. */
const VALUES = 65_536;
/** Bytes of a number and of an entry. */
const WORD_BYTES = 2;
const WORDS = { from: WORD_BYTES, to: WORD_BYTES } as const;
/** Results from which on the table is worth making. */
const MIN_RESULTS = 8192;

/** A fast kernel for int16 whose elements are all treated alike. */
export const fastWordFunction: FastKernel = (request) => {
  const { node } = request;
  const input = inputAt(node, 0);
  const count = elementCount(input.shape);
  if (input.dtype !== "int16" || outputAt(node, 0).dtype !== "int16") return undefined;
  if (count < MIN_RESULTS) return undefined;
  const name = lookupName(WORDS);
  return {
    variant: name,
    functions: [{ name, emit: (module) => emitLookup(module, WORDS) }],
    persistentBytes: VALUES * WORD_BYTES,
    scratchBytes: 0,
    bind(place) {
      const table = place.persistent;
      if (!place.isStored) {
        const numbers = Uint16Array.from({ length: VALUES }, (_, bits) => bits);
        new Uint8Array(place.memory.buffer).set(functionTable(request, numbers, [VALUES]), table);
      }
      const spans = elementSpans(count, place.threads);
      return ([from], [to]) => {
        const [source, out] = [addressOf(from), addressOf(to)];
        const calls = spans.map(({ at, count }): Parameters<LookupFunction> => {
          return [source + at * WORD_BYTES, count, out + at * WORD_BYTES, table];
        });
        place.callAll(name, calls);
      };
    },
  };
};
