/**
 * Putting tensors together along an axis and taking them apart: CONCATENATION, PACK, UNPACK, SPLIT, SPLIT_V. Elements are
 * copied as they are; only a uint8 CONCATENATION may bring its operands to another scale.
 */
import { roundHalfAway } from "../../base/rounding.ts";
import { formatShape, type Shape, sameShape } from "../../base/shape.ts";
import type {
  Kernel,
  KernelNode,
  KernelTable,
  OutputView,
  TensorInfo,
  TensorView,
  ValueOf,
} from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  misshapen,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { present } from "../views.ts";
import { clampRange } from "./activation.ts";
import { resolveAxis, splitAt } from "./axes.ts";
import {
  copyUnits,
  type Elements,
  elementsOf,
  integersOf,
  isQuantized,
  storeElements,
  unitsPerElement,
  writableElementsOf,
} from "./elements.ts";

/** Copies parts into a whole, or a whole into its parts, along one axis. `sizes` are the parts' along it. */
function moveParts(
  whole: { readonly outer: number; readonly inner: number },
  sizes: readonly number[],
  move: (part: number, partStart: number, wholeStart: number, count: number) => void,
): void {
  let total = 0;
  for (const size of sizes) total += size;
  for (let o = 0; o < whole.outer; o++) {
    let position = o * total;
    sizes.forEach((size, part) => {
      move(part, o * size * whole.inner, position * whole.inner, size * whole.inner);
      position += size;
    });
  }
}

function gatherParts(
  inputs: readonly (TensorView | undefined)[],
  output: OutputView | undefined,
  axis: number,
  sizes: readonly number[],
  partElements: (view: TensorView | undefined, index: number) => Elements = elementsOf,
): void {
  const out = present(output);
  const target = writableElementsOf(out);
  const parts = inputs.map(partElements);
  const units = unitsPerElement(out.dtype);
  const { outer, inner } = splitAt(out.shape, axis);
  moveParts({ outer, inner: inner * units }, sizes, (part, from, to, count) => {
    copyUnits(parts[part], from, target, to, count);
  });
  storeElements(out, target);
}

function scatterParts(
  input: TensorView | undefined,
  outputs: readonly OutputView[],
  axis: number,
  sizes: readonly number[],
): void {
  const { shape, dtype } = present(input);
  const source = elementsOf(input);
  const targets = outputs.map(writableElementsOf);
  const { outer, inner } = splitAt(shape, axis);
  moveParts({ outer, inner: inner * unitsPerElement(dtype) }, sizes, (part, to, from, count) => {
    copyUnits(source, from, targets[part], to, count);
  });
  outputs.forEach((output, part) => {
    storeElements(output, targets[part]);
  });
}

/** A function that brings operand `index` of a CONCATENATION to the output's scale; undefined where it has it already. */
function rescaling(
  node: KernelNode,
  input: TensorInfo,
): ((from: Elements<number>) => Elements<number>) | undefined {
  const output = outputAt(node, 0);
  if (input.dtype !== "uint8" || !isQuantized(output)) return undefined;
  const from = perTensorQuantization(node, input, "input");
  const to = perTensorQuantization(node, output, "output");
  if (from.scale === to.scale && from.zeroPoint === to.zeroPoint) return undefined;
  const { fround } = Math;
  const scale = fround(from.scale * fround(1 / to.scale));
  const bias = fround(-from.zeroPoint * scale);
  return (values) =>
    Uint8ClampedArray.from(
      values,
      (q) => roundHalfAway(fround(fround(q * scale) + bias)) + to.zeroPoint,
    );
}

const CONCATENATION: Kernel = {
  check(node) {
    requireOperands(node, [1, Infinity]);
    const first = inputAt(node, 0);
    const output = outputAt(node, 0);
    requireSameType(node, first, output, "output");
    const { fused_activation_function } = optionsOf(node, "ConcatenationOptions");
    if (clampRange(node, fused_activation_function).max !== Infinity) {
      throw unsupported(node, `with fused activation ${fused_activation_function}`);
    }
    node.inputs.forEach((_, i) => {
      const input = inputAt(node, i);
      requireSameType(node, first, input, "inputs");
      if (input.dtype === "uint8" || !isQuantized(input) || !isQuantized(output)) return;
      const from = perTensorQuantization(node, input, "input");
      const to = perTensorQuantization(node, output, "output");
      if (from.scale !== to.scale || from.zeroPoint !== to.zeroPoint) {
        throw unsupported(node, `on ${input.dtype} operands of different scales`);
      }
    });
  },
  shapes(node) {
    const first = inputAt(node, 0).shape;
    const axis = resolveAxis(node, optionsOf(node, "ConcatenationOptions").axis, first.length);
    let size = 0;
    node.inputs.forEach((_, i) => {
      const { shape } = inputAt(node, i);
      const fits =
        shape.length === first.length && sameShape(first.with(axis, 0), shape.with(axis, 0));
      if (!fits) {
        const found = `operands of shapes ${formatShape(first)} and ${formatShape(shape)}`;
        throw misshapen(node, found, `shapes equal but for axis ${axis}`);
      }
      size += shape[axis];
    });
    return [first.with(axis, size)];
  },
  create(node) {
    const rank = inputAt(node, 0).shape.length;
    const axis = resolveAxis(node, optionsOf(node, "ConcatenationOptions").axis, rank);
    const rescale = node.inputs.map((_, i) => rescaling(node, inputAt(node, i)));
    return (inputs, [out]) => {
      const sizes = inputs.map((view) => present(view).shape[axis]);
      gatherParts(inputs, out, axis, sizes, (view, i) => {
        const elements = elementsOf(view);
        return rescale[i]?.(elements as Elements<number>) ?? elements;
      });
    };
  },
};

