/**
 * The operators of StableHLO that the CPU interpreter of TensorFlow Lite 2.21 runs: elementwise ones, gather and scatter.
 * (Padding, windows, random bits and calls are with their kin.)
 */
import type { DType } from "../../base/dtype.ts";
import { formatShape, type Shape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireSameType,
  requireType,
  requireWholeBytes,
} from "../require.ts";
import { present } from "../views.ts";
import { rowMajorStrides } from "./axes.ts";
import { copyUnits, elementsOf, integersOf, unitsPerElement } from "./elements.ts";
import { type Pair, pairKernel } from "./pairwise.ts";
import { scalarFunction, storedPair } from "./regions.ts";

/** An elementwise operator by its name among the stored functions. */
function elementwise(name: string): Kernel {
  return pairKernel((node) => storedPair(name, inputAt(node, 0).dtype));
}

const AND_TYPES: readonly DType[] = ["bool", "int8", "uint8", "int16", "uint16", "int32"];

/** AND of bool is logical, of integers by bits. */
function bitwiseAnd(node: KernelNode): Pair | undefined {
  const { dtype } = inputAt(node, 0);
  if (AND_TYPES.includes(dtype)) return (a: number, b: number) => a & b;
  if (dtype === "uint32") return (a: number, b: number) => (a & b) >>> 0;
  return dtype === "int64" || dtype === "uint64" ? (a: bigint, b: bigint) => a & b : undefined;
}

/** A shift by the type's width or more leaves 0. */
function shiftLeft(node: KernelNode): Pair | undefined {
  const { dtype } = inputAt(node, 0);
  const bits = { int8: 8, int16: 16, int32: 32 }[dtype as "int8"];
  if (bits === undefined) return undefined;
  return (a: number, count: number) => (count < 0 || count >= bits ? 0 : a << count);
}

