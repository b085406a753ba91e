/**
 * Operators that only move elements, by a rule on shapes and constants: each output element is one of the input's, or a
 * fill. Which one, the reference tells: it moves the numbers of the elements once, and what comes out is cut into copies
 * of rows. So this needs no law of its own.
 */
import { bitsOf } from "../../../base/dtype.ts";
import { elementCount } from "../../../base/shape.ts";
import type { KernelNode, TensorView, ValueOf } from "../../kernel.ts";
import { commonKernel } from "../../reference/common-table.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  addressOf,
  type FastKernel,
  type FastKernelTable,
  type FastPlace,
  type FastPlan,
} from "../fast-kernel.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";
import { cutIntoCopies, type RowCopies } from "../moves/row-copies.ts";
import { NO_CONTEXT, withoutSurroundings } from "./lookup.ts";

/** Elements of an output whose moves are looked at; larger ones are left to the reference. */
const MAX_ELEMENTS = 2 ** 21;
/** Elements that a copy should have at least on the average, to be worth its call. */
const WORTH = 12;

const fastMovement: FastKernel = ({ node, known }) => {
  const count = elementCount(outputAt(node, 0).shape);
  const isKnown = node.inputs.every((operand, index) => index === 0 || !operand || known(index));
  if (!isKnown || known(0) !== undefined || count === 0 || count > MAX_ELEMENTS) return undefined;
  const copies = copiesOf(node, known);
  if (copies === undefined || copies.length * WORTH > count + 64 * WORTH) return undefined;
  return planCopies(node, copies);
};

/** Operators that give the elements another shape. */
const fastReshape: FastKernel = ({ node, known }) => {
  const length = elementCount(outputAt(node, 0).shape);
  if (known(0) !== undefined) return undefined;
  return planCopies(node, [
    { source: 0, sourceStride: 0, target: 0, targetStride: 0, rows: 1, length },
  ]);
};

function planCopies(node: KernelNode, copies: readonly RowCopies[]): FastPlan | undefined {
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

/** The copies that make up a movement; undefined where some elements are a fill. */
function copiesOf(node: KernelNode, known: ValueOf): RowCopies[] | undefined {
  const [input, output] = [inputAt(node, 0), outputAt(node, 0)];
  const numbers = new Int32Array(elementCount(input.shape));
  for (let index = 0; index < numbers.length; index++) numbers[index] = index + 1;
  const moved = new Int32Array(elementCount(output.shape));
  const { quantization: _, ...plain } = { ...input, dtype: "int32" as const };
  const { quantization: __, ...plainOutput } = { ...output, dtype: "int32" as const };
  const view: TensorView = { ...plain, data: numbers };
  const run = commonKernel(node.op)?.create(
    { ...node, inputs: [plain, ...node.inputs.slice(1)], outputs: [plainOutput] },
    { ...NO_CONTEXT, known },
  );
  const operands = node.inputs.map((_, index) => (index === 0 ? view : known(index)));
  run?.(operands, [{ ...plainOutput, data: moved, resize: withoutSurroundings }]);
  return moved.includes(0) ? undefined : cutIntoCopies(moved, 1);
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

export const MOVEMENT_KERNELS: FastKernelTable = {
  RESHAPE: fastReshape,
  SQUEEZE: fastReshape,
  EXPAND_DIMS: fastReshape,
  TRANSPOSE: fastMovement,
  SLICE: fastMovement,
  STRIDED_SLICE: fastMovement,
  REVERSE_V2: fastMovement,
  TILE: fastMovement,
  BROADCAST_TO: fastMovement,
  GATHER: fastMovement,
  MIRROR_PAD: fastMovement,
  SPACE_TO_DEPTH: fastMovement,
  DEPTH_TO_SPACE: fastMovement,
  BATCH_TO_SPACE_ND: fastMovement,
  SPACE_TO_BATCH_ND: fastMovement,
  RESIZE_NEAREST_NEIGHBOR: fastMovement,
};
