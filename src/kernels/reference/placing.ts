/**
 * Placing values at indices of a tensor that is filled otherwise: SCATTER_ND, SPARSE_TO_DENSE, ONE_HOT. An index outside
 * is an error, never a write there.
 */
import { elementCount, formatShape, type Shape, sameShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOne,
  requireOperands,
  requireSameType,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { resolveAxis, splitAt } from "./axes.ts";
import { type Elements, elementsOf, fillUnits, integersOf, zeroOf } from "./elements.ts";
import { indexDepth, sliceAddresses } from "./slice-addresses.ts";

function scatterShape(node: KernelNode, shape: readonly number[]): Shape {
  const [indices, updates] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
  const depth = indexDepth(node, indices, shape.length);
  const wanted = [...indices.slice(0, -1), ...shape.slice(depth)];
  if (shape.some((size) => size < 0) || !sameShape(wanted, updates)) {
    const found = `updates of shape ${formatShape(updates)} for output ${formatShape(shape)}`;
    throw misshapen(node, found, formatShape(wanted));
  }
  return shape;
}

/** Zeros with updates added at the indexed slices; where indices repeat, their updates add up. */
const SCATTER_ND: Kernel = {
  check(node) {
    requireOperands(node, [3, 3]);
    requireSameType(node, inputAt(node, 1), outputAt(node, 0), "output");
    requireType(node, inputAt(node, 0), ["int32"], "indices");
    requireType(node, inputAt(node, 2), ["int32"], "shape");
    const types = ["float32", "int32", "int64", "int16", "int8", "uint8", "bool"] as const;
    requireType(node, inputAt(node, 1), types, "updates");
  },
  shapes(node, known) {
    const view = known(2);
    return [view && scatterShape(node, integersOf(node, view))];
  },
  create: (node) => (inputs, outputs) => {
    const [indices, out] = [present(inputs[0]), present(outputs[0])];
    const updates = elementsOf(inputs[1]) as Elements<number>;
    const to = elementsOf(out) as Elements<number>;
    const depth = indexDepth(node, indices.shape, out.shape.length);
    const flat = integersOf(node, indices);
    const { offsets, length } = sliceAddresses(node, flat, depth, out.shape, 1);
    fillUnits(to, 0, to.length, zeroOf(out.dtype));
    const rows = elementCount(indices.shape.slice(0, -1));
    for (let row = 0; row < rows; row++) {
      const start = offsets[depth === 0 ? 0 : row];
      for (let i = 0; i < length; i++) to[start + i] += updates[row * length + i];
    }
    if (out.dtype === "bool") for (let i = 0; i < to.length; i++) to[i] = to[i] === 0 ? 0 : 1;
  },
};

/** Values that SPARSE_TO_DENSE and ONE_HOT put in place, one unit each. */
const PLACED_TYPES = [
  ...(["float32", "int64", "int32", "int16", "int8", "uint8", "bool", "string"] as const),
  ...(["float16", "bfloat16", "float64", "uint16", "uint32", "uint64"] as const),
];

/** Coordinates of SPARSE_TO_DENSE: a scalar, a list of positions, or a row per value. */
function denseDepth(node: KernelNode, indices: Shape, rank: number): number {
  const depth = indices.length === 2 ? indices[1] : 1;
  if (depth !== rank || indices.length > 2) {
    const found = `indices of shape ${formatShape(indices)} for an output of rank ${rank}`;
    throw misshapen(node, found, `rows of ${rank} coordinates`);
  }
  return depth;
}

const SPARSE_TO_DENSE: Kernel = {
  check(node) {
    requireOperands(node, [4, 4]);
    requireType(node, inputAt(node, 0), ["int32", "int64"], "indices");
    requireType(node, inputAt(node, 1), ["int32", "int64"], "shape");
    requireType(node, inputAt(node, 2), PLACED_TYPES, "values");
    requireSameType(node, inputAt(node, 2), inputAt(node, 3), "default");
    requireSameType(node, inputAt(node, 2), outputAt(node, 0), "output");
  },
  shapes(node, known) {
    const view = known(1);
    if (view === undefined) return [undefined];
    const shape = integersOf(node, view);
    if (shape.some((size) => size < 0)) {
      throw misshapen(node, `shape ${formatShape(shape)}`, "sizes of 0 or more");
    }
    denseDepth(node, inputAt(node, 0).shape, shape.length);
    requireOne(node, inputAt(node, 3), "default");
    return [shape];
  },
  create: (node) => (inputs, outputs) => {
    const [indices, values, out] = [present(inputs[0]), present(inputs[2]), present(outputs[0])];
    const depth = denseDepth(node, indices.shape, out.shape.length);
    const flat = integersOf(node, indices);
    const { offsets } = sliceAddresses(node, flat, depth, out.shape, 1);
    const isScalar = values.shape.length === 0;
    const given = elementsOf(values);
    if (!isScalar && given.length !== offsets.length) {
      throw misshapen(node, `${given.length} values for ${offsets.length} indices`, "as many");
    }
    const to = elementsOf(out);
    fillUnits(to, 0, to.length, elementsOf(inputs[3])[0]);
    offsets.forEach((offset, row) => {
      to[offset] = given[isScalar ? 0 : row];
    });
  },
};

const ONE_HOT: Kernel = {
  check(node) {
    requireOperands(node, [4, 4]);
    requireType(node, inputAt(node, 0), ["int32", "int64"], "indices");
    requireType(node, inputAt(node, 1), ["int32"], "depth");
    requireType(node, inputAt(node, 2), PLACED_TYPES, "on value");
    requireSameType(node, inputAt(node, 2), inputAt(node, 3), "off value");
    requireSameType(node, inputAt(node, 2), outputAt(node, 0), "output");
  },
  shapes(node, known) {
    requireOne(node, inputAt(node, 2), "on value");
    requireOne(node, inputAt(node, 3), "off value");
    const view = known(1);
    if (view === undefined) return [undefined];
    const [depth] = integersOf(node, view);
    if (depth === undefined || depth < 0) throw misshapen(node, `depth ${depth}`, "0 or more");
    const { shape } = inputAt(node, 0);
    const axis = oneHotAxis(node, shape.length);
    return [shape.toSpliced(axis, 0, depth)];
  },
  create: (node) => (inputs, outputs) => {
    const indices = integersOf(node, inputs[0]);
    const out = present(outputs[0]);
    const axis = oneHotAxis(node, out.shape.length - 1);
    const { size: depth, inner } = splitAt(out.shape, axis);
    const [on, off, to] = [elementsOf(inputs[2])[0], elementsOf(inputs[3])[0], elementsOf(out)];
    fillUnits(to, 0, to.length, off);
    indices.forEach((index, i) => {
      if (index < 0 || index >= depth) return;
      const [outer, rest] = [Math.floor(i / inner), i % inner];
      to[(outer * depth + index) * inner + rest] = on;
    });
  },
};

function oneHotAxis(node: KernelNode, rank: number): number {
  const { axis } = optionsOf(node, "OneHotOptions");
  return axis === -1 ? rank : resolveAxis(node, axis, rank + 1);
}

export const PLACING: KernelTable = { SCATTER_ND, SPARSE_TO_DENSE, ONE_HOT };
