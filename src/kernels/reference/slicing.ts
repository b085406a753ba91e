/** Cutting out and replacing boxes of a tensor: SLICE, STRIDED_SLICE, DYNAMIC_UPDATE_SLICE. */
import { formatShape, type Shape } from "../../base/shape.ts";
import type { StridedSliceOptions } from "../../formats/tflite/schema.gen.ts";
import type { Kernel, KernelNode, KernelTable, ValueOf } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireSameType,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { rowMajorStrides } from "./axes.ts";
import {
  copyUnits,
  elementsOf,
  integersOf,
  storeElements,
  unitsPerElement,
  writableElementsOf,
} from "./elements.ts";
import { type WalkOf, walking } from "./strided-walk.ts";

const INDEX_TYPES = ["int32", "int64"] as const;

/** What a slice takes along each input axis, and the shape that comes out. */
interface Box {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly sizes: readonly number[];
  /** The output's shape: sizes with shrunk axes left out and new ones put in. */
  readonly shape: Shape;
}

function sliceBox(node: KernelNode, known: ValueOf): Box | undefined {
  const [beginView, sizeView] = [known(1), known(2)];
  if (beginView === undefined || sizeView === undefined) return undefined;
  const { shape } = inputAt(node, 0);
  const [starts, asked] = [integersOf(node, beginView), integersOf(node, sizeView)];
  if (starts.length !== shape.length || asked.length !== shape.length) {
    const found = `${starts.length} begins and ${asked.length} sizes`;
    throw misshapen(node, found, `${shape.length} of each`);
  }
  const sizes = asked.map((size, axis) => (size === -1 ? shape[axis] - starts[axis] : size));
  shape.forEach((size, axis) => {
    const [start, length] = [starts[axis], sizes[axis]];
    if (start >= 0 && length >= 0 && start + length <= size) return;
    const found = `begin ${start} and size ${asked[axis]} of axis ${axis}`;
    throw misshapen(node, found, `a part of 0 to ${size}`);
  });
  return { starts, steps: sizes.map(() => 1), sizes, shape: sizes };
}

/** One entry of a strided slice's operands, which is about an input axis, a new one, or the axes an ellipsis covers. */
interface SliceEntry {
  readonly kind: "range" | "new" | "full";
  readonly entry: number;
}

/** Assigns the entries of begin, end and strides to axes: an ellipsis takes as many as are left over. */
function sliceEntries(node: KernelNode, count: number, rank: number, options: StridedSliceOptions) {
  const { ellipsis_mask, new_axis_mask } = options;
  const isSet = (mask: number, entry: number) => ((mask >> entry) & 1) === 1;
  const entries: SliceEntry[] = [];
  let ranges = 0;
  let ellipsis = -1;
  for (let entry = 0; entry < count; entry++) {
    if (isSet(ellipsis_mask, entry)) {
      if (ellipsis >= 0) throw misshapen(node, "two ellipses", "one at most");
      ellipsis = entries.length;
    } else if (isSet(new_axis_mask, entry)) entries.push({ kind: "new", entry });
    else {
      entries.push({ kind: "range", entry });
      ranges++;
    }
  }
  if (ranges > rank)
    throw misshapen(node, `${ranges} ranges`, `at most ${rank}, one for each axis`);
  const full = new Array<SliceEntry>(rank - ranges).fill({ kind: "full", entry: -1 });
  return entries.toSpliced(ellipsis < 0 ? entries.length : ellipsis, 0, ...full);
}

function stridedBox(node: KernelNode, known: ValueOf): Box | undefined {
  const views = [known(1), known(2), known(3)];
  if (views.includes(undefined)) return undefined;
  const [begins, ends, strides] = views.map((view) => integersOf(node, view));
  if (ends.length !== begins.length || strides.length !== begins.length) {
    const found = `${begins.length} begins, ${ends.length} ends and ${strides.length} strides`;
    throw misshapen(node, found, "as many of each");
  }
  const options = optionsOf(node, "StridedSliceOptions");
  const { shape } = inputAt(node, 0);
  const box = { starts: [] as number[], steps: [] as number[], sizes: [] as number[] };
  const out: number[] = [];
  for (const { kind, entry } of sliceEntries(node, begins.length, shape.length, options)) {
    if (kind === "new") {
      out.push(1);
      continue;
    }
    const size = shape[box.sizes.length];
    const range =
      kind === "full"
        ? { start: 0, step: 1, length: size, shrinks: false }
        : rangeOf(node, options, entry, size, [begins[entry], ends[entry], strides[entry]]);
    box.starts.push(range.start);
    box.steps.push(range.step);
    box.sizes.push(range.length);
    if (!range.shrinks) out.push(range.length);
  }
  return { ...box, shape: out };
}

