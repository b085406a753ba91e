/** What operators on two broadcast operands share: constants in linear memory, and calls row by row. */
import { bytesOf, type TypedArray } from "../../../base/dtype.ts";
import { elementCount } from "../../../base/shape.ts";
import type { TensorView } from "../../kernel.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  type PairRows,
  planPairRows,
  type Repeated,
  sharedCalls,
} from "../elementwise/pair-rows.ts";
import {
  addressOf,
  type EmittedFunction,
  type FastPlan,
  type FastRequest,
  Region,
} from "../fast-kernel.ts";

/** Bytes of an element of an operand and of the result. */
export interface PairBytes {
  readonly operand: number;
  readonly result: number;
}

/**
 * The function of a walk, and its arguments behind those of the walk: a, b, out, count, rows and two strides. The address
 * of a table, where there is one, comes last.
 */
export interface PairFunction extends EmittedFunction {
  readonly rest: readonly number[];
  readonly table?: { readonly byteLength: number; bytes(): Uint8Array };
}

/** Plans an operator of two operands; undefined where its broadcast takes too many calls. */
export function planPairs(
  { node, known }: FastRequest,
  bytes: PairBytes,
  functionFor: (repeated: Repeated) => PairFunction,
): FastPlan | undefined {
  const pairs = planPairRows(
    outputAt(node, 0).shape,
    inputAt(node, 0).shape,
    inputAt(node, 1).shape,
  );
  if (pairs === undefined) return undefined;
  const { rest, table, ...run } = functionFor(pairs.repeated);
  const constants = [known(0), known(1)];
  const lay = (region: Region) => ({
    operands: constants.map(
      (view) => view && region.take(elementCount(view.shape) * bytes.operand),
    ),
    table: region.take(table?.byteLength ?? 0),
  });
  const persistent = new Region();
  lay(persistent);
  return {
    variant: run.name,
    functions: [run],
    persistentBytes: persistent.byteLength,
    scratchBytes: 0,
    bind(place) {
      const at = lay(new Region(place.persistent));
      const addresses = at.operands;
      for (const [index, address] of addresses.entries()) {
        storeConstant(place.memory.buffer, constants[index], address);
      }
      if (table !== undefined && !place.isStored) {
        new Uint8Array(place.memory.buffer).set(table.bytes(), at.table);
      }
      const last = table === undefined ? rest : [...rest, at.table];
      const argumentsOf = bindWalk(pairs, bytes, place.threads, last);
      return ([left, right], [output]) => {
        const [a, b] = [addresses[0] ?? addressOf(left), addresses[1] ?? addressOf(right)];
        place.callAll(run.name, argumentsOf(a, b, addressOf(output)));
      };
    },
  };
}

/** Makes the function that gives the calls of a walk for operands and a result at those addresses. */
function bindWalk(
  pairs: PairRows,
  bytes: PairBytes,
  threads: number,
  rest: readonly number[],
): (a: number, b: number, out: number) => number[][] {
  const calls = sharedCalls(pairs, threads);
  const strides = pairs.strides.map((stride) => stride * bytes.operand);
  return (a, b, out) =>
    calls.map((call) => [
      a + call.a * bytes.operand,
      b + call.b * bytes.operand,
      out + call.out * bytes.result,
      call.count,
      call.rows,
      ...strides,
      ...rest,
    ]);
}

function storeConstant(
  buffer: ArrayBufferLike,
  view: TensorView | undefined,
  address: number | undefined,
): void {
  if (view === undefined || address === undefined) return;
  const data = bytesOf(view.data as TypedArray);
  new Uint8Array(buffer, address, data.length).set(data);
}
