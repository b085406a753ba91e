/**
 * Functions of two bytes by table. The table is what the reference computes for all pairs of bytes, so it needs no law of
 * its own; it is worth making where there is much to look up.
 */
import { allocate, bytesOf, viewAs } from "../../../base/dtype.ts";
import { elementCount } from "../../../base/shape.ts";
import type { TensorView } from "../../kernel.ts";
import { inputAt, outputAt } from "../../require.ts";
import { emitPairLookup, pairLookupName } from "../elementwise/emit-pair-lookup.ts";
import type { FastKernel } from "../fast-kernel.ts";
import { NO_CONTEXT, type Tabulated, VALUES, withoutSurroundings } from "./lookup.ts";
import { planPairs } from "./pair-plan.ts";

const BYTES = { operand: 1, result: 1 };
/** All pairs of bytes. */
const PAIRS = VALUES * VALUES;
/** Results from which on the table is worth making. */
const MIN_RESULTS = 8192;

export const fastBytePair: FastKernel = (request) => {
  const { node } = request;
  const { dtype } = inputAt(node, 0);
  const output = outputAt(node, 0);
  if ((dtype !== "int8" && dtype !== "uint8") || inputAt(node, 1).dtype !== dtype) return undefined;
  if (output.dtype !== dtype && output.dtype !== "bool") return undefined;
  if (elementCount(output.shape) < MIN_RESULTS) return undefined;
  return planPairs(request, BYTES, (repeated) => ({
    name: pairLookupName(repeated),
    emit: (module) => emitPairLookup(module, repeated),
    rest: [],
    table: { byteLength: PAIRS, bytes: () => pairTable(request) },
  }));
};

/** What the reference makes of all pairs of bytes, the first operand's in the higher bits of the place. */
function pairTable({ node, reference }: Tabulated): Uint8Array {
  const shape = [PAIRS];
  const operands = [8, 0].map((shift, index): TensorView => {
    const info = inputAt(node, index);
    const bytes = Uint8Array.from({ length: PAIRS }, (_, pair) => (pair >> shift) & 255);
    return { ...info, shape, data: viewAs(info.dtype, bytes) };
  });
  const output = { ...outputAt(node, 0), shape };
  const data = allocate(output.dtype, PAIRS);
  const run = reference.create({ ...node, inputs: operands, outputs: [output] }, NO_CONTEXT);
  run(operands, [{ ...output, data, resize: withoutSurroundings }]);
  return bytesOf(data);
}