/** begin:end:stride of an axis of `size`, by Python's rules; a shrinking axis takes the one element at begin. */
function rangeOf(
  node: KernelNode,
  options: StridedSliceOptions,
  entry: number,
  size: number,
  [begin, end, step]: readonly [number, number, number],
) {
  const isSet = (mask: number) => ((mask >> entry) & 1) === 1;
  if (step === 0) throw misshapen(node, "a stride of 0", "any other");
  const fromEnd = (value: number) => (value < 0 ? value + size : value);
  if (isSet(options.shrink_axis_mask)) {
    const start = isSet(options.begin_mask) ? 0 : fromEnd(begin);
    if (start >= 0 && start < size) return { start, step: 1, length: 1, shrinks: true };
    throw badValue(node, `index ${begin}`, `one between ${-size} and ${size - 1}`);
  }
  // Going backward the positions reach from size − 1 down to −1, the place in front of the first.
  const [least, most] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (value: number) => Math.max(least, Math.min(most, value));
  const start = isSet(options.begin_mask) ? (step > 0 ? 0 : size - 1) : clamp(fromEnd(begin));
  const limit = options.offset ? start + end : fromEnd(end);
  const stop = isSet(options.end_mask) ? (step > 0 ? size : -1) : clamp(limit);
  return { start, step, length: Math.max(0, Math.ceil((stop - start) / step)), shrinks: false };
}

type BoxOf = (node: KernelNode, known: ValueOf) => Box | undefined;

/** The walk over a box. */
function boxWalk(boxOf: BoxOf): WalkOf {
  return (node, known) => {
    const box = boxOf(node, known);
    if (box === undefined) return undefined;
    const strides = rowMajorStrides(inputAt(node, 0).shape);
    let start = 0;
    for (let axis = 0; axis < strides.length; axis++) start += box.starts[axis] * strides[axis];
    const steps = strides.map((stride, axis) => stride * box.steps[axis]);
    return { strides: steps, start, shape: box.sizes };
  };
}

/** A kernel that copies the box that `boxOf` tells from the operands. */
function boxKernel(operands: number, boxOf: BoxOf): Kernel {
  return {
    check(node) {
      requireOperands(node, [operands, operands]);
      requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
      for (let i = 1; i < operands; i++) requireType(node, inputAt(node, i), INDEX_TYPES, "index");
    },
    shapes: (node, known) => [boxOf(node, known)?.shape],
    create: walking(boxWalk(boxOf)),
  };
}

/** The update written over a copy of the operand; a start that would stick out is moved inside. */
const DYNAMIC_UPDATE_SLICE: Kernel = {
  check(node) {
    requireOperands(node, [3, 3]);
    requireSameType(node, inputAt(node, 0), inputAt(node, 1), "update");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireType(node, inputAt(node, 2), INDEX_TYPES, "start");
  },
  shapes(node) {
    const [operand, update, start] = [0, 1, 2].map((i) => inputAt(node, i).shape);
    const fits =
      update.length === operand.length && update.every((size, axis) => size <= operand[axis]);
    if (!fits || start.length !== 1 || start[0] !== operand.length) {
      const found = `update ${formatShape(update)} at ${formatShape(start)} starts`;
      throw misshapen(node, found, `a part of ${formatShape(operand)}`);
    }
    return [operand];
  },
  create: (node) => (inputs, outputs) => {
    const [operand, update] = [present(inputs[0]), present(inputs[1])];
    const out = present(outputs[0]);
    const units = unitsPerElement(operand.dtype);
    const starts = integersOf(node, inputs[2]).map((start, axis) =>
      Math.max(0, Math.min(operand.shape[axis] - update.shape[axis], start)),
    );
    const [from, to, small] = [elementsOf(operand), writableElementsOf(out), elementsOf(update)];
    copyUnits(from, 0, to, 0, from.length);
    const strides = rowMajorStrides(operand.shape);
    const counter = new Array<number>(starts.length).fill(0);
    for (let i = 0; i < small.length; i += units) {
      let position = 0;
      for (let axis = 0; axis < counter.length; axis++) {
        position += (starts[axis] + counter[axis]) * strides[axis];
      }
      copyUnits(small, i, to, position * units, units);
      for (let axis = counter.length - 1; axis >= 0; axis--) {
        if (++counter[axis] < update.shape[axis]) break;
        counter[axis] = 0;
      }
    }
    storeElements(out, to);
  },
};

export const SLICING: KernelTable = {
  SLICE: boxKernel(3, sliceBox),
  STRIDED_SLICE: boxKernel(4, stridedBox),
  DYNAMIC_UPDATE_SLICE,
};

/** What the operators that are walks pick. */
export const SLICING_WALKS: Readonly<Record<string, WalkOf>> = {
  SLICE: boxWalk(sliceBox),
  STRIDED_SLICE: boxWalk(stridedBox),
};
