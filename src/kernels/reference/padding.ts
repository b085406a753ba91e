/** PAD and PADV2: the input surrounded by a constant. On quantized types the constant 0 is the output's zero point. */
import { formatShape, type Shape } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelTable, TensorView } from "../kernel.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireSameType,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { rowMajorStrides } from "./axes.ts";
import {
  copyUnits,
  type Elements,
  elementsOf,
  fillUnits,
  integersOf,
  isQuantized,
  storeElements,
  unitsPerElement,
  writableElementsOf,
  zeroOf,
} from "./elements.ts";

/** Elements in front of an axis and behind it. */
export type Padding = readonly [before: number, after: number];

/** The paddings of each axis, from an operand of shape [rank, 2]. */
export function paddingsOf(node: KernelNode, view: TensorView, rank: number): Padding[] {
  const values = integersOf(node, view);
  const shapeFits = view.shape.length === 2 && view.shape[0] === rank && view.shape[1] === 2;
  if (!shapeFits || values.some((value) => value < 0)) {
    const found = `paddings ${formatShape(values)} of shape ${formatShape(view.shape)}`;
    throw misshapen(node, found, `[${rank}, 2] numbers of 0 or more`);
  }
  return Array.from({ length: rank }, (_, axis) => [values[2 * axis], values[2 * axis + 1]]);
}

/** The shape with the paddings of each axis. */
export function paddedShape(shape: Shape, paddings: readonly Padding[]): Shape {
  return shape.map((size, axis) => paddings[axis][0] + size + paddings[axis][1]);
}

const INDEX_TYPES = ["int32", "int64", "int16", "int8"] as const;

/** Requires a tensor, its paddings, and a constant where there may be a third operand. */
export function checkPadding(node: KernelNode, inputs: number): void {
  requireOperands(node, [inputs === 3 ? 2 : inputs, inputs]);
  requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  requireType(node, inputAt(node, 1), INDEX_TYPES, "paddings");
}

/** What PAD fills with: the third operand, or what stands for 0. */
export function fillValue(node: KernelNode, constant: TensorView | undefined): unknown {
  if (constant !== undefined) return elementsOf(constant)[0];
  const output = outputAt(node, 0);
  const quantizable =
    output.dtype === "int8" || output.dtype === "uint8" || output.dtype === "int16";
  if (quantizable && isQuantized(output)) {
    return perTensorQuantization(node, output, "output").zeroPoint;
  }
  return zeroOf(output.dtype);
}

/** Copies the input's rows to their place inside the output. */
function copyInside(
  input: TensorView,
  from: Elements,
  to: Elements,
  outShape: Shape,
  paddings: readonly Padding[],
): void {
  const units = unitsPerElement(input.dtype);
  const { shape } = input;
  const rank = shape.length;
  const strides = rowMajorStrides(outShape);
  const rowLength = rank === 0 ? 1 : shape[rank - 1];
  const counter = new Array<number>(rank).fill(0);
  let target = 0;
  paddings.forEach(([before], axis) => {
    target += before * strides[axis];
  });
  for (let at = 0; at < from.length; at += rowLength * units) {
    copyUnits(from, at, to, target * units, rowLength * units);
    for (let axis = rank - 2; axis >= 0; axis--) {
      target += strides[axis];
      if (++counter[axis] < shape[axis]) break;
      target -= strides[axis] * shape[axis];
      counter[axis] = 0;
    }
  }
}

const PAD: Kernel = {
  check(node) {
    checkPadding(node, 3);
    const constant = node.inputs[2];
    if (constant !== undefined) requireSameType(node, inputAt(node, 0), constant, "constant");
  },
  shapes(node, known) {
    const view = known(1);
    if (view === undefined) return [undefined];
    const constant = node.inputs[2];
    if (constant?.shape.some((size) => size !== 1)) {
      throw misshapen(node, `constant of shape ${formatShape(constant.shape)}`, "one element");
    }
    const { shape } = inputAt(node, 0);
    return [paddedShape(shape, paddingsOf(node, view, shape.length))];
  },
  create: (node) => (inputs, outputs) => {
    const [input, out] = [present(inputs[0]), present(outputs[0])];
    const paddings = paddingsOf(node, present(inputs[1]), input.shape.length);
    const to = writableElementsOf(out);
    fillUnits(to, 0, to.length, fillValue(node, inputs[2]));
    copyInside(input, elementsOf(input), to, out.shape, paddings);
    storeElements(out, to);
  },
};

export const PADDING: KernelTable = { PAD, PADV2: PAD };
