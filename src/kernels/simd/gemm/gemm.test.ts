import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { multiplyRoundingUp, quantizeMultiplier } from "../../reference/fixed-point.ts";
import type { StageOf } from "../operators/product-kind.ts";
import { doubleFactors } from "../operators/requantization.ts";
import { probeFeatures } from "../probe.ts";
import { emitGemm, type GemmCommon } from "./emit-gemm.ts";
import type { FloatGemm } from "./float-stage.ts";
import type { HybridDotGemm, HybridGemm } from "./hybrid-stage.ts";
import {
  columnSums,
  gemmSteps,
  packedByteLength,
  packFloat,
  packGroups,
  packNibbles,
  packPairs,
  stepGroup,
} from "./pack.ts";
import { packPairLists, planPairLists } from "./pair-lists.ts";
import {
  type GemmIsa,
  type GemmVariant,
  gemmVariants,
  hasLists,
  keepsBytes,
  PLAIN_FINISH,
  type SmallSums,
} from "./variants.ts";

/** Small deterministic generator of uniform values in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

type Shape = readonly [m: number, n: number, k: number];

const ZERO_POINT = 5;
/** Of weights in `qu8`. */
const WEIGHT_ZERO = 3;

const FEATURES = probeFeatures();

/** The relaxed forms are not tested where the engine has no relaxed SIMD. */
const SMALL_SUMS: readonly SmallSums[] = FEATURES?.relaxed ? ["simd", "relaxed"] : ["simd"];

/** The instruction sets of this engine: relaxed dot products where they are exact for something. */
const ISAS: readonly GemmIsa[] = [
  "simd",
  ...(["dot", "pairs"] as const).filter((isa) => FEATURES?.[isa] !== undefined),
];

const SHAPES = [
  [1, 1, 1],
  [1, 9, 3],
  [2, 4, 5],
  [3, 7, 2],
  [4, 8, 16],
  [5, 17, 33],
  [7, 31, 64],
  [13, 40, 27],
  [6, 1, 10],
  [2, 8, 100],
] as const;

interface Problem {
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
const RESIDUAL_BOUNDS = { low: -1, high: 1.5 };

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

function problem(
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

interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** The definition: sums in order of k, every float operation rounded to float32. */
function define(
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

/** Places arrays one behind the other, each at a multiple of 64 with room behind it. */
function placer(memory: WebAssembly.Memory): (content: ArrayBufferView, slack?: number) => number {
  const bytes = new Uint8Array(memory.buffer);
  let top = 64;
  return (content, slack = 64) => {
    const address = top;
    bytes.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength), address);
    top = (top + content.byteLength + slack + 63) & ~63;
    return address;
  };
}

async function run(
  variant: GemmVariant,
  data: Problem,
  [m, n, k]: Shape,
  { low, high }: Bounds,
): Promise<{ readonly out: number[]; readonly after: number }> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 4 });
  emitGemm(module, variant);
  const memory = new WebAssembly.Memory({ initial: 4 });
  const { instance } = await WebAssembly.instantiate(module.finish(), { env: { memory } });
  const gemm = instance.exports[variant.name];
  const place = placer(memory);
  const steps = gemmSteps(variant, k);
  const weights = place(packedOf(variant, data, n, k));
  const a = place(rowsOf(variant, data, m, k));
  const isInteger = !["f32", "qd8", "qd16", "qd4"].includes(variant.data);
  const output = isInteger
    ? new Uint8Array(m * n + 1).fill(77)
    : new Float32Array(m * n + 1).fill(77);
  const c = place(output);
  const width = output.BYTES_PER_ELEMENT;
  const common: GemmCommon = [a, steps * 4, weights, c, n * width, m, n, steps];
  const residual = variant.residual
    ? [place(data.residual) - c, RESIDUAL_BOUNDS.low, RESIDUAL_BOUNDS.high]
    : [];
  const call = gemm as (...args: number[]) => void;
  if (variant.data === "f32") {
    const stage: StageOf<FloatGemm> = [place(data.bias), low, high];
    call(...common, ...stage, ...residual);
  } else if (variant.data === "qd8" || variant.data === "qd16" || variant.data === "qd4") {
    const scales = [place(data.scales), place(data.rowScales), 4, place(data.bias)] as const;
    if (keepsBytes(variant.isa)) {
      const zeroDistance = place(data.zeroPoints) - scales[1];
      const sums = place(columnSums(integerWeights(data), n, k));
      const stage: StageOf<HybridDotGemm> = [...scales, low, high, sums, zeroDistance];
      call(...common, ...stage, ...residual);
    } else {
      const stage: StageOf<HybridGemm> = [...scales, low, high];
      call(...common, ...stage, ...residual);
    }
  } else {
    const rowTerms = variant.data === "qu8" ? [place(rowTermsOf(data, m, k)), 4] : [];
    const columns = integerColumns(variant, data, n, k).map((column) => place(column));
    (gemm as (...args: number[]) => void)(
      ...common,
      ...columns,
      ZERO_POINT,
      low,
      high,
      ...rowTerms,
    );
  }
  const isUnsigned = variant.data === "qu16" || variant.data === "qu8";
  const Result = isInteger ? (isUnsigned ? Uint8Array : Int8Array) : Float32Array;
  const all = [...new Result(memory.buffer, c, m * n + 1)];
  return { out: all.slice(0, -1), after: all[all.length - 1] };
}

