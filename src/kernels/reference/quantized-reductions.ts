/**
 * MEAN, SUM and REDUCE_PROD on quantized integers, after TensorFlow Lite 2.21 (kernels/reduce.cc and
 * kernels/internal/optimized/{reduce.h, integer_ops/mean.h}, kernels/internal/reference/reduce.h).
 */
import { assert } from "../../base/errors.ts";
import { roundHalfAway } from "../../base/rounding.ts";
import type { KernelNode } from "../kernel.ts";
import { optionsOf } from "../options.ts";
import { inputAt, type PerTensorQuantization, unsupported } from "../require.ts";
import { type Elements, numbersOf } from "./elements.ts";
import {
  multiplyByQuantizedMultiplier,
  multiplyRoundingUp,
  multiplyWideByQuantizedMultiplier,
  type QuantizedRange,
  quantizedRange,
  quantizeMultiplier,
} from "./fixed-point.ts";
import { foldInto, type Reduction, type ReductionRun } from "./fold.ts";
import { quantizationOf } from "./unary.ts";

const { fround } = Math;

interface QuantizedReduction {
  readonly from: PerTensorQuantization;
  readonly to: PerTensorQuantization;
  readonly range: QuantizedRange;
}

function quantizedReduction(node: KernelNode): QuantizedReduction | undefined {
  const { dtype } = inputAt(node, 0);
  if (dtype !== "int8" && dtype !== "uint8" && dtype !== "int16") return undefined;
  const { from, to } = quantizationOf(node);
  if (dtype === "int16" && (from.zeroPoint !== 0 || to.zeroPoint !== 0)) {
    throw unsupported(node, "on int16 with a zero point other than 0");
  }
  return { from, to, range: quantizedRange(dtype) };
}

function clamp(value: number, { min, max }: QuantizedRange): number {
  return value < min ? min : value > max ? max : value;
}

/** Sums of stored integers, exact. */
function storedSums(reduction: Reduction, x: Elements, count: number): Float64Array {
  const sums = new Float64Array(count);
  foldInto(reduction, x as Elements<number>, sums, (acc, q) => acc + q);
  return sums;
}

/** Whether the official runtime takes its kernel for pooling a whole image: the two middle axes of four, kept. */
function isImageMean(node: KernelNode, { axes, input }: Reduction): boolean {
  const { keep_dims } = optionsOf(node, "ReducerOptions");
  const { dtype } = inputAt(node, 0);
  return (
    keep_dims &&
    input.length === 4 &&
    axes.length === 2 &&
    axes[0] === 1 &&
    axes[1] === 2 &&
    dtype !== "int16"
  );
}

/** MEAN. */
export function quantizedMean(node: KernelNode): ReductionRun | undefined {
  if (quantizedReduction(node) === undefined) return undefined;
  return (reduction, x, out) => {
    const target = numbersOf(out);
    const sums = storedSums(reduction, x, target.length);
    const mean = storedMean(node, reduction);
    for (let j = 0; j < sums.length; j++) target[j] = mean(sums[j], j);
  };
}

/** From a sum of stored integers, and its position, to the stored mean. */
export type StoredMean = (sum: number, at: number) => number;

/** How the MEAN of a quantized node turns sums into results. */
export function storedMean(node: KernelNode, reduction: Reduction): StoredMean {
  const parameters = quantizedReduction(node);
  assert(parameters !== undefined, "a quantized reduction");
  const law = isImageMean(node, reduction) ? imageMean : genericMean;
  return law(parameters, reduction.count, reduction.input.at(-1) ?? 1);
}

/**
 * One multiplication by s/(n·s'), and a bias that takes the zero points in, both from float32. Ties go up for whole
 * groups of 16 channels, away from zero for the channels left over.
 */
