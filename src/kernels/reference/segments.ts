/**
 * Folding the rows of a tensor that carry the same id into one: SEGMENT_SUM (ids ascending) and UNSORTED_SEGMENT_SUM,
 * _PROD, _MAX, _MIN, where rows with a negative id are left out.
 */
import { FLOAT32_MAX } from "../../base/dtype.ts";
import { elementCount, formatShape, sameShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { type Elements, fillUnits, integersOf, numbersOf } from "./elements.ts";

/** How a fold starts for each type, and how it goes on. */
interface SegmentFold {
  readonly float32: number;
  readonly int32: number;
  readonly fold: (acc: number, x: number) => number;
}

function checkSegments(node: KernelNode, operands: number): void {
  requireOperands(node, [operands, operands]);
  requireType(node, inputAt(node, 0), ["float32", "int32"], "data");
  for (let i = 1; i < operands; i++) requireType(node, inputAt(node, i), ["int32"], "ids");
  requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
}

/** Folds row r of x into row ids[r] of out. */
function foldRows(
  ids: readonly number[],
  x: Elements<number>,
  out: Elements<number>,
  fold: SegmentFold["fold"],
): void {
  const length = ids.length === 0 ? 0 : x.length / ids.length;
  ids.forEach((id, row) => {
    if (id < 0) return;
    for (let i = 0; i < length; i++) {
      out[id * length + i] = fold(out[id * length + i], x[row * length + i]);
    }
  });
}

/** Ids that never fall and start at 0 or above. */
function ascendingIds(node: KernelNode, view: TensorView): number[] {
  const ids = integersOf(node, view);
  ids.forEach((id, i) => {
    if (id < 0 || (i > 0 && id < ids[i - 1])) {
      throw badValue(node, `segment ids ${formatShape(ids.slice(0, 8))}`, "ascending ones from 0");
    }
  });
  return ids;
}

const SUM: SegmentFold = { float32: 0, int32: 0, fold: (acc, x) => acc + x };

const SEGMENT_SUM: Kernel = {
  check: (node) => checkSegments(node, 2),
  shapes(node, known) {
    const [data, ids] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
    requireRank(node, data, [1, Infinity], "data");
    if (ids.length !== 1 || ids[0] !== data[0]) {
      throw misshapen(node, `ids of shape ${formatShape(ids)}`, `[${data[0]}]`);
    }
    const view = known(1);
    if (view === undefined) return [undefined];
    return [data.with(0, (ascendingIds(node, view).at(-1) ?? -1) + 1)];
  },
  create: (node) => (inputs, outputs) => {
    const ids = ascendingIds(node, present(inputs[1]));
    const out = numbersOf(outputs[0]);
    fillUnits(out, 0, out.length, 0);
    foldRows(ids, numbersOf(inputs[0]), out, SUM.fold);
  },
};

function segmentCount(node: KernelNode, view: TensorView): number {
  const [count] = integersOf(node, view);
  if (count !== undefined && count >= 0) return count;
  throw misshapen(node, `${count} segments`, "0 or more");
}

function unsortedKernel(segmentFold: SegmentFold): Kernel {
  return {
    check: (node) => checkSegments(node, 3),
    shapes(node, known) {
      const [data, ids] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
      if (!sameShape(ids, data.slice(0, ids.length))) {
        throw misshapen(
          node,
          `ids of shape ${formatShape(ids)}`,
          `the first of ${formatShape(data)}`,
        );
      }
      const view = known(2);
      return [view && [segmentCount(node, view), ...data.slice(ids.length)]];
    },
    create: (node) => (inputs, outputs) => {
      const ids = integersOf(node, inputs[1]);
      const count = segmentCount(node, present(inputs[2]));
      for (const id of ids) {
        if (id >= count) throw badValue(node, `segment id ${id}`, `one below ${count}`);
      }
      const { data, shape } = { data: numbersOf(inputs[0]), shape: present(inputs[0]).shape };
      const out = numbersOf(outputs[0]);
      const float = present(outputs[0]).dtype === "float32";
      fillUnits(out, 0, out.length, float ? segmentFold.float32 : segmentFold.int32);
      if (elementCount(shape) > 0) foldRows(ids, data, out, segmentFold.fold);
    },
  };
}

export const SEGMENTS: KernelTable = {
  SEGMENT_SUM,
  UNSORTED_SEGMENT_SUM: unsortedKernel(SUM),
  UNSORTED_SEGMENT_PROD: unsortedKernel({ float32: 1, int32: 1, fold: (acc, x) => acc * x }),
  UNSORTED_SEGMENT_MAX: unsortedKernel({
    float32: -FLOAT32_MAX,
    int32: -(2 ** 31),
    fold: (acc, x) => (x > acc ? x : acc),
  }),
  UNSORTED_SEGMENT_MIN: unsortedKernel({
    float32: FLOAT32_MAX,
    int32: 2 ** 31 - 1,
    fold: (acc, x) => (x < acc ? x : acc),
  }),
};