function integerWeights({ weights }: Problem): Int8Array | Int16Array {
  return weights instanceof Float32Array ? new Int8Array(0) : weights;
}

/** What integer stages read: factors and bias, in fixed point or in doubles. */
function integerColumns(
  { data: kind, smallSums }: GemmVariant,
  data: Problem,
  n: number,
  k: number,
) {
  const fixed = data.factors.map(quantizeMultiplier);
  const multipliers = Int32Array.from(fixed, ({ multiplier }) => multiplier);
  const exponents = Int32Array.from(fixed, ({ shift }) => 2 ** (31 + shift));
  const zeros = kind === "qu8" ? WEIGHT_ZERO * k * (data.zeroPoints[0] ?? 0) : 0;
  const bias = correctedBias(data, n, k).map((value) => value + zeros);
  if (smallSums === "no") return [multipliers, exponents, bias];
  const requantization = { multipliers, exponents, zeroPoint: 0, low: 0, high: 0 };
  const doubles = doubleFactors(requantization, bias, [0]);
  return doubles === undefined ? [] : [doubles.factors, doubles.offsets];
}

/** −zero point of the weights × Σ of what is stored, for each row. */
function rowTermsOf({ a, zeroPoints }: Problem, m: number, k: number): Int32Array {
  return Int32Array.from({ length: m }, (_, row) => {
    let sum = k * (zeroPoints[row] ?? 0);
    for (let index = 0; index < k; index++) sum += a[row * k + index] ?? 0;
    return -WEIGHT_ZERO * sum;
  });
}

/** The bias less zero point × sum of weights. */
function correctedBias(data: Problem, n: number, k: number): Int32Array {
  const sums = columnSums(integerWeights(data), n, k);
  const zeroPoint = data.zeroPoints[0] ?? 0;
  return data.integerBias.map((bias, column) => bias - zeroPoint * (sums[column] ?? 0));
}

function packedOf(
  variant: GemmVariant,
  { weights }: Problem,
  n: number,
  k: number,
): ArrayBufferView {
  if (hasLists(variant) && weights instanceof Int8Array) {
    const lists = planPairLists(weights, n, k);
    const packed = new Uint8Array(lists.byteLength);
    packPairLists(weights, n, k, lists, packed.buffer, 0);
    return packed;
  }
  const bytes = new Uint8Array(packedByteLength(variant, n, k)).buffer;
  if (weights instanceof Float32Array) {
    const packed = new Float32Array(bytes);
    packFloat(weights, n, k, variant.panel, packed);
    return packed;
  }
  const shape = { nr: variant.panel, group: stepGroup(variant) };
  if (variant.data === "qd4" && weights instanceof Int8Array) {
    const packed = new Uint8Array(bytes);
    packNibbles(weights, n, k, shape, packed);
    return packed;
  }
  if (variant.data === "qd16" && weights instanceof Int8Array) {
    packPairs(weights, n, k, variant.panel, new Int32Array(bytes));
    return new Int16Array(bytes);
  }
  const packed = weights instanceof Int8Array ? new Int8Array(bytes) : new Int16Array(bytes);
  packGroups(weights, n, k, shape, packed);
  return packed;
}

