/**
 * Spreading a tensor out and reducing it through a sliding window: DILATE, STABLEHLO_PAD, REDUCE_WINDOW,
 * STABLEHLO_REDUCE_WINDOW. The last one pads (with the initial value) and then reduces.
 */
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, ValueOf } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOne,
  requireOperands,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { present } from "../views.ts";
import { rowMajorStrides } from "./axes.ts";
import {
  copyUnits,
  type Elements,
  elementsOf,
  fillWhole,
  integersOf,
  storeElements,
  UNITS_PER_CHECK,
  unitsPerElement,
  writableElementsOf,
} from "./elements.ts";
import { type StoredPair, scalarFunction, storedPair } from "./regions.ts";

/** What is put around and between the elements of an axis; negative edges cut off. */
interface AxisPadding {
  readonly low: number;
  readonly high: number;
  readonly interior: number;
}

function spreadShape(shape: Shape, paddings: readonly AxisPadding[]): number[] {
  return shape.map((size, axis) => {
    const { low, high, interior } = paddings[axis];
    return Math.max(0, low + size + Math.max(0, size - 1) * interior + high);
  });
}

/**
 * Writes the elements of `from` (`units` storage units each) that are not cut off to their places in `to`, which holds
 * the filling already.
 */
function spread(
  from: Elements,
  shape: Shape,
  to: Elements,
  outShape: Shape,
  paddings: readonly AxisPadding[],
  checkTime: () => void,
  units = 1,
): void {
  const strides = rowMajorStrides(outShape);
  const counter = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < from.length; i += units) {
    if (i % UNITS_PER_CHECK === 0) checkTime();
    let target = 0;
    let inside = true;
    for (let axis = 0; axis < counter.length; axis++) {
      const { low, interior } = paddings[axis];
      const place = low + counter[axis] * (interior + 1);
      if (place < 0 || place >= outShape[axis]) inside = false;
      target += place * strides[axis];
    }
    if (inside) copyUnits(from, i, to, target * units, units);
    for (let axis = counter.length - 1; axis >= 0; axis--) {
      if (++counter[axis] < shape[axis]) break;
      counter[axis] = 0;
    }
  }
}

/** A kernel that spreads its first operand and fills the gaps with another. */
function spreadKernel(
  operands: number,
  fill: number,
  paddingsOf: (node: KernelNode, known: ValueOf) => AxisPadding[] | undefined,
): Kernel {
  return {
    check(node) {
      requireOperands(node, [operands, operands]);
      requireSameType(node, inputAt(node, 0), inputAt(node, fill), "padding value");
      requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    },
    shapes(node, known) {
      requireOne(node, inputAt(node, fill), "padding value");
      const paddings = paddingsOf(node, known);
      return [paddings && spreadShape(inputAt(node, 0).shape, paddings)];
    },
    create:
      (node, { checkTime }) =>
      (inputs, outputs) => {
        const paddings = paddingsOf(node, (i) => inputs[i]);
        if (paddings === undefined) return;
        const [input, out] = [present(inputs[0]), present(outputs[0])];
        const [to, value] = [writableElementsOf(out), elementsOf(inputs[fill])];
        const units = unitsPerElement(out.dtype);
        fillWhole(to, value, units, checkTime);
        spread(elementsOf(input), input.shape, to, out.shape, paddings, checkTime, units);
        storeElements(out, to);
      },
  };
}

/** DILATE puts factor − 1 fillings between neighbours. */
function dilations(node: KernelNode, known: ValueOf): AxisPadding[] | undefined {
  const view = known(1);
  if (view === undefined) return undefined;
  const factors = integersOf(node, view);
  if (factors.length !== inputAt(node, 0).shape.length || factors.some((factor) => factor < 1)) {
    throw misshapen(node, `dilations ${formatShape(factors)}`, "one of 1 or more for each axis");
  }
  return factors.map((factor) => ({ low: 0, high: 0, interior: factor - 1 }));
}

