/**
 * Activation functions that are operators of their own: RELU and its kin, LEAKY_RELU, PRELU, ELU, GELU, HARD_SWISH,
 * LOGISTIC, TANH. Integer forms follow TensorFlow Lite 2.21 (kernels/activations.cc and the headers it uses).
 */
import { roundHalfAway } from "../../base/rounding.ts";
import type { Kernel, KernelNode, KernelTable } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, misshapen, outputAt, perTensorQuantization, unsupported } from "../require.ts";
import { broadcastShape } from "./broadcast.ts";
import { erfc } from "./erf.ts";
import {
  multiplyByQuantizedMultiplier,
  type QuantizedMultiplier,
  quantizedRange,
  quantizeMultiplier,
} from "./fixed-point.ts";
import { type HalfFormat, halfFormat, halfFunction } from "./half.ts";
import { hardSwishKernel } from "./hard-swish.ts";
import type { IntegerFunction } from "./lookup-table.ts";
import { type Pair, pairKernel } from "./pairwise.ts";
import { int16Logistic, int16Tanh } from "./sigmoid-table.ts";
import { byTable, elementKernel, quantizationOf, requireSymmetric, type Single } from "./unary.ts";

const { fround } = Math;
type QuantizedType = "int8" | "uint8" | "int16";

function quantizedTypeOf(node: KernelNode): QuantizedType | undefined {
  const { dtype } = inputAt(node, 0);
  return dtype === "int8" || dtype === "uint8" || dtype === "int16" ? dtype : undefined;
}

/** Fixed-point form of a factor that may be negative. */
function signedMultiplier(real: number): QuantizedMultiplier {
  const { multiplier, shift } = quantizeMultiplier(Math.abs(real));
  return { multiplier: real < 0 ? -multiplier : multiplier, shift };
}

/** A clamp to [low, high] on floats; on integers a requantization with the bounds in the output's scale. */
function rectifier(low: number, high: number, types: readonly QuantizedType[]): Kernel {
  return elementKernel((node) => {
    if (inputAt(node, 0).dtype === "float32") {
      return (x: number) => (x > high ? high : x < low ? low : x);
    }
    const dtype = quantizedTypeOf(node);
    if (dtype === undefined || !types.includes(dtype)) return undefined;
    return quantizedRectifier(node, dtype, low, high);
  });
}

function quantizedRectifier(
  node: KernelNode,
  dtype: QuantizedType,
  low: number,
  high: number,
): IntegerFunction {
  if (dtype === "int16") requireSymmetric(node);
  const { from, to } = quantizationOf(node);
  const { min, max } = quantizedRange(dtype);
  const bound = (real: number) => to.zeroPoint + roundHalfAway(fround(real / to.scale));
  const lowest = Math.max(min, bound(low));
  const highest = high === Infinity ? max : Math.min(max, bound(high));
  const { multiplier, shift } = quantizeMultiplier(fround(from.scale / to.scale));
  return (q) => {
    const scaled = multiplyByQuantizedMultiplier(q - from.zeroPoint, multiplier, shift);
    return Math.min(highest, Math.max(lowest, to.zeroPoint + scaled));
  };
}

/** x for x ≥ 0, else α·x; in fixed point each side has a multiplier of its own. */
function leakyRectifier(node: KernelNode): Single | undefined {
  const alpha = fround(optionsOf(node, "LeakyReluOptions").alpha);
  if (inputAt(node, 0).dtype === "float32") return (x: number) => (x > 0 ? x : x * alpha);
  const dtype = quantizedTypeOf(node);
  if (dtype === undefined) return undefined;
  if (dtype === "int16") requireSymmetric(node);
  const { from, to } = quantizationOf(node);
  const { min, max } = quantizedRange(dtype);
  const above = quantizeMultiplier(fround(from.scale / to.scale));
  const below = signedMultiplier(fround(fround(from.scale * alpha) / to.scale));
  return (q: number) => {
    const value = q - from.zeroPoint;
    const { multiplier, shift } = value >= 0 ? above : below;
    const scaled = multiplyByQuantizedMultiplier(value, multiplier, shift);
    return Math.min(max, Math.max(min, to.zeroPoint + scaled));
  };
}

