/**
 * Operators that give the same elements another shape (RESHAPE, SQUEEZE, EXPAND_DIMS, BITCAST) or none (DENSIFY), or speak
 * of shapes only (SHAPE, RANK, ZEROS_LIKE, BROADCAST_ARGS).
 */
import { bitsOf, bytesOf, type DType, type TypedArray } from "../../base/dtype.ts";
import { elementCount, formatShape, type Shape } from "../../base/shape.ts";
import type {
  Kernel,
  KernelContext,
  KernelNode,
  KernelRun,
  KernelTable,
  ValueOf,
} from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  badValue,
  inputAt,
  misshapen,
  outputAt,
  requireOperands,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { present } from "../views.ts";
import { resolveAxes, resolveAxis } from "./axes.ts";
import { broadcastShape } from "./broadcast.ts";
import { copyWhole, elementsOf, fillUnits, integersOf, zeroOf } from "./elements.ts";

/** Copies the first input's storage, whatever is in it. */
const copy = (_: KernelNode, { checkTime }: KernelContext): KernelRun => {
  return (inputs, outputs) => {
    copyWhole(present(inputs[0]).data, present(outputs[0]).data, checkTime);
  };
};

/** The shape that RESHAPE is asked for: from its second operand, or from its options where it has none. */
function requestedShape(node: KernelNode, known: ValueOf): readonly number[] | undefined {
  const operand = node.inputs[1];
  if (operand !== undefined) {
    const view = known(1);
    return view && integersOf(node, view);
  }
  const shape = optionsOf(node, "ReshapeOptions").new_shape ?? outputAt(node, 0).shape;
  // Old converters wrote [0] for a scalar.
  return shape.length === 1 && shape[0] === 0 ? [] : shape;
}

/** Fills in the one size that is −1, and requires the element count to stay. */
function completeShape(node: KernelNode, requested: readonly number[], count: number): Shape {
  const open = requested.indexOf(-1);
  let known = 1;
  requested.forEach((size, axis) => {
    if (axis !== open) known *= size;
  });
  const shape = open < 0 ? requested : requested.with(open, known === 0 ? 0 : count / known);
  if (shape.every((size) => Number.isInteger(size) && size >= 0) && elementCount(shape) === count) {
    return shape;
  }
  throw misshapen(node, `shape ${formatShape(requested)}`, `one of ${count} elements`);
}

const RESHAPE: Kernel = {
  check(node) {
    requireOperands(node, [1, 2]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    if (node.inputs[1] !== undefined) requireType(node, inputAt(node, 1), ["int32"], "shape");
  },
  shapes(node, known) {
    const requested = requestedShape(node, known);
    const count = elementCount(inputAt(node, 0).shape);
    return [requested && completeShape(node, requested, count)];
  },
  create: copy,
};

const SQUEEZE: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes(node) {
    const { shape } = inputAt(node, 0);
    const { squeeze_dims = [] } = optionsOf(node, "SqueezeOptions");
    if (squeeze_dims.length === 0) return [shape.filter((size) => size !== 1)];
    const axes = resolveAxes(node, squeeze_dims, shape.length);
    for (const axis of axes) {
      if (shape[axis] !== 1) {
        throw misshapen(node, `size ${shape[axis]} of axis ${axis}`, "1, to be squeezed");
      }
    }
    return [shape.filter((_, axis) => !axes.includes(axis))];
  },
  create: copy,
};

const EXPAND_DIMS: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
    requireType(node, inputAt(node, 1), ["int32", "int64"], "axis");
  },
  shapes(node, known) {
    const view = known(1);
    if (view === undefined) return [undefined];
    const { shape } = inputAt(node, 0);
    const values = integersOf(node, view);
    if (values.length !== 1) throw misshapen(node, `${values.length} axes`, "one");
    const axis = resolveAxis(node, values[0], shape.length + 1);
    return [shape.toSpliced(axis, 0, 1)];
  },
  create: copy,
};

/** Copies: the constant has been made dense when the model was loaded. */
const DENSIFY: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    requireType(node, inputAt(node, 0), ["float32", "float16", "int8"], "input");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes: (node) => [inputAt(node, 0).shape],
  create: copy,
};

