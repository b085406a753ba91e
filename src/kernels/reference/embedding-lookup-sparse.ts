/** EMBEDDING_LOOKUP_SPARSE: embeddings combined by the rows of a sparse matrix of ids. */
import { elementCount, formatShape, sameShape } from "../../base/shape.ts";
import type { Kernel } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireRank,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { rowMajorStrides } from "./axes.ts";
import { type Elements, elementsOf, fillUnits, integersOf } from "./elements.ts";
import { requireIndex } from "./slice-addresses.ts";

/**
 * Weighted sums (or means, or means by the root of the squared weights) of the embeddings that each row of a sparse
 * matrix of ids names. Operands: ids, their coordinates, the dense shape, weights, the table.
 */
export const EMBEDDING_LOOKUP_SPARSE: Kernel = {
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
