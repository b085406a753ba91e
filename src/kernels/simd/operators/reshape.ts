/** Operators that give the elements another shape, and the copies of rows of which those that move them are made, too. */
import { bitsOf } from "../../../base/dtype.ts";
import { elementCount } from "../../../base/shape.ts";
import type { KernelNode } from "../../kernel.ts";
import { inputAt, outputAt } from "../../require.ts";
import { addressOf, type FastKernel, type FastPlace, type FastPlan } from "../fast-kernel.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";
import type { RowCopies } from "../moves/row-copies.ts";

/** Operators that give the elements another shape. */
export const fastReshape: FastKernel = ({ node, known }) => {
  const length = elementCount(outputAt(node, 0).shape);
  if (known(0) !== undefined) return undefined;
  return planCopies(node, [
    { source: 0, sourceStride: 0, target: 0, targetStride: 0, rows: 1, length },
  ]);
};

/** Plans copies of rows of elements of the operator's first input into its output. */
export function planCopies(node: KernelNode, copies: readonly RowCopies[]): FastPlan | undefined {
  const bits = bitsOf(inputAt(node, 0).dtype);
  if (bits === undefined || bits % 8 !== 0) return undefined;
  const itemBytes = bits / 8;
  return {
    variant: COPY_ROWS_NAME,
    functions: [{ name: COPY_ROWS_NAME, emit: emitCopyRows }],
    persistentBytes: 0,
    scratchBytes: 0,
    bind(place) {
      const move = bindCopies(place, copies, itemBytes);
      return ([from], [to]) => move(addressOf(from), addressOf(to));
    },
  };
}

function bindCopies(
  place: FastPlace,
  copies: readonly RowCopies[],
  itemBytes: number,
): (source: number, target: number) => void {
  const inBytes = copies.map(({ source, sourceStride, target, targetStride, rows, length }) => ({
    source: source * itemBytes,
    sourceStride: sourceStride * itemBytes,
    target: target * itemBytes,
    targetStride: targetStride * itemBytes,
    rows,
    length: length * itemBytes,
  }));
  const copy = place.call<CopyRowsFunction>(COPY_ROWS_NAME);
  return (from, to) => {
    for (const { source, sourceStride, target, targetStride, rows, length } of inBytes) {
      copy(from + source, sourceStride, to + target, targetStride, rows, length);
    }
  };
}