/** x for x ≥ 0, else α·x with α an operand that broadcasts to x. */
function parametricPair(node: KernelNode): Pair | undefined {
  const dtype = quantizedTypeOf(node);
  if (inputAt(node, 0).dtype === "float32") {
    return (x: number, alpha: number) => (x >= 0 ? x : x * alpha);
  }
  if (dtype === undefined) return undefined;
  const { from, to } = quantizationOf(node);
  const slope = perTensorQuantization(node, inputAt(node, 1), "alpha");
  const { min, max } = quantizedRange(dtype);
  const above = quantizeMultiplier(fround(from.scale / to.scale));
  const below = quantizeMultiplier(fround(fround(from.scale * slope.scale) / to.scale));
  return (q: number, alpha: number) => {
    const value = q - from.zeroPoint;
    const scaled =
      value >= 0
        ? multiplyByQuantizedMultiplier(value, above.multiplier, above.shift)
        : multiplyByQuantizedMultiplier(
            value * (alpha - slope.zeroPoint),
            below.multiplier,
            below.shift,
          );
    return Math.min(max, Math.max(min, to.zeroPoint + scaled));
  };
}

function parametricKernel(): Kernel {
  const kernel = pairKernel(parametricPair);
  return {
    ...kernel,
    shapes(node, known, subgraph) {
      const { shape } = inputAt(node, 0);
      const out = broadcastShape(node, [shape, inputAt(node, 1).shape]);
      if (out.length !== shape.length || out.some((size, axis) => size !== shape[axis])) {
        throw misshapen(node, "an alpha larger than the input", "one that broadcasts to the input");
      }
      return kernel.shapes(node, known, subgraph);
    },
  };
}

const ROOT_HALF = fround(Math.SQRT1_2);
const ROOT_2_OVER_PI = Math.sqrt(2 / Math.PI);

function gelu(node: KernelNode): Single | undefined {
  const { approximate } = optionsOf(node, "GeluOptions");
  const f = approximate
    ? (x: number) => 0.5 * x * (1 + fround(Math.tanh(ROOT_2_OVER_PI * (x + 0.044715 * x ** 3))))
    : (x: number) => 0.5 * x * erfc(-x * ROOT_HALF);
  return inputAt(node, 0).dtype === "float32" ? f : byTable(node, ["int8", "uint8", "int16"], f);
}

function exponentialLinear(node: KernelNode): Single | undefined {
  const f = (x: number) => (x < 0 ? Math.expm1(x) : x);
  return inputAt(node, 0).dtype === "float32" ? f : byTable(node, ["int8"], f);
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** e^x / (1 + e^x) on floats of 16 bits, which round at every step; 1 where e^x is beyond them. */
function halfSigmoid({ read, store }: HalfFormat): (bits: number) => number {
  return (bits) => {
    const power = read(store(Math.exp(read(bits))));
    return store(power === Infinity ? 1 : power / read(store(1 + power)));
  };
}

/** Requires the scale that the integer forms of LOGISTIC and TANH have built in. */
function requireOutputScale(node: KernelNode, scale: number): void {
  const { to } = quantizationOf(node);
  if (to.scale === scale) return;
  throw unsupported(node, `on ${outputAt(node, 0).dtype} with output scale ${to.scale}`);
}

function logistic(node: KernelNode): Single | undefined {
  const dtype = quantizedTypeOf(node);
  if (dtype !== undefined) requireOutputScale(node, dtype === "int16" ? 2 ** -15 : 2 ** -8);
  if (inputAt(node, 0).dtype === "float32") return sigmoid;
  const half = halfFormat(inputAt(node, 0).dtype);
  if (half !== undefined) return halfSigmoid(half);
  if (dtype !== "int16") return byTable(node, ["int8", "uint8"], sigmoid);
  requireSymmetric(node);
  return int16Logistic(quantizationOf(node).from.scale);
}

function hyperbolicTangent(node: KernelNode): Single | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype === "float32") return Math.tanh;
  const half = halfFormat(dtype);
  if (half !== undefined) return halfFunction(half, Math.tanh);
  if (dtype !== "int16") return byTable(node, ["int8", "uint8"], Math.tanh);
  requireOutputScale(node, 2 ** -15);
  requireSymmetric(node);
  return int16Tanh(quantizationOf(node).from.scale);
}

export const ACTIVATIONS: KernelTable = {
  RELU: rectifier(0, Infinity, ["int8", "uint8", "int16"]),
  RELU6: rectifier(0, 6, ["int8", "uint8", "int16"]),
  RELU_N1_TO_1: rectifier(-1, 1, ["int8", "uint8"]),
  RELU_0_TO_1: rectifier(0, 1, ["int8", "uint8"]),
  LEAKY_RELU: elementKernel(leakyRectifier),
  PRELU: parametricKernel(),
  ELU: elementKernel(exponentialLinear),
  GELU: elementKernel(gelu),
  HARD_SWISH: hardSwishKernel(),
  LOGISTIC: elementKernel(logistic),
  TANH: elementKernel(hyperbolicTangent),
};
