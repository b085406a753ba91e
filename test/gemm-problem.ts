/** Operands of matrix products, made anew from their sizes, and what the products are by definition. */
import { multiplyRoundingUp, quantizeMultiplier } from "../src/kernels/reference/fixed-point.ts";
import { type GemmVariant, keepsBytes } from "../src/kernels/simd/gemm/variants.ts";
import { probeFeatures } from "../src/kernels/simd/probe.ts";

/** Small deterministic generator of uniform values in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export type Shape = readonly [m: number, n: number, k: number];

export const ZERO_POINT = 5;
/** Of weights in `qu8`. */
export const WEIGHT_ZERO = 3;

export const FEATURES = probeFeatures();

export interface Problem {
  readonly a: Float32Array | Int16Array;
  readonly weights: Float32Array | Int8Array | Int16Array;
  readonly scales: Float32Array;
  readonly rowScales: Float32Array;
  /** Of stored activations, by row: one for all rows but in hybrid products of bytes. */
  readonly zeroPoints: Int32Array;
  readonly bias: Float32Array;
  readonly integerBias: Int32Array;
  /** Real requantization factors below 1/2. */
  readonly factors: readonly number[];
  /** What is added to float results, by row and column. */
  readonly residual: Float32Array;
}

/** Bounds of the activation behind the residual. */
export const RESIDUAL_BOUNDS = { low: -1, high: 1.5 };

interface StoredRows {
  readonly m: number;
  readonly k: number;
  readonly sameZero: boolean;
}

/** Activations of products of bytes: anything that can be stored, less a zero point that can be stored. */
function storedRows(type: "int8" | "uint8", { m, k, sameZero }: StoredRows, next: () => number) {
  const least = type === "uint8" ? 0 : -128;
  const stored = () => least + Math.floor(next() * 256);
  const first = stored();
  const zeroPoints = Int32Array.from({ length: m }, () => (sameZero ? first : stored()));
  const a = Int16Array.from({ length: m * k }, (_, at) => {
    return stored() - (zeroPoints[Math.floor(at / k)] ?? 0);
  });
  return { a, zeroPoints };
}

export function problem(
  { data, isa, smallSums, oneScale }: GemmVariant,
  m: number,
  n: number,
  k: number,
): Problem {
  const next = random(m * 1000 + n * 10 + k);
  const float = () => (next() - 0.5) * 4;
  const integer = (limit: number) => () => Math.round((next() * 2 - 1) * limit);
  const weights =
    data === "f32"
      ? Float32Array.from({ length: n * k }, float)
      : data === "qs16" || data === "qu16"
        ? Int16Array.from({ length: n * k }, integer(smallSums === "no" ? 255 : 20))
        : data === "qd4"
          ? Int8Array.from({ length: n * k }, () => Math.min(7, integer(8)()))
          : Int8Array.from({ length: n * k }, integer(smallSums === "no" ? 127 : 20));
  const centered = {
    a:
      data === "f32"
        ? Float32Array.from({ length: m * k }, float)
        : Int16Array.from({ length: m * k }, integer(255)),
    zeroPoints: new Int32Array(m),
  };
  const type = keepsBytes(isa) ? FEATURES?.[isa] : undefined;
  const sameZero = oneScale || data === "qs8" || data === "qu8";
  return {
    ...(type === undefined ? centered : storedRows(type, { m, k, sameZero }, next)),
    weights,
    scales: Float32Array.from({ length: n }, () => next() / 100),
    rowScales: Float32Array.from({ length: m }, () => (oneScale ? 0.07 : next() / 10)),
    bias: Float32Array.from({ length: n }, float),
    integerBias: Int32Array.from({ length: n }, integer(90000)),
    factors: Array.from({ length: n }, () => 0.4 * 2 ** (-14 * next())),
    residual: Float32Array.from({ length: m * n }, float),
  };
}

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** The definition: sums in order of k, every float operation rounded to float32. */
export function define(
  { data, residual: hasResidual }: GemmVariant,
  problem: Problem,
  [m, n, k]: Shape,
  bounds: Bounds,
): number[] {
  const f = Math.fround;
  const { a, weights, scales, rowScales, bias, integerBias, factors } = problem;
  const clamp = (value: number) => Math.min(Math.max(value, bounds.low), bounds.high);
  const out: number[] = [];
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let index = 0; index < k; index++) {
        const weight = weights[column * k + index] - (data === "qu8" ? WEIGHT_ZERO : 0);
        const product = a[row * k + index] * weight;
        sum = data === "f32" ? f(sum + f(product)) : sum + product;
      }
      if (data === "f32") out.push(clamp(f(sum + bias[column])));
      else if (data === "qd8" || data === "qd16" || data === "qd4") {
        out.push(clamp(f(f(f(sum) * f(scales[column] * rowScales[row])) + bias[column])));
      }
      if (hasResidual) {
        const total = f((out.pop() ?? 0) + problem.residual[row * n + column]);
        out.push(Math.min(Math.max(total, RESIDUAL_BOUNDS.low), RESIDUAL_BOUNDS.high));
      }
      if (data !== "f32" && data !== "qd8" && data !== "qd16" && data !== "qd4") {
        const { multiplier, shift } = quantizeMultiplier(factors[column]);
        const scaled = multiplyRoundingUp(sum + integerBias[column], multiplier, shift);
        out.push(clamp(scaled + ZERO_POINT));
      }
    }
  }
  return out;
}
