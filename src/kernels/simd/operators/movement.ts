/**
 * Operators that only move elements, by a rule on shapes and constants. What is a walk with a stride per axis becomes
 * copies of rows directly. Of the others the reference moves the numbers of the elements once, and what comes out is cut
 * into rows, so this needs no law of its own.
 */
import { bitsOf } from "../../../base/dtype.ts";
import { elementCount } from "../../../base/shape.ts";
import type { KernelNode, TensorInfo, TensorView, ValueOf } from "../../kernel.ts";
import { BLOCK_WALKS } from "../../reference/block-layout.ts";
import { commonKernel } from "../../reference/common-table.ts";
import { REARRANGING_WALKS } from "../../reference/rearranging.ts";
import { SLICING_WALKS } from "../../reference/slicing.ts";
import type { WalkOf } from "../../reference/strided-walk.ts";
import { inputAt, outputAt } from "../../require.ts";
import {
  addressOf,
  type FastKernel,
  type FastKernelTable,
  type FastPlace,
  type FastPlan,
} from "../fast-kernel.ts";
import { COPY_ROWS_NAME, type CopyRowsFunction, emitCopyRows } from "../moves/emit-moves.ts";
import { cutIntoCopies, inUnits, type RowCopies, walkCopies } from "../moves/row-copies.ts";
import { NO_CONTEXT, withoutSurroundings } from "./lookup.ts";

/** Numbers that are moved to see where they go; larger outputs are left to the reference. */
const MAX_NUMBERS = 2 ** 18;
/** Copies of an operator. */
const MAX_COPIES = 2 ** 16;
/** Elements that a copy should have at least on the average, to be worth its call. */
const WORTH = 12;

/** Operators that are walks with a stride per axis. */
function walkMovement(walkOf: WalkOf): FastKernel {
  return ({ node, known }) => {
    const output = outputAt(node, 0);
    const count = elementCount(output.shape);
    const walk = count === 0 || known(0) !== undefined ? undefined : walkOf(node, known);
    if (walk === undefined) return undefined;
    const copies = walkCopies(walk, output.shape, MAX_COPIES);
    return copies && areWorth(copies, count) ? planCopies(node, copies) : undefined;
  };
}

function areWorth(copies: readonly RowCopies[], count: number): boolean {
  return copies.length * WORTH <= count + 64 * WORTH;
}

/** Other operators that only move elements. */
const fastMovement: FastKernel = ({ node, known }) => {
  const [input, output] = [inputAt(node, 0).shape, outputAt(node, 0).shape];
  const isKnown = node.inputs.every((operand, index) => index === 0 || !operand || known(index));
  if (!isKnown || known(0) !== undefined || elementCount(output) === 0) return undefined;
  const unit =
    KEEPS_LAST_AXIS.includes(node.op) && input.at(-1) === output.at(-1) ? input.at(-1) : 1;
  if (unit === undefined || elementCount(output) / unit > MAX_NUMBERS) return undefined;
  const copies = numberedCopies(node, known, unit);
  if (copies === undefined || !areWorth(copies, elementCount(output))) return undefined;
  return planCopies(node, copies);
};

/** Operators that move whole vectors of the last axis where that keeps its size. */
const KEEPS_LAST_AXIS = ["RESIZE_NEAREST_NEIGHBOR", "BATCH_TO_SPACE_ND", "MIRROR_PAD"];

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

/**
 * The copies that make up a movement, whose elements are vectors of `unit` elements of the last axis; undefined where some
 * elements are a fill.
 */
function numberedCopies(node: KernelNode, known: ValueOf, unit: number): RowCopies[] | undefined {
  const plain = ({ name, shape, isConstant, isVariable }: TensorInfo): TensorInfo => ({
    ...{ name, dtype: "int32", isConstant, isVariable },
    shape: unit === 1 ? shape : shape.with(-1, 1),
  });
  const [input, output] = [plain(inputAt(node, 0)), plain(outputAt(node, 0))];
  const numbers = new Int32Array(elementCount(input.shape));
  for (let index = 0; index < numbers.length; index++) numbers[index] = index + 1;
  const moved = new Int32Array(elementCount(output.shape));
  const run = commonKernel(node.op)?.create(
    { ...node, inputs: [input, ...node.inputs.slice(1)], outputs: [output] },
    { ...NO_CONTEXT, known },
  );
  const view: TensorView = { ...input, data: numbers };
  const operands = node.inputs.map((_, index) => (index === 0 ? view : known(index)));
  run?.(operands, [{ ...output, data: moved, resize: withoutSurroundings }]);
  return moved.includes(0) ? undefined : inUnits(cutIntoCopies(moved, 1), unit);
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

const WALKS = { ...REARRANGING_WALKS, ...SLICING_WALKS, ...BLOCK_WALKS };

export const MOVEMENT_KERNELS: FastKernelTable = {
  RESHAPE: fastReshape,
  SQUEEZE: fastReshape,
  EXPAND_DIMS: fastReshape,
  ...Object.fromEntries(Object.entries(WALKS).map(([op, walk]) => [op, walkMovement(walk)])),
  GATHER: fastMovement,
  MIRROR_PAD: fastMovement,
  BATCH_TO_SPACE_ND: fastMovement,
  SPACE_TO_BATCH_ND: fastMovement,
  RESIZE_NEAREST_NEIGHBOR: fastMovement,
};
