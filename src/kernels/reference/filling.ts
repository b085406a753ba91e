/** Tensors made from a few values: FILL, RANGE, BUCKETIZE, ADD_N, MATRIX_DIAG, MATRIX_SET_DIAG. */
import { formatShape, sameShape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, ValueOf } from "../kernel.ts";
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
import {
  copyUnits,
  type Elements,
  elementsOf,
  fillUnits,
  fillWhole,
  integersOf,
  numbersOf,
  unitsPerElement,
  zeroOf,
} from "./elements.ts";

const FILL: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireType(node, inputAt(node, 0), ["int32", "int64"], "shape");
    requireSameType(node, inputAt(node, 1), outputAt(node, 0), "output");
    requireWholeBytes(node, outputAt(node, 0));
  },
  shapes(node, known) {
    requireRank(node, inputAt(node, 0).shape, [1, 1], "shape");
    requireRank(node, inputAt(node, 1).shape, [0, 0], "value");
    const view = known(0);
    if (view === undefined) return [undefined];
    const shape = integersOf(node, view);
    if (shape.some((size) => size < 0)) {
      throw misshapen(node, `shape ${formatShape(shape)}`, "sizes of 0 or more");
    }
    return [shape];
  },
  create: (node, { checkTime }) => {
    const units = unitsPerElement(inputAt(node, 1).dtype);
    return (inputs, outputs) => {
      fillWhole(elementsOf(outputs[0]), elementsOf(inputs[1]), units, checkTime);
    };
  },
};

/** Start, limit and step of RANGE as numbers, which int64 values must fit. */
function rangeOperands(node: KernelNode, known: ValueOf): number[] | undefined {
  const views = [0, 1, 2].map(known);
  if (views.includes(undefined)) return undefined;
  if (inputAt(node, 0).dtype === "float32") return views.map((view) => numbersOf(view)[0]);
  return views.map((view) => integersOf(node, view)[0]);
}

const RANGE: Kernel = {
  check(node) {
    requireOperands(node, [3, 3]);
    requireType(node, inputAt(node, 0), ["float32", "int32", "int64"], "start");
    requireSameType(node, inputAt(node, 0), inputAt(node, 1), "limit");
    requireSameType(node, inputAt(node, 0), inputAt(node, 2), "step");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes(node, known) {
    for (let i = 0; i < 3; i++) requireRank(node, inputAt(node, i).shape, [0, 0], "operand");
    const operands = rangeOperands(node, known);
    if (operands === undefined) return [undefined];
    const [start, limit, step] = operands;
    const count = Math.ceil(Math.abs((limit - start) / step));
    if (Number.isFinite(count) && step !== 0 && (limit - start) / step >= 0) return [[count]];
    throw misshapen(
      node,
      `a range from ${start} to ${limit} by ${step}`,
      "a step toward the limit",
    );
  },
  create: (node) => (inputs, outputs) => {
    const operands = rangeOperands(node, (i) => inputs[i]);
    if (operands === undefined) return;
    const [start, , step] = operands;
    const out = elementsOf(outputs[0]);
    const { dtype } = present(outputs[0]);
    for (let i = 0; i < out.length; i++) {
      const value = start + i * step;
      out[i] = dtype === "int64" ? BigInt(value) : value;
    }
  },
};

/** The number of boundaries (ascending) that are not above each element. */
const BUCKETIZE: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    const types = ["float32", "float64", "int32", "int64"] as const;
    requireType(node, inputAt(node, 0), types, "input");
    requireType(node, outputAt(node, 0), ["int32"], "output");
    const { boundaries = [] } = optionsOf(node, "BucketizeOptions");
    for (let i = 1; i < boundaries.length; i++) {
      if (boundaries[i] < boundaries[i - 1]) {
        throw misshapen(node, "boundaries out of order", "ascending ones");
      }
    }
  },
  shapes: (node) => [inputAt(node, 0).shape],
  create(node) {
    const { boundaries = [] } = optionsOf(node, "BucketizeOptions");
    return (inputs, outputs) => {
      const [x, out] = [elementsOf(inputs[0]), elementsOf(outputs[0])];
      for (let i = 0; i < out.length; i++) {
        const value = Number(x[i]);
        let low = 0;
        let high = boundaries.length;
        while (low < high) {
          const middle = (low + high) >> 1;
          if (value < boundaries[middle]) high = middle;
          else low = middle + 1;
        }
        out[i] = low;
      }
    };
  },
};

