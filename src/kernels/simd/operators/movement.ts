/**
 * Operators that only move elements, by a rule on shapes and constants. What is a walk with a stride per axis becomes
 * copies of rows directly. Of the others the reference moves the numbers of the elements once, and what comes out is cut
 * into rows, so this needs no law of its own.
 */
import { elementCount } from "../../../base/shape.ts";
import type { TensorInfo, TensorView } from "../../kernel.ts";
import { BLOCK_WALKS } from "../../reference/block-layout.ts";
import { REARRANGING_WALKS } from "../../reference/rearranging.ts";
import { SLICING_WALKS } from "../../reference/slicing.ts";
import type { WalkOf } from "../../reference/strided-walk.ts";
import { inputAt, outputAt } from "../../require.ts";
import type { FastKernel, FastKernelTable, FastRequest } from "../fast-kernel.ts";
import { cutIntoCopies, inUnits, type RowCopies, walkCopies } from "../moves/row-copies.ts";
import { NO_CONTEXT, withoutSurroundings } from "./lookup.ts";
import { planCopies } from "./reshape.ts";

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
const fastMovement: FastKernel = (request) => {
  const { node, known } = request;
  const [input, output] = [inputAt(node, 0).shape, outputAt(node, 0).shape];
  const isKnown = node.inputs.every((operand, index) => index === 0 || !operand || known(index));
  if (!isKnown || known(0) !== undefined || elementCount(output) === 0) return undefined;
  const unit =
    KEEPS_LAST_AXIS.includes(node.op) && input.at(-1) === output.at(-1) ? input.at(-1) : 1;
  if (unit === undefined || elementCount(output) / unit > MAX_NUMBERS) return undefined;
  const copies = numberedCopies(request, unit);
  if (copies === undefined || !areWorth(copies, elementCount(output))) return undefined;
  return planCopies(node, copies);
};

/** Operators that move whole vectors of the last axis where that keeps its size. */
const KEEPS_LAST_AXIS = ["RESIZE_NEAREST_NEIGHBOR", "BATCH_TO_SPACE_ND", "MIRROR_PAD"];

/**
 * The copies that make up a movement, whose elements are vectors of `unit` elements of the last axis; undefined where some
 * elements are a fill.
 */
function numberedCopies(
  { node, reference, known }: FastRequest,
  unit: number,
): RowCopies[] | undefined {
  const plain = ({ name, shape, isConstant, isVariable }: TensorInfo): TensorInfo => ({
    ...{ name, dtype: "int32", isConstant, isVariable },
    shape: unit === 1 ? shape : shape.with(-1, 1),
  });
  const [input, output] = [plain(inputAt(node, 0)), plain(outputAt(node, 0))];
  const numbers = new Int32Array(elementCount(input.shape));
  for (let index = 0; index < numbers.length; index++) numbers[index] = index + 1;
  const moved = new Int32Array(elementCount(output.shape));
  const run = reference.create(
    { ...node, inputs: [input, ...node.inputs.slice(1)], outputs: [output] },
    { ...NO_CONTEXT, known },
  );
  const view: TensorView = { ...input, data: numbers };
  const operands = node.inputs.map((_, index) => (index === 0 ? view : known(index)));
  run(operands, [{ ...output, data: moved, resize: withoutSurroundings }]);
  return moved.includes(0) ? undefined : inUnits(cutIntoCopies(moved, 1), unit);
}

const WALKS = { ...REARRANGING_WALKS, ...SLICING_WALKS, ...BLOCK_WALKS };

export const MOVEMENT_KERNELS: FastKernelTable = {
  ...Object.fromEntries(Object.entries(WALKS).map(([op, walk]) => [op, walkMovement(walk)])),
  GATHER: fastMovement,
  MIRROR_PAD: fastMovement,
  BATCH_TO_SPACE_ND: fastMovement,
  SPACE_TO_BATCH_ND: fastMovement,
  RESIZE_NEAREST_NEIGHBOR: fastMovement,
};
