/**
 * Looking up slices by index or key: GATHER, GATHER_ND, HASHTABLE_LOOKUP. An index outside its tensor is an error, never
 * a read there.
 */
import { elementCount, formatShape, sameShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
  requireWholeBytes,
} from "../require.ts";
import { present } from "../views.ts";
import { resolveAxis } from "./axes.ts";
import {
  copyUnits,
  elementsOf,
  fillUnits,
  integersOf,
  storeElements,
  unitsPerElement,
  writableElementsOf,
  zeroOf,
} from "./elements.ts";
import { indexDepth, requireIndex, sliceAddresses } from "./slice-addresses.ts";

const INDEX_TYPES = ["int32", "int64", "int16"] as const;

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

const GATHER_ND: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireWholeBytes(node, outputAt(node, 0));
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

/** Values of the keys that a sorted list has; zeros, and a 0 in `hits`, for the others. */
const HASHTABLE_LOOKUP: Kernel = {
  check(node) {
    requireOperands(node, [3, 3], 2);
    requireType(node, inputAt(node, 0), ["int32"], "lookup");
    requireType(node, inputAt(node, 1), ["int32"], "key");
    requireSameType(node, inputAt(node, 2), outputAt(node, 0), "output");
    requireType(node, outputAt(node, 1), ["uint8"], "hits");
    requireWholeBytes(node, outputAt(node, 0));
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

export const GATHERING: KernelTable = { GATHER, GATHER_ND, HASHTABLE_LOOKUP };
