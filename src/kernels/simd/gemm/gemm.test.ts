import { describe, expect, it } from "vitest";
import {
  type Bounds,
  define,
  FEATURES,
  type Problem,
  problem,
  RESIDUAL_BOUNDS,
  type Shape,
  WEIGHT_ZERO,
  ZERO_POINT,
} from "../../../../test/gemm-problem.ts";
import { assert } from "../../../base/errors.ts";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { quantizeMultiplier } from "../../reference/fixed-point.ts";
import { joinedColumns } from "../emit-requantize.ts";
import { keptSumsEnd, placeKeptSums } from "../kept-sums.ts";
import type { StageOf } from "../operators/product-kind.ts";
import { doubleFactors } from "../operators/requantization.ts";
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

/** Places arrays one behind the other, each at a multiple of 64 with room behind it. */
function placer(memory: WebAssembly.Memory): (content: ArrayBufferView, slack?: number) => number {
  const bytes = new Uint8Array(memory.buffer);
  let top = keptSumsEnd(1);
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
  placeKeptSums(instance.exports, 0);
  const gemm = instance.exports[variant.name];
  const place = placer(memory);
  const steps = gemmSteps(variant, k);
  const weights = place(packedOf(variant, data, n, k));
  const rows = rowsOf(variant, data, m, k);
  const windows = variant.windows ? scattered(rows, m, steps) : undefined;
  const a = place(windows === undefined ? rows : windows.image);
  const isInteger = !["f32", "qd8", "qd16", "qd4"].includes(variant.data);
  const output = isInteger
    ? new Uint8Array(m * n + 1).fill(77)
    : new Float32Array(m * n + 1).fill(77);
  const c = place(output);
  const width = output.BYTES_PER_ELEMENT;
  const sizes = [weights, c, n * width, m, n, steps] as const;
  const common: readonly number[] =
    windows === undefined
      ? ([a, steps * 4, ...sizes] satisfies GemmCommon)
      : [place(windows.starts.map((start) => a + start)), 4, ...sizes, place(windows.offsets)];
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
    const columns = integerColumns(variant, data, n, k).map((column) =>
      place(variant.keepsSums ? joinedColumns(column) : column),
    );
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
    assert(lists !== undefined, "lists of any steps");
    const packed = new Uint8Array(lists.byteLength);
    const offsets = variant.windows ? stepOffsets(gemmSteps(variant, k)) : undefined;
    packPairLists(weights, n, k, lists, { buffer: packed.buffer, address: 0, offsets });
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

/** Where the steps of a window begin: the last ones first, and apart. */
function stepOffsets(steps: number): Int32Array {
  return Int32Array.from({ length: steps }, (_, step) => (steps - 1 - step) * 12);
}

/** Rows cut into steps, which lie as `stepOffsets` says, in windows that overlap; `starts` are those of the windows. */
function scattered(rows: ArrayBufferView, m: number, steps: number) {
  const words = new Int32Array(rows.buffer, rows.byteOffset, m * steps);
  const offsets = stepOffsets(steps);
  const starts = Int32Array.from({ length: m }, (_, row) => (m - 1 - row) * steps * 12 + 4 * row);
  const image = new Int32Array(m * (steps + 1) * 3 + m).fill(0x63636363);
  for (const [row, start] of starts.entries()) {
    for (const [step, offset] of offsets.entries()) {
      image[(start + offset) / 4] = words[row * steps + step] ?? 0;
    }
  }
  return { image, starts, offsets };
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
    ...gemmVariants(data, isa, { ...PLAIN_FINISH, windows: true }),
  ]),
  ...(["qs8", "qs16", "qu16", "qu8"] as const).flatMap((data) => [
    ...gemmVariants(data, isa),
    ...gemmVariants(data, isa, { ...PLAIN_FINISH, windows: true }),
    ...gemmVariants(data, isa, { ...PLAIN_FINISH, keepsSums: true }),
    ...SMALL_SUMS.flatMap((smallSums) => [
      ...gemmVariants(data, isa, { ...PLAIN_FINISH, smallSums }),
      ...gemmVariants(data, isa, { ...PLAIN_FINISH, smallSums, keepsSums: true }),
    ]),
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
