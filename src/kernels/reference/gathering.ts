/**
 * Looking up and placing slices by index: GATHER, GATHER_ND, SCATTER_ND, SPARSE_TO_DENSE, ONE_HOT, HASHTABLE_LOOKUP,
 * EMBEDDING_LOOKUP_SPARSE. An index outside its tensor is an error, never a read or write there.
 */
import { elementCount, formatShape, type Shape, sameShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
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
import { resolveAxis, rowMajorStrides, splitAt } from "./axes.ts";
import {
  copyUnits,
  type Elements,
  elementsOf,
  fillUnits,
  integersOf,
  storeElements,
  unitsPerElement,
  writableElementsOf,
  zeroOf,
} from "./elements.ts";

const INDEX_TYPES = ["int32", "int64", "int16"] as const;

function requireIndex(node: KernelNode, index: number, size: number): void {
  if (index >= 0 && index < size) return;
  throw badValue(node, `index ${index}`, `one between 0 and ${size - 1}`);
}

interface GatherLayout {
  readonly axis: number;
  readonly batchDims: number;
}

function gatherLayout(node: KernelNode): GatherLayout {
  const [params, indices] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
  const options = optionsOf(node, "GatherOptions");
  const axis = resolveAxis(node, options.axis, params.length);
  const batchDims =
    options.batch_dims < 0 ? options.batch_dims + indices.length : options.batch_dims;
  const batches = params.slice(0, batchDims);
  if (batchDims < 0 || batchDims > axis || !sameShape(batches, indices.slice(0, batchDims))) {
    const found = `${options.batch_dims} batch dimensions of ${formatShape(params)} and ${formatShape(indices)}`;
    throw misshapen(node, found, `as many equal leading sizes, at most axis ${axis}`);
  }
  return { axis, batchDims };
}

/** out[batch, outer, index, inner] = params[batch, outer, indices[batch, index], inner]. */
const GATHER: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireType(node, inputAt(node, 1), INDEX_TYPES, "indices");
  },
  shapes(node) {
    const [params, indices] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
    const { axis, batchDims } = gatherLayout(node);
    return [[...params.slice(0, axis), ...indices.slice(batchDims), ...params.slice(axis + 1)]];
  },
  create(node) {
    const { axis, batchDims } = gatherLayout(node);
    const { shape, dtype } = inputAt(node, 0);
    const batches = elementCount(shape.slice(0, batchDims));
    const outer = elementCount(shape.slice(batchDims, axis));
    const size = shape[axis];
    const inner = elementCount(shape.slice(axis + 1)) * unitsPerElement(dtype);
    return ([params, indicesView], [out]) => {
      const indices = integersOf(node, indicesView);
      for (const index of indices) requireIndex(node, index, size);
      const [from, to] = [elementsOf(params), writableElementsOf(out)];
      const perBatch = indices.length / Math.max(1, batches);
      let target = 0;
      for (let b = 0; b < batches; b++) {
        for (let o = 0; o < outer; o++) {
          const start = (b * outer + o) * size;
          for (let i = 0; i < perBatch; i++) {
            copyUnits(from, (start + indices[b * perBatch + i]) * inner, to, target, inner);
            target += inner;
          }
        }
      }
      storeElements(out, to);
    };
  },
};

/** Coordinates of slices in a tensor, from rows of `depth` indices. */
interface SliceAddresses {
  /** Offset of each slice in storage units. */
  readonly offsets: readonly number[];
  /** Storage units of one slice. */
  readonly length: number;
}

function sliceAddresses(
  node: KernelNode,
  indices: readonly number[],
  depth: number,
  shape: Shape,
  units: number,
): SliceAddresses {
  const strides = rowMajorStrides(shape);
  const length = elementCount(shape.slice(depth)) * units;
  const rows = depth === 0 ? 1 : indices.length / depth;
  const offsets = Array.from({ length: rows }, (_, row) => {
    let offset = 0;
    for (let k = 0; k < depth; k++) {
      const index = indices[row * depth + k];
      requireIndex(node, index, shape[k]);
      offset += index * strides[k];
    }
    return offset * units;
  });
  return { offsets, length };
}

/** The length of the index rows: the last size of the indices' shape. */
function indexDepth(node: KernelNode, indices: Shape, rank: number): number {
  const depth = indices.at(-1);
  if (depth !== undefined && depth <= rank) return depth;
  const found = `indices of shape ${formatShape(indices)}`;
  throw misshapen(node, found, `a last dimension of at most ${rank}`);
}