/** A as the kernel reads it: integers with their zero point, rows filled up to whole steps with anything. */
function rowsOf(
  variant: GemmVariant,
  { a, zeroPoints }: Problem,
  m: number,
  k: number,
): ArrayBufferView {
  if (variant.data === "f32") return a;
  const width = gemmSteps(variant, k) * stepGroup(variant);
  const rows = new (keepsBytes(variant.isa) ? Int8Array : Int16Array)(m * width).fill(99);
  for (let row = 0; row < m; row++) {
    for (let index = 0; index < k; index++) {
      rows[row * width + index] = a[row * k + index] + (zeroPoints[row] ?? 0);
    }
  }
  return rows;
}

const variants = ISAS.flatMap((isa) => [
  ...(["f32", "qd8", "qd16", "qd4"] as const).flatMap((data) => [
    ...gemmVariants(data, isa),
    ...gemmVariants(data, isa, { ...PLAIN_FINISH, residual: true }),
    ...(data === "f32" ? [] : gemmVariants(data, isa, { ...PLAIN_FINISH, oneScale: true })),
  ]),
  ...(["qs8", "qs16", "qu16", "qu8"] as const).flatMap((data) => [
    ...gemmVariants(data, isa),
    ...SMALL_SUMS.flatMap((smallSums) => gemmVariants(data, isa, { ...PLAIN_FINISH, smallSums })),
  ]),
]);

/** Bounds without and with a fused activation. */
function boundsOf({ data }: GemmVariant): readonly Bounds[] {
  if (data === "qu16" || data === "qu8")
    return [
      { low: 0, high: 255 },
      { low: 3, high: 100 },
    ];
  if (data === "qs8" || data === "qs16")
    return [
      { low: -128, high: 127 },
      { low: 3, high: 100 },
    ];
  return [
    { low: -Infinity, high: Infinity },
    { low: 0, high: 6 },
  ];
}

/** Weights whose products with the largest activations make the largest sums, the same in all columns. */
const HEAVY_WEIGHTS: readonly (readonly [even: number, odd: number])[] = [
  [-8, -8],
  [127, 1],
  [-64, -64],
  [127, 127],
];

/** All activations as far from 0 as they can be stored. */
function heavy(variant: GemmVariant, [m, n, k]: Shape, [even, odd]: readonly [number, number]) {
  const largest = keepsBytes(variant.isa) && FEATURES?.[variant.isa] === "int8" ? -128 : 255;
  return {
    ...problem(variant, m, n, k),
    a: new Int16Array(m * k).fill(largest),
    zeroPoints: new Int32Array(m),
    weights: Int8Array.from({ length: n * k }, (_, at) => ((at % k) % 2 === 0 ? even : odd)),
  };
}

describe.each(variants)("$name", (variant) => {
  it.each(SHAPES)("equals the definition exactly for m, n, k = %i, %i, %i", async (m, n, k) => {
    const data = problem(variant, m, n, k);
    for (const bounds of boundsOf(variant)) {
      const { out, after } = await run(variant, data, [m, n, k], bounds);
      expect(out).toEqual(define(variant, data, [m, n, k], bounds));
      expect(after, "what stands behind the output").toBe(77);
    }
  });
});

describe.each(variants.filter(({ isa }) => keepsBytes(isa)))("$name", (variant) => {
  it("keeps sums of the largest products", async () => {
    const shape = [2, 8, 100] as const;
    const [bounds] = boundsOf(variant) as [Bounds];
    const isNibbles = variant.data === "qd4";
    for (const weights of HEAVY_WEIGHTS.filter(([even]) => !isNibbles || even === -8)) {
      const data = heavy(variant, shape, weights);
      const { out } = await run(variant, data, shape, bounds);
      expect(out).toEqual(define(variant, data, shape, bounds));
    }
  });
});