function edgePaddings(node: KernelNode): AxisPadding[] {
  const options = optionsOf(node, "StablehloPadOptions");
  const { edge_padding_low = [], edge_padding_high = [], interior_padding = [] } = options;
  const rank = inputAt(node, 0).shape.length;
  const lists = [edge_padding_low, edge_padding_high, interior_padding];
  if (lists.some((list) => list.length !== rank) || interior_padding.some((count) => count < 0n)) {
    throw misshapen(
      node,
      `paddings for ${lists.map((list) => list.length).join(", ")} axes`,
      `${rank}`,
    );
  }
  return edge_padding_low.map((low, axis) => ({
    low: Number(low),
    high: Number(edge_padding_high[axis]),
    interior: Number(interior_padding[axis]),
  }));
}

/** Sizes, strides and dilations of a window, one per axis. */
interface Window {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

function requireWindow(node: KernelNode, window: Window, rank: number): Window {
  const lists = [window.sizes, window.strides, window.dilations];
  if (lists.every((list) => list.length === rank && list.every((value) => value >= 1)))
    return window;
  throw misshapen(
    node,
    `window ${lists.map(formatShape).join(", ")}`,
    `${rank} numbers of 1 or more`,
  );
}

function windowedShape(shape: Shape, { sizes, strides, dilations }: Window): number[] {
  return shape.map((size, axis) => {
    const reach = (sizes[axis] - 1) * dilations[axis] + 1;
    return size < reach ? 0 : Math.floor((size - reach) / strides[axis]) + 1;
  });
}

/** out[p] = reduce(… reduce(initial, x[p·stride + 0]) …) over the elements that the window sees. */
function reduceThroughWindow(
  x: Elements,
  shape: Shape,
  out: Elements,
  outShape: Shape,
  window: Window,
  initial: unknown,
  reduce: StoredPair,
): void {
  // With results, the window fits into `shape` and has no more taps than that has elements.
  if (out.length === 0) return;
  const strides = rowMajorStrides(shape);
  const taps = elementCount(window.sizes);
  const offsets = Array.from({ length: taps }, (_, tap) =>
    flatOffset(tap, window.sizes, window.dilations, strides),
  );
  for (let i = 0; i < out.length; i++) {
    const origin = flatOffset(i, outShape, window.strides, strides);
    let value = initial;
    for (const offset of offsets) value = reduce(value, x[origin + offset]);
    out[i] = value;
  }
}

/** Row-major index `i` in `shape`, its coordinates scaled and laid over `strides`. */
function flatOffset(
  i: number,
  shape: Shape,
  scales: readonly number[],
  strides: readonly number[],
): number {
  let rest = i;
  let offset = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    offset += (rest % shape[axis]) * scales[axis] * strides[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return offset;
}

const REDUCERS: Readonly<Record<string, string>> = {
  ADD: "ADD",
  MUL: "MUL",
  MINIMUM: "MINIMUM",
  MAXIMUM: "MAXIMUM",
  ALL: "LOGICAL_AND",
  ANY: "LOGICAL_OR",
};

function windowFrom(node: KernelNode, known: ValueOf): Window | undefined {
  const views = [known(2), known(3), known(4)];
  if (views.includes(undefined)) return undefined;
  const [sizes, strides, dilations] = views.map((view) => integersOf(node, view));
  return requireWindow(node, { sizes, strides, dilations }, inputAt(node, 0).shape.length);
}

const REDUCE_WINDOW: Kernel = {
  check(node) {
    requireOperands(node, [5, 5]);
    requireSameType(node, inputAt(node, 0), inputAt(node, 1), "initial value");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    for (const i of [2, 3, 4]) requireType(node, inputAt(node, i), ["int64"], "window");
    reducerOf(node);
  },
  shapes(node, known) {
    requireOne(node, inputAt(node, 1), "initial value");
    const window = windowFrom(node, known);
    return [window && windowedShape(inputAt(node, 0).shape, window)];
  },
  create(node) {
    const reduce = reducerOf(node);
    return (inputs, outputs) => {
      const window = windowFrom(node, (i) => inputs[i]);
      if (window === undefined) return;
      const [input, out] = [present(inputs[0]), present(outputs[0])];
      const [x, to, initial] = [elementsOf(input), elementsOf(out), elementsOf(inputs[1])[0]];
      reduceThroughWindow(x, input.shape, to, out.shape, window, initial, reduce);
    };
  },
};

function reducerOf(node: KernelNode): StoredPair {
  const { reduce_function } = optionsOf(node, "ReduceWindowOptions");
  const reduce = storedPair(REDUCERS[reduce_function] ?? "", inputAt(node, 0).dtype);
  if (reduce !== undefined) return reduce;
  throw unsupported(node, `by ${reduce_function} on ${inputAt(node, 0).dtype}`);
}

const numbers = (values: readonly bigint[] | undefined, rank: number, missing: number): number[] =>
  values === undefined ? new Array<number>(rank).fill(missing) : values.map(Number);

/** The padding and the window of STABLEHLO_REDUCE_WINDOW, whose options are lists of 64-bit numbers. */
function paddedWindow(node: KernelNode): { paddings: AxisPadding[]; window: Window } {
  const options = optionsOf(node, "StablehloReduceWindowOptions");
  const rank = inputAt(node, 0).shape.length;
  const padding = numbers(options.padding, 2 * rank, 0);
  const base = numbers(options.base_dilations, rank, 1);
  if (padding.length !== 2 * rank || base.length !== rank || base.some((factor) => factor < 1)) {
    throw misshapen(node, `paddings ${formatShape(padding)}`, `${2 * rank} of them`);
  }
  const window = requireWindow(
    node,
    {
      sizes: numbers(options.window_dimensions, rank, 1),
      strides: numbers(options.window_strides, rank, 1),
      dilations: numbers(options.window_dilations, rank, 1),
    },
    rank,
  );
  const paddings = base.map((factor, axis) => ({
    low: padding[2 * axis],
    high: padding[2 * axis + 1],
    interior: factor - 1,
  }));
  return { paddings, window };
}

/** Most elements of a padded operand, which no output's size bounds. */
const MOST_PADDED = 2 ** 26;

const STABLEHLO_REDUCE_WINDOW: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireSameType(node, inputAt(node, 0), inputAt(node, 1), "initial value");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes(node) {
    requireOne(node, inputAt(node, 1), "initial value");
    const { paddings, window } = paddedWindow(node);
    const padded = spreadShape(inputAt(node, 0).shape, paddings);
    if (elementCount(padded) > MOST_PADDED)
      throw unsupported(node, `padded to ${formatShape(padded)}`);
    return [windowedShape(padded, window)];
  },
  create(node, context) {
    const { body_subgraph_index } = optionsOf(node, "StablehloReduceWindowOptions");
    const { paddings, window } = paddedWindow(node);
    const reduce = scalarFunction(node, context.subgraph(body_subgraph_index));
    const { checkTime } = context;
    return (inputs, outputs) => {
      const [input, out] = [present(inputs[0]), present(outputs[0])];
      const initial = elementsOf(inputs[1])[0];
      const shape = spreadShape(input.shape, paddings);
      const padded: unknown[] = new Array(elementCount(shape)).fill(initial);
      spread(elementsOf(input), input.shape, padded, shape, paddings, checkTime);
      reduceThroughWindow(padded, shape, elementsOf(out), out.shape, window, initial, reduce);
    };
  },
};

export const WINDOWS: KernelTable = {
  DILATE: spreadKernel(3, 2, dilations),
  STABLEHLO_PAD: spreadKernel(2, 1, edgePaddings),
  REDUCE_WINDOW,
  STABLEHLO_REDUCE_WINDOW,
};