const ADD_N: Kernel = {
  check(node) {
    requireOperands(node, [2, Infinity]);
    requireType(node, outputAt(node, 0), ["float32", "int32"], "output");
    node.inputs.forEach((_, i) => {
      requireSameType(node, outputAt(node, 0), inputAt(node, i), "input");
    });
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    node.inputs.forEach((_, i) => {
      if (sameShape(shape, inputAt(node, i).shape)) return;
      throw misshapen(node, `input ${formatShape(inputAt(node, i).shape)}`, formatShape(shape));
    });
    return [shape];
  },
  create: () => (inputs, outputs) => {
    const out = numbersOf(outputs[0]);
    const terms = inputs.map(numbersOf);
    for (let i = 0; i < out.length; i++) {
      out[i] = terms[0][i];
      for (let k = 1; k < terms.length; k++) out[i] += terms[k][i];
    }
  },
};

/** Copies diagonals (one after the other) into matrices of any type; `units` storage units are an element. */
function writeDiagonals(
  diagonals: Elements,
  matrices: Elements,
  [rows, columns]: readonly number[],
  units: number,
): void {
  const length = Math.min(rows, columns);
  const count = length === 0 ? 0 : diagonals.length / (length * units);
  for (let m = 0; m < count; m++) {
    for (let k = 0; k < length; k++) {
      const place = (m * rows + k) * columns + k;
      copyUnits(diagonals, (m * length + k) * units, matrices, place * units, units);
    }
  }
}

const MATRIX_DIAG: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireWholeBytes(node, outputAt(node, 0));
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    requireRank(node, shape, [1, Infinity], "input");
    return [[...shape, shape[shape.length - 1]]];
  },
  create: (node) => (inputs, outputs) => {
    const { shape } = inputAt(node, 0);
    const size = shape[shape.length - 1];
    const { dtype } = present(outputs[0]);
    const out = elementsOf(outputs[0]);
    fillUnits(out, 0, out.length, zeroOf(dtype));
    writeDiagonals(elementsOf(inputs[0]), out, [size, size], unitsPerElement(dtype));
  },
};

const MATRIX_SET_DIAG: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireSameType(node, inputAt(node, 0), inputAt(node, 1), "diagonal");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireWholeBytes(node, outputAt(node, 0));
  },
  shapes(node) {
    const [shape, diagonal] = [inputAt(node, 0).shape, inputAt(node, 1).shape];
    requireRank(node, shape, [2, Infinity], "input");
    const wanted = [...shape.slice(0, -2), Math.min(...shape.slice(-2))];
    if (sameShape(diagonal, wanted)) return [shape];
    throw misshapen(node, `diagonal of shape ${formatShape(diagonal)}`, formatShape(wanted));
  },
  create: (node) => (inputs, outputs) => {
    const { shape } = inputAt(node, 0);
    const { dtype } = present(outputs[0]);
    const out: Elements = elementsOf(outputs[0]);
    copyUnits(elementsOf(inputs[0]), 0, out, 0, out.length);
    writeDiagonals(elementsOf(inputs[1]), out, shape.slice(-2), unitsPerElement(dtype));
  },
};

export const FILLING: KernelTable = {
  FILL,
  RANGE,
  BUCKETIZE,
  ADD_N,
  MATRIX_DIAG,
  MATRIX_SET_DIAG,
};
