/**
 * AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D on [batch, height, width, channels]. Padding does not count: averages
 * are over the elements inside. Quantized pools keep scale and zero point. TensorFlow Lite 2.21 kernels/pooling.cc.
 */
import type { DType } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import type { KernelContext, KernelNode, KernelRun, KernelTable, TensorView } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  badValue,
  inputAt,
  outputAt,
  perTensorQuantization,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
} from "../require.ts";
import { present } from "../views.ts";
import { type ClampRange, clampRange } from "./activation.ts";
import { quantizedActivationRange } from "./fixed-point.ts";
import { imageWindow, insideRange, type WindowAxis } from "./window.ts";

/** Folds a window channel by channel: `start`, then `add` for each element, then `finish`. */
interface PoolRule {
  readonly types: readonly DType[];
  readonly start: number;
  add(folded: number, value: number): number;
  /** `count`: elements of the window that lie inside the input. */
  finish(folded: number, count: number, isInteger: boolean): number;
}

const AVERAGE: PoolRule = {
  types: ["float32", "int8", "uint8", "int16"],
  start: 0,
  add: (sum, value) => sum + value,
  finish(sum, count, isInteger) {
    if (!isInteger) return sum / count;
    const half = Math.trunc(count / 2);
    return Math.trunc((sum + (sum > 0 ? half : -half)) / count);
  },
};

const MAX: PoolRule = {
  types: ["float32", "int8", "uint8", "int16"],
  start: -Infinity,
  add: (max, value) => (value > max ? value : max),
  finish: (max) => max,
};

const L2: PoolRule = {
  types: ["float32"],
  start: 0,
  add: (sum, value) => sum + value * value,
  finish: (sum, count) => Math.sqrt(sum / count),
};

/** Where the windows of a pool stand. */
export interface PoolGeometry {
  readonly batch: number;
  readonly rows: WindowAxis;
  readonly columns: WindowAxis;
  readonly channels: number;
}

/** The windows of a node. */
export function poolGeometry(node: KernelNode): PoolGeometry {
  const input = inputAt(node, 0).shape;
  requireRank(node, input, [4, 4], "input");
  const options = optionsOf(node, "Pool2DOptions");
  const [batch, height, width, channels] = input;
  const { filter_height, filter_width } = options;
  const window = imageWindow(node, options, [height, width], [filter_height, filter_width]);
  return { batch, ...window, channels };
}

/** What results are clamped to, as they are stored. */
export function poolRange(node: KernelNode): ClampRange {
  const { fused_activation_function: activation } = optionsOf(node, "Pool2DOptions");
  const output = outputAt(node, 0);
  const { dtype } = output;
  if (dtype !== "int8" && dtype !== "uint8" && dtype !== "int16") {
    return clampRange(node, activation);
  }
  const quantization =
    activation === "NONE"
      ? { scale: 1, zeroPoint: 0 }
      : perTensorQuantization(node, output, "output");
  return quantizedActivationRange(node, activation, dtype, quantization);
}

function createPool(node: KernelNode, rule: PoolRule, { checkTime }: KernelContext): KernelRun {
  const { batch, rows, columns, channels } = poolGeometry(node);
  const { min, max } = poolRange(node);
  const isInteger = inputAt(node, 0).dtype !== "float32";
  const folded = new Float64Array(channels);
  return ([input], [out]) => {
    const [from, to] = [numbers(input), numbers(out)];
    let at = 0;
    for (let b = 0; b < batch; b++) {
      for (let y = 0; y < rows.outputSize; y++) {
        checkTime();
        for (let x = 0; x < columns.outputSize; x++) {
          const count = foldWindow(b, y, x, from);
          for (let c = 0; c < channels; c++) {
            const value = rule.finish(folded[c], count, isInteger);
            to[at++] = Math.max(min, Math.min(max, value));
          }
        }
      }
    }
  };

  function foldWindow(b: number, y: number, x: number, from: ArrayLike<number>): number {
    const top = y * rows.stride - rows.padBefore;
    const left = x * columns.stride - columns.padBefore;
    const [firstRow, endRow] = insideRange(rows, top);
    const [firstColumn, endColumn] = insideRange(columns, left);
    const count = (endRow - firstRow) * (endColumn - firstColumn);
    if (count === 0)
      throw badValue(node, "a window with no element", "windows that meet the input");
    folded.fill(rule.start);
    for (let row = top + firstRow; row < top + endRow; row++) {
      const rowAt = (b * rows.inputSize + row) * columns.inputSize;
      for (let column = left + firstColumn; column < left + endColumn; column++) {
        const elementAt = (rowAt + column) * channels;
        for (let c = 0; c < channels; c++) folded[c] = rule.add(folded[c], from[elementAt + c]);
      }
    }
    return count;
  }
}

function numbers(view: TensorView | undefined): Float32Array | Int8Array {
  const { data } = present(view);
  assert(!Array.isArray(data), "numeric operand");
  return data as Float32Array | Int8Array;
}

function poolKernel(rule: PoolRule): KernelTable[string] {
  return {
    check(node) {
      requireOperands(node, [1, 1]);
      requireType(node, inputAt(node, 0), rule.types, "input");
      requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
      poolRange(node);
    },
    shapes(node) {
      const { batch, rows, columns, channels } = poolGeometry(node);
      return [[batch, rows.outputSize, columns.outputSize, channels]];
    },
    create: (node, context) => createPool(node, rule, context),
  };
}

export const POOL: KernelTable = {
  AVERAGE_POOL_2D: poolKernel(AVERAGE),
  MAX_POOL_2D: poolKernel(MAX),
  L2_POOL_2D: poolKernel(L2),
};