function imageMean(
  { from, to, range }: QuantizedReduction,
  count: number,
  channels: number,
): StoredMean {
  const shifted = fround(fround(from.zeroPoint * from.scale) / to.scale);
  const bias = to.zeroPoint - Math.trunc(fround(shifted > 0 ? shifted + 0.5 : shifted - 0.5));
  const { multiplier, shift } = quantizeMultiplier(fround(from.scale / fround(count * to.scale)));
  const grouped = channels - (channels % 16);
  return (sum, at) => {
    const multiply = at % channels < grouped ? multiplyRoundingUp : multiplyByQuantizedMultiplier;
    return clamp(multiply(sum, multiplier, shift) + bias, range);
  };
}

/** The multiplier s/s' with 1/n folded in, after as many left shifts as keep both in their ranges. */
function genericMean({ from, to, range }: QuantizedReduction, count: number): StoredMean {
  if (count === 0) return () => to.zeroPoint;
  const whole = quantizeMultiplier(from.scale / to.scale);
  const left = Math.max(0, Math.min(Math.floor(Math.log2(count)), 32, 31 + whole.shift));
  const multiplier = Number((BigInt(whole.multiplier) << BigInt(left)) / BigInt(count));
  const shift = whole.shift - left;
  return (sum) => {
    const centred = sum - from.zeroPoint * count;
    return clamp(multiplyByQuantizedMultiplier(centred, multiplier, shift) + to.zeroPoint, range);
  };
}

/** SUM. */
export function quantizedSum(node: KernelNode): ReductionRun | undefined {
  if (quantizedReduction(node) === undefined) return undefined;
  return (reduction, x, out) => {
    const target = numbersOf(out);
    const sums = storedSums(reduction, x, target.length);
    const law = storedSum(node, reduction);
    for (let j = 0; j < sums.length; j++) target[j] = law(sums[j]);
  };
}

/** How the SUM of a quantized node turns sums of stored integers into results: round(Σq·(s/s') − z·(s/s')·n) + z'. */
export function storedSum(node: KernelNode, { count }: Reduction): (sum: number) => number {
  const parameters = quantizedReduction(node);
  assert(parameters !== undefined, "a quantized reduction");
  const { from, to, range } = parameters;
  const scale = fround(from.scale / to.scale);
  const bias = fround(fround(-from.zeroPoint * scale) * count);
  return (sum) => {
    const real = fround(fround(fround(sum) * scale) + bias);
    return clamp(roundHalfAway(real) + to.zeroPoint, range);
  };
}

/** Products beyond the type's range stay beyond it, and exact, up to here. */
const MAX_PRODUCT = Number.MAX_SAFE_INTEGER;

/** REDUCE_PROD: each multiplication is rescaled by s / s'^(1/n), and so is the end, to stay within 32 bits. */
export function quantizedProduct(node: KernelNode): ReductionRun | undefined {
  const parameters = quantizedReduction(node);
  if (parameters === undefined || inputAt(node, 0).dtype === "uint8") return undefined;
  const { from, to, range } = parameters;
  return (reduction, x, out) => {
    const target = numbersOf(out);
    const { multiplier, shift } = quantizeMultiplier(
      from.scale / to.scale ** (1 / reduction.count),
    );
    const products = new Float64Array(target.length).fill(Number.NaN);
    foldInto(reduction, x as Elements<number>, products, (acc, q) => {
      const value = q - from.zeroPoint;
      if (Number.isNaN(acc)) return value;
      const product = multiplyWideByQuantizedMultiplier(acc * value, multiplier, shift);
      return Math.max(-MAX_PRODUCT, Math.min(product, MAX_PRODUCT));
    });
    // A product of nothing is 1.
    const empty = clamp(roundHalfAway(1 / to.scale) + to.zeroPoint, range);
    for (let j = 0; j < target.length; j++) {
      if (Number.isNaN(products[j])) {
        target[j] = empty;
        continue;
      }
      const last = multiplyWideByQuantizedMultiplier(products[j], multiplier, shift);
      target[j] = clamp(last + to.zeroPoint, range);
    }
  };
}