/** The shape with a new axis of the given size in it. */
function withAxis(shape: Shape, axis: number, size: number): Shape {
  return shape.toSpliced(axis, 0, size);
}

function withoutAxis(shape: Shape, axis: number): Shape {
  return shape.toSpliced(axis, 1);
}

const PACK: Kernel = {
  check(node) {
    requireOperands(node, [1, Infinity]);
    node.inputs.forEach((_, i) => {
      requireSameType(node, outputAt(node, 0), inputAt(node, i), "inputs");
    });
    const { values_count } = optionsOf(node, "PackOptions");
    if (values_count !== node.inputs.length) {
      throw misshapen(node, `${node.inputs.length} inputs`, `${values_count}, as the options say`);
    }
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    const axis = resolveAxis(node, optionsOf(node, "PackOptions").axis, shape.length + 1);
    node.inputs.forEach((_, i) => {
      const other = inputAt(node, i).shape;
      if (sameShape(shape, other)) return;
      throw misshapen(
        node,
        `operands ${formatShape(shape)} and ${formatShape(other)}`,
        "one shape",
      );
    });
    return [withAxis(shape, axis, node.inputs.length)];
  },
  create(node) {
    const rank = inputAt(node, 0).shape.length;
    const axis = resolveAxis(node, optionsOf(node, "PackOptions").axis, rank + 1);
    return (inputs, [out]) => {
      gatherParts(inputs, out, axis, new Array<number>(inputs.length).fill(1));
    };
  },
};

const UNPACK: Kernel = {
  check(node) {
    const { num } = optionsOf(node, "UnpackOptions");
    requireOperands(node, [1, 1], num);
    for (const output of node.outputs) requireSameType(node, inputAt(node, 0), output, "output");
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    const axis = resolveAxis(node, optionsOf(node, "UnpackOptions").axis, shape.length);
    if (shape[axis] !== node.outputs.length) {
      throw misshapen(
        node,
        `size ${shape[axis]} of axis ${axis}`,
        `${node.outputs.length} outputs`,
      );
    }
    return node.outputs.map(() => withoutAxis(shape, axis));
  },
  create(node) {
    const rank = inputAt(node, 0).shape.length;
    const axis = resolveAxis(node, optionsOf(node, "UnpackOptions").axis, rank);
    return ([input], outputs) => {
      scatterParts(input, outputs, axis, new Array<number>(outputs.length).fill(1));
    };
  },
};

/** Where SPLIT and SPLIT_V keep their operands, and how they size the parts. */
interface SplitLayout {
  readonly inputCount: number;
  readonly value: number;
  readonly axis: number;
  readonly sizes: (node: KernelNode, total: number, known: ValueOf) => number[] | undefined;
}

function equalParts(node: KernelNode, total: number): number[] {
  const count = node.outputs.length;
  if (total % count !== 0) {
    throw misshapen(node, `an axis of size ${total}`, `a multiple of ${count} outputs`);
  }
  return new Array<number>(count).fill(total / count);
}

/** Sizes from the second operand; one of them may be −1 and takes what is left. */
function givenParts(node: KernelNode, total: number, known: ValueOf): number[] | undefined {
  const view = known(1);
  if (view === undefined) return undefined;
  const sizes = integersOf(node, view);
  const open = sizes.indexOf(-1);
  let sum = 0;
  for (const size of sizes) sum += Math.max(0, size);
  if (open >= 0) sizes[open] = total - sum;
  const valid = sizes.length === node.outputs.length && sizes.every((size) => size >= 0);
  if (!valid || (open < 0 && sum !== total)) {
    const found = `part sizes ${formatShape(integersOf(node, view))}`;
    throw misshapen(node, found, `${node.outputs.length} sizes that sum to ${total}`);
  }
  return sizes;
}

function splitKernel(layout: SplitLayout): Kernel {
  const axisOf = (node: KernelNode, view: TensorView | undefined): number => {
    const [axis] = integersOf(node, view);
    return resolveAxis(node, axis, inputAt(node, layout.value).shape.length);
  };
  return {
    check(node) {
      const count = node.outputs.length;
      requireOperands(node, [layout.inputCount, layout.inputCount], Math.max(1, count));
      requireType(node, inputAt(node, layout.axis), ["int32"], "axis");
      for (const output of node.outputs) {
        requireSameType(node, inputAt(node, layout.value), output, "output");
      }
    },
    shapes(node, known) {
      const axisView = known(layout.axis);
      if (axisView === undefined) return node.outputs.map(() => undefined);
      const { shape } = inputAt(node, layout.value);
      const axis = axisOf(node, axisView);
      const sizes = layout.sizes(node, shape[axis], known);
      return node.outputs.map((_, i) => sizes && shape.with(axis, sizes[i]));
    },
    create: (node) => (inputs, outputs) => {
      const axis = axisOf(node, inputs[layout.axis]);
      const value = present(inputs[layout.value]);
      const sizes = layout.sizes(node, value.shape[axis], (i) => inputs[i]);
      if (sizes !== undefined) scatterParts(value, outputs, axis, sizes);
    },
  };
}

export const JOINING: KernelTable = {
  CONCATENATION,
  PACK,
  UNPACK,
  SPLIT: splitKernel({ inputCount: 2, value: 1, axis: 0, sizes: equalParts }),
  SPLIT_V: splitKernel({ inputCount: 3, value: 0, axis: 2, sizes: givenParts }),
};