/** Steps `index` to the next coordinates within `shape`; false after the last. */
function advance(index: number[], shape: Shape): boolean {
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (++index[axis] < shape[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

const numbersFrom = (values: readonly bigint[] | undefined): number[] =>
  Array.from(values ?? [], Number);

/**
 * Start of each slice from the index tensor: the vector along `vectorAxis` at the given batch coordinates, each entry
 * for the operand axis that `map` names.
 */
function startReader(
  node: KernelNode,
  view: TensorView,
  vectorAxis: number,
  map: readonly number[],
  rank: number,
): (batch: readonly number[]) => number[] {
  const values = integersOf(node, view);
  const strides = rowMajorStrides(view.shape);
  const size = vectorAxis < view.shape.length ? view.shape[vectorAxis] : 1;
  if (map.length !== size || map.some((axis) => axis < 0 || axis >= rank)) {
    throw misshapen(
      node,
      `${size} indices for axes ${formatShape(map)}`,
      "one axis for each index",
    );
  }
  const batchStrides = strides.filter((_, axis) => axis !== vectorAxis);
  return (batch) => {
    let origin = 0;
    batch.forEach((coordinate, axis) => {
      origin += coordinate * batchStrides[axis];
    });
    const start = new Array<number>(rank).fill(0);
    map.forEach((axis, k) => {
      start[axis] = values[origin + k * (strides[vectorAxis] ?? 0)];
    });
    return start;
  };
}

/** Axes of a result of rank `rank` that are not among `taken`. */
function otherAxes(rank: number, taken: readonly number[]): number[] {
  return Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !taken.includes(axis));
}

interface GatherPlan {
  readonly offsetAxes: readonly number[];
  readonly batchAxes: readonly number[];
  /** Operand axes that the offsets run over. */
  readonly windowAxes: readonly number[];
  readonly sizes: readonly number[];
  readonly shape: Shape;
}

function gatherPlan(node: KernelNode): GatherPlan {
  const options = optionsOf(node, "StablehloGatherOptions");
  const [operand, indices] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
  const sizes = numbersFrom(options.slice_sizes);
  const collapsed = numbersFrom(options.collapsed_slice_dims);
  const offsetAxes = numbersFrom(options.offset_dims);
  const windowAxes = otherAxes(operand.length, collapsed);
  const vectorAxis = Number(options.index_vector_dim);
  const batchShape = indices.filter((_, axis) => axis !== vectorAxis);
  const rank = batchShape.length + offsetAxes.length;
  const batchAxes = otherAxes(rank, offsetAxes);
  const fits =
    sizes.length === operand.length &&
    sizes.every((size, axis) => size >= 0 && size <= operand[axis]) &&
    windowAxes.length === offsetAxes.length &&
    batchAxes.length === batchShape.length;
  if (!fits) {
    const found = `slices of ${formatShape(sizes)} from ${formatShape(operand)}`;
    throw misshapen(
      node,
      found,
      "slices within the operand, with an output axis for each of theirs",
    );
  }
  const shape = new Array<number>(rank).fill(0);
  batchAxes.forEach((axis, k) => {
    shape[axis] = batchShape[k];
  });
  offsetAxes.forEach((axis, k) => {
    shape[axis] = sizes[windowAxes[k]];
  });
  return { offsetAxes, batchAxes, windowAxes, sizes, shape };
}

/** Slices of the operand at given starts, moved inside where they would stick out. */
const STABLEHLO_GATHER: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireType(node, inputAt(node, 1), ["int32", "int64"], "indices");
    requireWholeBytes(node, inputAt(node, 0));
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes: (node) => [gatherPlan(node).shape],
  create(node) {
    const { offsetAxes, batchAxes, windowAxes, sizes, shape } = gatherPlan(node);
    const options = optionsOf(node, "StablehloGatherOptions");
    const map = numbersFrom(options.start_index_map);
    return (inputs, outputs) => {
      const operand = present(inputs[0]);
      const vectorAxis = Number(options.index_vector_dim);
      const rank = operand.shape.length;
      const startAt = startReader(node, present(inputs[1]), vectorAxis, map, rank);
      const strides = rowMajorStrides(operand.shape);
      const [from, to] = [elementsOf(operand), elementsOf(outputs[0])];
      const units = unitsPerElement(operand.dtype);
      const index = shape.map(() => 0);
      for (let i = 0; i < to.length; i += units) {
        const start = startAt(batchAxes.map((axis) => index[axis]));
        let source = 0;
        start.forEach((value, axis) => {
          source += Math.max(0, Math.min(value, operand.shape[axis] - sizes[axis])) * strides[axis];
        });
        windowAxes.forEach((axis, k) => {
          source += index[offsetAxes[k]] * strides[axis];
        });
        copyUnits(from, source * units, to, i, units);
        advance(index, shape);
      }
    };
  },
};

/** A copy of the operand with updates combined in at given starts; what would fall outside is left out. */
const STABLEHLO_SCATTER: Kernel = {
  check(node) {
    requireOperands(node, [3, 3]);
    requireType(node, inputAt(node, 1), ["int32", "int64"], "indices");
    requireWholeBytes(node, inputAt(node, 0));
    requireSameType(node, inputAt(node, 0), inputAt(node, 2), "updates");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes(node) {
    const { inserted_window_dims, update_window_dims } = optionsOf(node, "StablehloScatterOptions");
    const rank = inputAt(node, 0).shape.length;
    const window = numbersFrom(update_window_dims).length;
    if (window + numbersFrom(inserted_window_dims).length !== rank) {
      throw misshapen(
        node,
        `updates with ${window} window axes`,
        `as many as ${rank} axes have left`,
      );
    }
    return [inputAt(node, 0).shape];
  },
  create(node, context) {
    const options = optionsOf(node, "StablehloScatterOptions");
    const combine = scalarFunction(
      node,
      context.subgraph(options.update_computation_subgraph_index),
    );
    const windowAxes = numbersFrom(options.update_window_dims);
    const inserted = numbersFrom(options.inserted_window_dims);
    const map = numbersFrom(options.scatter_dims_to_operand_dims);
    const { shape } = inputAt(node, 0);
    const updateShape = inputAt(node, 2).shape;
    const targetAxes = otherAxes(shape.length, inserted);
    const batchAxes = otherAxes(updateShape.length, windowAxes);
    return (inputs, outputs) => {
      const vectorAxis = Number(options.index_vector_dim);
      const startAt = startReader(node, present(inputs[1]), vectorAxis, map, shape.length);
      const strides = rowMajorStrides(shape);
      const [updates, to] = [elementsOf(inputs[2]), elementsOf(outputs[0])];
      copyUnits(elementsOf(inputs[0]), 0, to, 0, to.length);
      const index = updateShape.map(() => 0);
      for (let i = 0; i < updates.length; i++, advance(index, updateShape)) {
        const place = startAt(batchAxes.map((axis) => index[axis]));
        targetAxes.forEach((axis, k) => {
          place[axis] += index[windowAxes[k]];
        });
        if (place.some((value, axis) => value < 0 || value >= shape[axis])) continue;
        let target = 0;
        for (let axis = 0; axis < place.length; axis++) target += place[axis] * strides[axis];
        to[target] = combine(to[target], updates[i]);
      }
    };
  },
};

export const STABLEHLO: KernelTable = {
  STABLEHLO_ADD: elementwise("ADD"),
  STABLEHLO_MULTIPLY: elementwise("MUL"),
  STABLEHLO_MAXIMUM: elementwise("MAXIMUM"),
  STABLEHLO_MINIMUM: elementwise("MINIMUM"),
  STABLEHLO_AND: pairKernel(bitwiseAnd),
  STABLEHLO_SHIFT_LEFT: pairKernel(shiftLeft),
  STABLEHLO_GATHER,
  STABLEHLO_SCATTER,
};