const GATHER_ND: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireType(node, inputAt(node, 1), INDEX_TYPES, "indices");
  },
  shapes(node) {
    const [params, indices] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
    const depth = indexDepth(node, indices, params.length);
    return [[...indices.slice(0, -1), ...params.slice(depth)]];
  },
  create: (node) => (inputs, outputs) => {
    const [params, indices] = [present(inputs[0]), present(inputs[1])];
    const depth = indexDepth(node, indices.shape, params.shape.length);
    const units = unitsPerElement(params.dtype);
    const rows = elementCount(indices.shape.slice(0, -1));
    const flat = integersOf(node, indices);
    const { offsets, length } = sliceAddresses(node, flat, depth, params.shape, units);
    const [from, to] = [elementsOf(params), elementsOf(outputs[0])];
    for (let row = 0; row < rows; row++) {
      copyUnits(from, offsets[depth === 0 ? 0 : row], to, row * length, length);
    }
  },
};

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
    requireSameType(node, inputAt(node, 2), inputAt(node, 3), "off value");
    requireSameType(node, inputAt(node, 2), outputAt(node, 0), "output");
  },
  shapes(node, known) {
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

/** Values of the keys that a sorted list has; zeros, and a 0 in `hits`, for the others. */
const HASHTABLE_LOOKUP: Kernel = {
  check(node) {
    requireOperands(node, [3, 3], 2);
    requireType(node, inputAt(node, 0), ["int32"], "lookup");
    requireType(node, inputAt(node, 1), ["int32"], "key");
    requireSameType(node, inputAt(node, 2), outputAt(node, 0), "output");
    requireType(node, outputAt(node, 1), ["uint8"], "hits");
  },
  shapes(node) {
    const [lookup, keys, values] = [0, 1, 2].map((i) => inputAt(node, i).shape);
    requireRank(node, lookup, [1, 1], "lookup");
    requireRank(node, keys, [1, 1], "keys");
    requireRank(node, values, [1, Infinity], "values");
    if (keys[0] !== values[0])
      throw misshapen(node, `${keys[0]} keys`, `${values[0]}, a value each`);
    return [[lookup[0], ...values.slice(1)], [lookup[0]]];
  },
  create: (node) => (inputs, outputs) => {
    const [lookup, keys] = [integersOf(node, inputs[0]), integersOf(node, inputs[1])];
    const places = new Map(keys.map((key, row) => [key, row]));
    const [values, out] = [elementsOf(inputs[2]), present(outputs[0])];
    const [to, hits] = [elementsOf(out), elementsOf(outputs[1])];
    const length = to.length / Math.max(1, lookup.length);
    lookup.forEach((key, i) => {
      const row = places.get(key);
      hits[i] = row === undefined ? 0 : 1;
      if (row === undefined) fillUnits(to, i * length, length, zeroOf(out.dtype));
      else copyUnits(values, row * length, to, i * length, length);
    });
  },
};

/**
 * Weighted sums (or means, or means by the root of the squared weights) of the embeddings that each row of a sparse
 * matrix of ids names. Operands: ids, their coordinates, the dense shape, weights, the table.
 */
const EMBEDDING_LOOKUP_SPARSE: Kernel = {
  check(node) {
    requireOperands(node, [5, 5]);
    for (const i of [0, 1, 2])
      requireType(node, inputAt(node, i), ["int32"], "ids and coordinates");
    requireType(node, inputAt(node, 3), ["float32"], "weights");
    requireType(node, inputAt(node, 4), ["float32"], "table");
    requireType(node, outputAt(node, 0), ["float32"], "output");
  },
  shapes(node, known) {
    const view = known(2);
    const [ids, coordinates, , weights, table] = [0, 1, 2, 3, 4].map((i) => inputAt(node, i).shape);
    requireRank(node, coordinates, [2, 2], "coordinates");
    requireRank(node, table, [2, Infinity], "table");
    if (ids.length !== 1 || coordinates[0] !== ids[0] || !sameShape(ids, weights)) {
      const found = `ids ${formatShape(ids)}, coordinates ${formatShape(coordinates)}, weights ${formatShape(weights)}`;
      throw misshapen(node, found, "one of each for every id");
    }
    if (view === undefined) return [undefined];
    const dense = integersOf(node, view);
    if (dense.length !== coordinates[1] || dense.some((size) => size < 0)) {
      throw misshapen(node, `dense shape ${formatShape(dense)}`, `${coordinates[1]} sizes`);
    }
    return [[...dense.slice(0, -1), ...table.slice(1)]];
  },
  create: (node) => (inputs, outputs) => {
    const ids = integersOf(node, inputs[0]);
    const dense = integersOf(node, inputs[2]);
    const coordinates = integersOf(node, inputs[1]);
    const weights = elementsOf(inputs[3]) as Elements<number>;
    const [table, out] = [present(inputs[4]), elementsOf(outputs[0]) as Elements<number>];
    const values = elementsOf(table) as Elements<number>;
    const length = elementCount(table.shape.slice(1));
    const strides = rowMajorStrides(dense.slice(0, -1));
    const rows = elementCount(dense.slice(0, -1));
    const totals = new Float64Array(rows);
    const { combiner } = optionsOf(node, "EmbeddingLookupSparseOptions");
    fillUnits(out, 0, out.length, 0);
    ids.forEach((id, i) => {
      requireIndex(node, id, table.shape[0]);
      let row = 0;
      strides.forEach((stride, k) => {
        const coordinate = coordinates[i * dense.length + k];
        requireIndex(node, coordinate, dense[k]);
        row += coordinate * stride;
      });
      for (let c = 0; c < length; c++)
        out[row * length + c] += weights[i] * values[id * length + c];
      totals[row] += combiner === "SQRTN" ? weights[i] ** 2 : weights[i];
    });
    if (combiner === "SUM") return;
    totals.forEach((total, row) => {
      const divisor = combiner === "SQRTN" ? Math.sqrt(total) : total;
      if (divisor === 0) return;
      for (let c = 0; c < length; c++) out[row * length + c] /= divisor;
    });
  },
};

export const GATHERING: KernelTable = {
  GATHER,
  GATHER_ND,
  SCATTER_ND,
  SPARSE_TO_DENSE,
  ONE_HOT,
  HASHTABLE_LOOKUP,
  EMBEDDING_LOOKUP_SPARSE,
};