const BITCAST: Kernel = {
  check(node) {
    requireOperands(node, [1, 1]);
    for (const { dtype } of [inputAt(node, 0), outputAt(node, 0)]) {
      if ((bitsOf(dtype) ?? 0) < 8) throw unsupported(node, `on ${dtype}`);
    }
  },
  shapes(node) {
    const { shape, dtype } = inputAt(node, 0);
    const [from, to] = [bitsOf(dtype) ?? 1, bitsOf(outputAt(node, 0).dtype) ?? 1];
    if (from === to) return [shape];
    if (from > to) return [[...shape, from / to]];
    if (shape.at(-1) !== to / from) {
      throw misshapen(node, `shape ${formatShape(shape)}`, `a last dimension of ${to / from}`);
    }
    return [shape.slice(0, -1)];
  },
  create: () => (inputs, outputs) => {
    const from = bytesOf(present(inputs[0]).data as TypedArray);
    bytesOf(present(outputs[0]).data as TypedArray).set(from);
  },
};

const SHAPE: Kernel = {
  readsOnlyShapes: true,
  check(node) {
    requireOperands(node, [1, 1]);
    const { out_type } = optionsOf(node, "ShapeOptions");
    const wanted: DType = out_type === "INT64" ? "int64" : "int32";
    requireType(node, outputAt(node, 0), [wanted], "output");
  },
  shapes: (node) => [[inputAt(node, 0).shape.length]],
  create: () => (inputs, outputs) => {
    const out = elementsOf(outputs[0]);
    const wide = present(outputs[0]).dtype === "int64";
    present(inputs[0]).shape.forEach((size, axis) => {
      out[axis] = wide ? BigInt(size) : size;
    });
  },
};

const RANK: Kernel = {
  readsOnlyShapes: true,
  check(node) {
    requireOperands(node, [1, 1]);
    inputAt(node, 0);
    requireType(node, outputAt(node, 0), ["int32"], "output");
  },
  shapes: () => [[]],
  create: () => (inputs, outputs) => {
    elementsOf(outputs[0])[0] = present(inputs[0]).shape.length;
  },
};

const ZEROS_LIKE: Kernel = {
  readsOnlyShapes: true,
  check(node) {
    requireOperands(node, [1, 1]);
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes: (node) => [inputAt(node, 0).shape],
  create: () => (_, outputs) => {
    const { data, dtype } = present(outputs[0]);
    fillUnits(data, 0, data.length, zeroOf(dtype));
  },
};

/** The shape that two shapes, given as tensors, broadcast to. */
const BROADCAST_ARGS: Kernel = {
  check(node) {
    requireOperands(node, [2, 2]);
    requireType(node, inputAt(node, 0), ["int32", "int64"], "input");
    requireSameType(node, inputAt(node, 0), inputAt(node, 1), "second input");
    requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
  },
  shapes(node) {
    const ranks = [inputAt(node, 0).shape, inputAt(node, 1).shape].map((shape) => {
      if (shape.length === 1) return shape[0];
      throw misshapen(node, `shape ${formatShape(shape)} of a list of sizes`, "rank 1");
    });
    return [[Math.max(...ranks)]];
  },
  create: (node) => (inputs, outputs) => {
    const shapes = [integersOf(node, inputs[0]), integersOf(node, inputs[1])];
    if (shapes.flat().some((size) => size < 0)) {
      throw badValue(node, `sizes ${shapes.map(formatShape).join(" and ")}`, "sizes of 0 or more");
    }
    const out = elementsOf(outputs[0]);
    const wide = present(outputs[0]).dtype === "int64";
    broadcastShape(node, shapes).forEach((size, axis) => {
      out[axis] = wide ? BigInt(size) : size;
    });
  },
};

export const RESHAPING: KernelTable = {
  RESHAPE,
  SQUEEZE,
  EXPAND_DIMS,
  DENSIFY,
  BITCAST,
  SHAPE,
  RANK,
  ZEROS_LIKE,
  BROADCAST_ARGS,
};
