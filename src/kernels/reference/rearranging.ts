/**
 * Operators whose output picks its elements from the input by a fixed rule on coordinates: TRANSPOSE, REVERSE_V2,
 * REVERSE_SEQUENCE, TILE, BROADCAST_TO. All but REVERSE_SEQUENCE are one walk with a stride per output axis.
 */
import { formatShape, type Shape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireSameType,
  requireType,
  requireWholeBytes,
} from "../require.ts";
import { present } from "../views.ts";
import { resolveAxes, resolveAxis, rowMajorStrides, splitAt } from "./axes.ts";
import { broadcastShape } from "./broadcast.ts";
import { copyUnits, elementsOf, integersOf, unitsPerElement } from "./elements.ts";
import { type WalkOf, walking } from "./strided-walk.ts";

function checkMovement(node: KernelNode, role: string): void {
  requireOperands(node, [2, 2]);
  requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  requireType(node, inputAt(node, 1), ["int32", "int64"], role);
}

function permutationOf(node: KernelNode, view: TensorView, rank: number): number[] {
  const permutation = integersOf(node, view).map((axis) => resolveAxis(node, axis, rank));
  if (permutation.length === rank && new Set(permutation).size === rank) return permutation;
  throw misshapen(node, `permutation ${formatShape(permutation)}`, `each of ${rank} axes once`);
}

const transposeWalk: WalkOf = (node, known) => {
  const permutation = known(1);
  const { shape } = inputAt(node, 0);
  const strides = rowMajorStrides(shape);
  return (
    permutation && {
      strides: permutationOf(node, permutation, shape.length).map((axis) => strides[axis]),
    }
  );
};

const TRANSPOSE: Kernel = {
  check: (node) => checkMovement(node, "permutation"),
  shapes(node, known) {
    const view = known(1);
    if (view === undefined) return [undefined];
    const { shape } = inputAt(node, 0);
    return [permutationOf(node, view, shape.length).map((axis) => shape[axis])];
  },
  create: walking(transposeWalk),
};

const reverseWalk: WalkOf = (node, known) => {
  const axes = known(1);
  if (axes === undefined) return undefined;
  const { shape } = inputAt(node, 0);
  const strides = rowMajorStrides(shape);
  let start = 0;
  for (const axis of resolveAxes(node, integersOf(node, axes), shape.length)) {
    start += strides[axis] * (shape[axis] - 1);
    strides[axis] = -strides[axis];
  }
  return { strides, start };
};

const REVERSE_V2: Kernel = {
  check: (node) => checkMovement(node, "axis"),
  shapes: (node) => [inputAt(node, 0).shape],
  create: walking(reverseWalk),
};

const broadcastWalk: WalkOf = (node) => {
  const { shape } = inputAt(node, 0);
  const own = rowMajorStrides(shape);
  const target = outputAt(node, 0).shape;
  const added = target.length - shape.length;
  const strides = target.map((_, axis) =>
    axis < added || shape[axis - added] === 1 ? 0 : own[axis - added],
  );
  return { strides };
};

const BROADCAST_TO: Kernel = {
  check: (node) => checkMovement(node, "shape"),
  shapes(node, known) {
    const view = known(1);
    if (view === undefined) return [undefined];
    const target = integersOf(node, view);
    if (target.some((size) => size < 0)) {
      throw misshapen(node, `shape ${formatShape(target)}`, "sizes of 0 or more");
    }
    const { shape } = inputAt(node, 0);
    const result = broadcastShape(node, [shape, target]);
    if (target.length < shape.length || result.some((size, axis) => size !== target[axis])) {
      const found = `shape ${formatShape(shape)}`;
      throw misshapen(node, found, `one that broadcasts to ${formatShape(target)}`);
    }
    return [target];
  },
  create: walking(broadcastWalk),
};

function tiledShape(node: KernelNode, shape: Shape, multiples: readonly number[]): Shape {
  if (multiples.length !== shape.length || multiples.some((count) => count < 0)) {
    const found = `multiples ${formatShape(multiples)}`;
    throw misshapen(node, found, `${shape.length} counts of 0 or more`);
  }
  return shape.map((size, axis) => size * multiples[axis]);
}

/** Repeating is a walk over twice the axes: one of stride 0 for the repetitions in front of each of the input's. */
const tileWalk: WalkOf = (node, known) => {
  const view = known(1);
  if (view === undefined) return undefined;
  const { shape } = inputAt(node, 0);
  const multiples = integersOf(node, view);
  return {
    strides: rowMajorStrides(shape).flatMap((stride) => [0, stride]),
    shape: shape.flatMap((size, axis) => [multiples[axis], size]),
  };
};

const TILE: Kernel = {
  check: (node) => checkMovement(node, "multiples"),
  shapes(node, known) {
    const view = known(1);
    return [view && tiledShape(node, inputAt(node, 0).shape, integersOf(node, view))];
  },
  create: walking(tileWalk),
};

/** Reverses the first `lengths[b]` elements along one axis, for each b of another. */
const REVERSE_SEQUENCE: Kernel = {
  check(node) {
    checkMovement(node, "lengths");
    requireWholeBytes(node, inputAt(node, 0));
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    const { seq_dim, batch_dim } = optionsOf(node, "ReverseSequenceOptions");
    const sequence = resolveAxis(node, seq_dim, shape.length);
    const batch = resolveAxis(node, batch_dim, shape.length);
    const lengths = inputAt(node, 1).shape;
    if (sequence === batch || lengths.length !== 1 || lengths[0] !== shape[batch]) {
      const found = `lengths of shape ${formatShape(lengths)} for axes ${sequence} and ${batch}`;
      throw misshapen(node, found, `[${shape[batch]}] and two different axes`);
    }
    return [shape];
  },
  create:
    (node) =>
    ([input, lengthsView], [out]) => {
      const { seq_dim, batch_dim } = optionsOf(node, "ReverseSequenceOptions");
      const { shape, dtype } = present(input);
      const lengths = integersOf(node, lengthsView);
      const along = splitAt(shape, resolveAxis(node, seq_dim, shape.length));
      const batch = splitAt(shape, resolveAxis(node, batch_dim, shape.length));
      const from = elementsOf(input);
      const to = elementsOf(out);
      const units = unitsPerElement(dtype);
      const size = along.size;
      for (const length of lengths) {
        if (length >= 0 && length <= size) continue;
        throw badValue(node, `a length of ${length}`, `one between 0 and ${size}`);
      }
      const count = along.outer * size * along.inner;
      for (let i = 0; i < count; i++) {
        const position = Math.floor(i / along.inner) % size;
        const length = lengths[Math.floor(i / batch.inner) % batch.size];
        const source = position < length ? length - 1 - position : position;
        copyUnits(from, (i + (source - position) * along.inner) * units, to, i * units, units);
      }
    },
};

export const REARRANGING: KernelTable = {
  TRANSPOSE,
  REVERSE_V2,
  REVERSE_SEQUENCE,
  BROADCAST_TO,
  TILE,
};

/** What the operators that are walks pick. */
export const REARRANGING_WALKS: Readonly<Record<string, WalkOf>> = {
  TRANSPOSE: transposeWalk,
  REVERSE_V2: reverseWalk,
  BROADCAST_TO: broadcastWalk,
  TILE: tileWalk,
};
