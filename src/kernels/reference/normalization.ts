/**
 * Operators that normalize along the last dimension: L2_NORMALIZATION, LOCAL_RESPONSE_NORMALIZATION, LOG_SOFTMAX.
 * Integer forms follow TensorFlow Lite 2.21 (kernels/l2norm.cc, activations.cc).
 */
import { roundHalfEven } from "../../base/rounding.ts";
import { elementCount } from "../../base/shape.ts";
import type { Kernel, KernelNode, KernelRun, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import {
  inputAt,
  outputAt,
  requireOperands,
  requireRank,
  requireSameType,
  requireType,
  unsupported,
} from "../require.ts";
import { clampRange } from "./activation.ts";
import { type Elements, numbersOf } from "./elements.ts";
import { multiplyByQuantizedMultiplier, quantizedRange } from "./fixed-point.ts";
import { inverseSquareRoot } from "./fixed-point-functions.ts";
import { quantizationOf } from "./unary.ts";

const { fround } = Math;

/** Computes one row: `depth` elements from `start` on, in both operands. */
type RowFunction = (x: Elements<number>, out: Elements<number>, start: number) => void;

/** A kernel of one operand that treats each row of the last dimension alike. */
function rowKernel(
  rowFor: (node: KernelNode, depth: number) => RowFunction | undefined,
  check: (node: KernelNode) => void = () => undefined,
): Kernel {
  return {
    check(node) {
      requireOperands(node, [1, 1]);
      requireSameType(node, inputAt(node, 0), outputAt(node, 0), "output");
      if (rowFor(node, 1) === undefined) throw unsupported(node, `on ${inputAt(node, 0).dtype}`);
      check(node);
    },
    shapes(node) {
      const { shape } = inputAt(node, 0);
      requireRank(node, shape, [1, Infinity], "input");
      return [shape];
    },
    create(node): KernelRun {
      const { shape } = inputAt(node, 0);
      const depth = shape[shape.length - 1];
      const rows = depth === 0 ? 0 : elementCount(shape) / depth;
      const row = rowFor(node, depth);
      if (row === undefined) throw unsupported(node, `on ${inputAt(node, 0).dtype}`);
      return (inputs, outputs) => {
        const [x, out] = [numbersOf(inputs[0]), numbersOf(outputs[0])];
        for (let r = 0; r < rows; r++) row(x, out, r * depth);
      };
    },
  };
}

/** x / max(‖x‖, 1e-6). */
function l2Row(node: KernelNode, depth: number): RowFunction | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype === "int8" || dtype === "uint8") return quantizedL2Row(node, dtype, depth);
  if (dtype !== "float32") return undefined;
  return (x, out, start) => {
    let sum = 0;
    for (let c = start; c < start + depth; c++) sum += x[c] * x[c];
    const norm = Math.max(fround(Math.sqrt(fround(sum))), 1e-6);
    for (let c = start; c < start + depth; c++) out[c] = x[c] / norm;
  };
}

/** The output has scale 2⁻⁷ and its zero point in the middle of the type. */
function quantizedL2Row(node: KernelNode, dtype: "int8" | "uint8", depth: number): RowFunction {
  const { from, to } = quantizationOf(node);
  const middle = dtype === "int8" ? 0 : 128;
  if (to.scale !== 1 / 128 || to.zeroPoint !== middle) {
    throw unsupported(
      node,
      `on ${dtype} with output scale ${to.scale}, zero point ${to.zeroPoint}`,
    );
  }
  const { min, max } = quantizedRange(dtype);
  return (x, out, start) => {
    let sum = 0;
    for (let c = start; c < start + depth; c++) sum += (x[c] - from.zeroPoint) ** 2;
    const root = inverseSquareRoot(sum);
    for (let c = start; c < start + depth; c++) {
      const value = x[c] - from.zeroPoint;
      const scaled =
        dtype === "int8"
          ? multiplyByQuantizedMultiplier(value, root.multiplier, root.shift + 7)
          : multiplyByQuantizedMultiplier(value * 128, root.multiplier, root.shift);
      out[c] = Math.max(min, Math.min(max, middle + scaled));
    }
  };
}

/** x · (bias + α·Σ x²)^(−β), the sum over the `radius` neighbours on either side. */
function localResponseRow(node: KernelNode, depth: number): RowFunction | undefined {
  if (inputAt(node, 0).dtype !== "float32") return undefined;
  const { radius, bias, alpha, beta } = optionsOf(node, "LocalResponseNormalizationOptions");
  return (x, out, start) => {
    for (let c = 0; c < depth; c++) {
      let sum = 0;
      const end = Math.min(depth, c + radius + 1);
      for (let k = Math.max(0, c - radius); k < end; k++) sum += x[start + k] ** 2;
      out[start + c] = x[start + c] * (bias + alpha * sum) ** -beta;
    }
  };
}

/** x − max − ln Σ e^(x − max). */
function logSoftmaxRow(node: KernelNode, depth: number): RowFunction | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype === "int8" || dtype === "uint8") return quantizedLogSoftmaxRow(node, dtype, depth);
  if (dtype !== "float32") return undefined;
  return (x, out, start) => {
    const largest = largestOf(x, start, depth);
    let sum = 0;
    for (let c = start; c < start + depth; c++) sum += Math.exp(x[c] - largest);
    const logSum = Math.log(sum);
    for (let c = start; c < start + depth; c++) out[c] = x[c] - largest - logSum;
  };
}

/** The exponentials come from a table of float32; the rest is float32 too, rounded to even at the end. */
function quantizedLogSoftmaxRow(
  node: KernelNode,
  dtype: "int8" | "uint8",
  depth: number,
): RowFunction {
  const { from, to } = quantizationOf(node);
  const { min, max } = quantizedRange(dtype);
  if (to.scale !== 1 / 16 || to.zeroPoint !== max) {
    throw unsupported(
      node,
      `on ${dtype} with output scale ${to.scale}, zero point ${to.zeroPoint}`,
    );
  }
  const powers = Float32Array.from({ length: 256 }, (_, d) => Math.exp(fround(-from.scale * d)));
  const rescale = fround(from.scale / to.scale);
  return (x, out, start) => {
    const largest = largestOf(x, start, depth);
    let sum = 0;
    for (let c = start; c < start + depth; c++) sum = fround(sum + powers[largest - x[c]]);
    const logSum = fround(Math.log(sum));
    const offset = fround(fround(fround(from.scale * largest) + logSum) / to.scale);
    for (let c = start; c < start + depth; c++) {
      const logProbability = fround(fround(rescale * x[c]) - offset);
      out[c] = Math.max(min, Math.min(max, roundHalfEven(logProbability) + to.zeroPoint));
    }
  };
}

function largestOf(x: Elements<number>, start: number, depth: number): number {
  let largest = -Infinity;
  for (let c = start; c < start + depth; c++) if (x[c] > largest) largest = x[c];
  return largest;
}

export const NORMALIZATION: KernelTable = {
  L2_NORMALIZATION: rowKernel(l2Row, (node) => {
    const { fused_activation_function } = optionsOf(node, "L2NormOptions");
    if (clampRange(node, fused_activation_function).max !== Infinity) {
      throw unsupported(node, `with fused activation ${fused_activation_function}`);
    }
  }),
  LOCAL_RESPONSE_NORMALIZATION: rowKernel(localResponseRow, (node) => {
    requireType(node, outputAt(node, 0), ["float32"], "output");
  }),
  LOG_SOFTMAX: rowKernel(logSoftmaxRow),
};
