import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import { quantizeMultiplier } from "../../reference/fixed-point.ts";
import { asymmetricParameters, quantizeVector } from "../../reference/hybrid.ts";
import type { DepthwiseShape } from "../depthwise/depthwise-records.ts";
import { channelStep, type DepthwiseData } from "../depthwise/emit-depthwise.ts";
import { packedChannels, packRow } from "../depthwise/pack-channels.ts";
import { joinedColumns } from "../emit-requantize.ts";
import type { FastFeatures } from "../fast-kernel.ts";
import { keptSumsEnd, placeKeptSums } from "../kept-sums.ts";
import { probeFeatures } from "../probe.ts";
import { dotWalk } from "./depthwise-dot.ts";
import type { DepthwiseKind, StageColumn } from "./depthwise-kind.ts";
import { directWalk, type ImageWalk, stripWalk } from "./depthwise-walk.ts";
import { doubleFactors } from "./requantization.ts";
import { type ImageNumbers, PLAIN_NUMBERS } from "./strip-preparation.ts";

interface Sizes {
  readonly channels: number;
  readonly size: readonly [height: number, width: number];
  readonly kernel: readonly [height: number, width: number];
  readonly stride?: number;
  readonly dilation?: number;
  readonly pad?: number;
}

function shapeOf({ channels, size, kernel, stride = 1, dilation = 1, pad = 1 }: Sizes) {
  const [outputHeight, outputWidth] = size.map((input, axis) => {
    const reach = ((kernel[axis] ?? 1) - 1) * dilation + 1;
    return Math.floor((input + 2 * pad - reach) / stride) + 1;
  }) as [number, number];
  return {
    ...{ channels, outputHeight, outputWidth, padTop: pad, padLeft: pad },
    ...{ inputHeight: size[0], inputWidth: size[1] },
    ...{ kernelHeight: kernel[0], kernelWidth: kernel[1] },
    ...{ strideHeight: stride, strideWidth: stride },
    ...{ dilationHeight: dilation, dilationWidth: dilation },
  } satisfies DepthwiseShape;
}

const CASES: readonly (readonly [string, Sizes])[] = [
  ["a plain image", { channels: 16, size: [9, 9], kernel: [3, 3] }],
  ["an even width, and half a vector of channels", { channels: 24, size: [7, 10], kernel: [3, 3] }],
  ["one row", { channels: 8, size: [1, 13], kernel: [3, 3] }],
  ["one pixel", { channels: 8, size: [1, 1], kernel: [3, 3] }],
  ["stride 2", { channels: 40, size: [11, 12], kernel: [3, 3], stride: 2 }],
  ["stride 2 without padding", { channels: 8, size: [12, 11], kernel: [3, 3], stride: 2, pad: 0 }],
  ["stride 3", { channels: 8, size: [17, 11], kernel: [2, 2], stride: 3, pad: 0 }],
  ["dilation", { channels: 8, size: [13, 9], kernel: [3, 3], dilation: 3, pad: 2 }],
  ["a kernel taller than the image", { channels: 8, size: [3, 12], kernel: [9, 4], pad: 3 }],
  ["a kernel of five", { channels: 16, size: [8, 9], kernel: [5, 5], pad: 2 }],
  [
    "a kernel of seven, stride 2",
    { channels: 8, size: [15, 14], kernel: [7, 7], stride: 2, pad: 3 },
  ],
  ["a kernel of one column", { channels: 8, size: [9, 5], kernel: [3, 1] }],
  ["rows that end within a group", { channels: 3, size: [11, 5], kernel: [3, 3] }],
  ["rows of half a group", { channels: 4, size: [10, 7], kernel: [3, 3], stride: 2 }],
  ["an image that ends within a group", { channels: 1, size: [9, 3], kernel: [3, 3] }],
];

/** An image as it comes, what it is when it is prepared, and what is known of it. */
interface Image {
  readonly given: Float32Array | Int8Array | Uint8Array | Int16Array | Int32Array;
  readonly prepared: Float32Array | Int32Array;
  readonly numbers: ImageNumbers;
}

function makeNext(): () => number {
  let state = 11;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Activations of bytes are `range` at most from −128, or 0. */
function imageOf(data: DepthwiseData, count: number, isPositive: boolean, range = 255): Image {
  const next = makeNext();
  if (data === "f32" || data === "qd8") {
    const given = Float32Array.from({ length: count }, () => next() * 8 - (isPositive ? 0 : 3));
    if (data === "f32") return { given, prepared: given, numbers: PLAIN_NUMBERS };
    const centered = new Float64Array(count);
    quantizeVector(given, 0, count, true, centered);
    const [min, max] = [Math.min(0, ...given), Math.max(0, ...given)];
    const numbers = asymmetricParameters(min, max);
    return { given, prepared: Float32Array.from(centered), numbers };
  }
  if (data === "qi16") {
    const given = Int16Array.from({ length: count }, () => next() * 65536 - 32768);
    return { given, prepared: Int32Array.from(given), numbers: PLAIN_NUMBERS };
  }
  const low = data === "qs8" ? -128 : 0;
  const values = Array.from({ length: count }, () => low + Math.floor(next() * (range + 1)));
  const given = data === "qs8" ? Int8Array.from(values) : Uint8Array.from(values);
  const zeroPoint = low + Math.floor(range / 3);
  const prepared = Float32Array.from(given, (q) => q - zeroPoint);
  return { given, prepared, numbers: { ...PLAIN_NUMBERS, zeroPoint } };
}

/** A kind with weights of up to ± `largest`. */
function kindOf(
  data: DepthwiseData,
  { channels, kernelHeight, kernelWidth }: DepthwiseShape,
  { largest, smallSums }: { readonly largest: number; readonly smallSums: boolean },
): DepthwiseKind {
  const next = makeNext();
  const integer = (limit: number) => Math.round((next() * 2 - 1) * limit);
  const taps = kernelHeight * kernelWidth;
  const weights = Float32Array.from({ length: taps * channels }, () => integer(largest));
  const bias = Int32Array.from({ length: channels }, () => integer(9000));
  const isByte = data === "qs8" || data === "qu8";
  const [low, high] = data === "qs8" ? [-128, 127] : isByte ? [0, 255] : [-1e9, 1e9];
  return {
    ...{ data, weights, smallSums, preparation: undefined, dropsNegatives: false },
    columns: columnsOf(data, bias, smallSums),
    elementBytes: isByte ? 1 : data === "qi16" ? 2 : 4,
    ...{ zeroPoint: isByte ? 5 : 0, low, high },
  };
}

function columnsOf(data: DepthwiseData, bias: Int32Array, smallSums: boolean): StageColumn[] {
  if (data === "qi16") return [bias];
  const floats = Float32Array.from(bias, (value) => value / 7000);
  if (data === "f32") return [floats];
  if (data === "qd8") return [floats.map((value) => Math.abs(value) / 90 + 1e-4), floats];
  const fixed = Array.from(bias, (value) => quantizeMultiplier(0.003 + Math.abs(value) / 1e6));
  const multipliers = Int32Array.from(fixed, ({ multiplier }) => multiplier);
  const exponents = Int32Array.from(fixed, ({ shift }) => 2 ** (31 + shift));
  const requantization = { multipliers, exponents, zeroPoint: 0, low: 0, high: 0 };
  const doubles = smallSums ? doubleFactors(requantization, bias, [0]) : undefined;
  return doubles === undefined
    ? [multipliers, exponents, bias]
    : [doubles.factors, doubles.offsets, doubles.steps];
}

/** What a walk makes of two equal images, one after the other, and 16 bytes behind them. */
function run(
  walk: ImageWalk,
  shape: DepthwiseShape,
  kind: DepthwiseKind,
  image: Pick<Image, "given" | "numbers">,
  threads: number,
): Uint8Array {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 24 });
  walk.code.emit(module);
  const memory = new WebAssembly.Memory({ initial: 24 });
  const { buffer } = memory;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), {
    env: { memory },
  });
  let top = keptSumsEnd(1);
  const take = (byteLength: number) => {
    const at = top;
    top = Math.ceil((top + byteLength) / 64) * 64;
    expect(top).toBeLessThanOrEqual(buffer.byteLength);
    return at;
  };
  const { given, numbers } = image;
  const input = take(given.byteLength);
  const bytes = new Uint8Array(buffer);
  bytes.set(new Uint8Array(given.buffer, given.byteOffset, given.byteLength), input);
  const weights = take(walk.weightBytes);
  walk.packWeights(kind.weights, buffer, weights);
  const columns = take(packedChannels(kind.columns.length, shape.channels) * 8);
  placeKeptSums(exports, 0);
  storeColumns(walk, kind, shape.channels, buffer, columns);
  const outputBytes = kind.elementBytes === 1 ? 1 : 4;
  const length = shape.outputHeight * shape.outputWidth * shape.channels * outputBytes;
  const places = {
    ...{ input, weights, outputBytes, zeroRow: take(walk.zeroRowBytes) },
    records: take(walk.recordBytes),
    scratch: take(walk.scratchBytes),
    output: take(length + 16),
  };
  // What others leave behind in scratch.
  bytes.fill(0xa5, places.scratch);
  const calls = walk.bind(buffer, threads);
  const parameter = kind.data === "qd8" ? numbers.scale : kind.zeroPoint;
  const stage = [columns, parameter, kind.low, kind.high];
  const call = exports[walk.code.name] as (...args: readonly number[]) => void;
  for (let turn = 0; turn < 2; turn++) {
    for (const args of calls(0, places, stage, numbers)) call(...args);
  }
  return bytes.slice(places.output, places.output + length + 16);
}

function storeColumns(
  { joinsColumns }: ImageWalk,
  { columns, smallSums }: DepthwiseKind,
  channels: number,
  buffer: ArrayBuffer,
  at: number,
): void {
  const length = packedChannels(columns.length, channels);
  const Packed = smallSums
    ? Float64Array
    : columns[0] instanceof Int32Array
      ? Int32Array
      : Float32Array;
  for (const [row, column] of columns.entries()) {
    const packed = new Packed(buffer, at, length);
    const stored = joinsColumns ? joinedColumns(column) : column;
    packRow(stored, 0, { row, rows: columns.length, channels }, packed);
  }
}

/** The convolution of the whole image, prepared by definition. */
function expected(shape: DepthwiseShape, kind: DepthwiseKind, image: Image, times: number) {
  const { prepared } = image;
  const values = Array.from({ length: prepared.length * times }, (_, at) => {
    return prepared[Math.floor(at / times)] ?? 0;
  });
  const given =
    prepared instanceof Int32Array ? Int32Array.from(values) : Float32Array.from(values);
  const walk = directWalk(shape, codeOf(shape, kind, false));
  return run(walk, shape, kind, { ...image, given }, 1);
}

function codeOf(shape: DepthwiseShape, kind: DepthwiseKind, relaxed: boolean) {
  return { ...shape, ...kind, relaxed, channelStep: channelStep(shape.channels) };
}

const features: FastFeatures = probeFeatures() ?? { relaxed: false };

const KINDS = [
  ["qd8", false],
  ["qs8", false],
  ["qs8", true],
  ["qu8", false],
  ["qu8", true],
  ["qi16", false],
] as const;

const THREADS = [1, 2, 5];

describe.each(KINDS)("%s strips, small sums %s", (data, smallSums) => {
  it.each(CASES)("equal the convolution of the whole image: %s", (_, sizes) => {
    const shape = shapeOf(sizes);
    const kind = kindOf(data, shape, { largest: data === "qu8" ? 255 : 127, smallSums });
    for (const isPositive of data === "qd8" ? [true, false] : [true]) {
      const count = shape.inputHeight * shape.inputWidth * shape.channels;
      const image = imageOf(data, count, isPositive);
      const whole = expected(shape, kind, image, 1);
      for (const relaxed of new Set([false, features.relaxed])) {
        const image32 = { elementBytes: kind.elementBytes, times: 1 };
        const walks = [
          stripWalk(shape, codeOf(shape, kind, relaxed), image32),
          dotWalk(shape, kind, { relaxed }),
          dotWalk(shape, kind, { relaxed, wide: true }),
        ];
        for (const walk of walks) {
          if (walk === undefined) continue;
          for (const threads of THREADS) {
            expect(run(walk, shape, kind, image, threads)).toEqual(whole);
          }
        }
      }
    }
  });

  it("are taken by dot products for channels in eights, strides up to 2 and no dilation", () => {
    const taken = CASES.filter(([, sizes]) => {
      const shape = shapeOf(sizes);
      const kind = kindOf(data, shape, { largest: 127, smallSums });
      return dotWalk(shape, kind, { relaxed: false }) !== undefined;
    });
    expect(taken).toHaveLength(data === "qi16" ? 0 : 9);
  });
});

describe.each(["f32", "qd8", "qs8", "qu8", "qi16"] as const)("%s strips", (data) => {
  it.each(CASES)("repeat channels: %s", (_, sizes) => {
    const times = 3;
    const shape = shapeOf({ ...sizes, channels: sizes.channels * times });
    const kind = kindOf(data, shape, { largest: 127, smallSums: false });
    const image = imageOf(data, shape.inputHeight * shape.inputWidth * sizes.channels, false);
    const whole = expected(shape, kind, image, times);
    const { elementBytes } = kind;
    const walk = stripWalk(shape, codeOf(shape, kind, false), { elementBytes, times });
    for (const threads of THREADS) expect(run(walk, shape, kind, image, threads)).toEqual(whole);
  });
});

/**
 * Engines that saturate sums of two products read activations as one type all the same: dot products of bytes are tried
 * with numbers that never saturate.
 */
const READ_AS = [features.dot ?? features.pairs].filter((type) => type !== undefined);

describe.each(READ_AS)("dot products of bytes read as %s", (readAs) => {
  it.each(CASES)("equal the convolution of the whole image: %s", (_, sizes) => {
    const shape = shapeOf(sizes);
    const count = shape.inputHeight * shape.inputWidth * shape.channels;
    for (const [data, largest, range] of [
      ["qd8", 63, 255],
      ["qs8", 63, 255],
      ["qu8", 63, 255],
      ["qu8", 254, 60],
    ] as const) {
      // Zero points of int8 lie at 128 and more where they are read as uint8, and the other way round.
      const isSafe = largest < 128 || readAs === (data === "qu8" ? "uint8" : "int8");
      if (!isSafe) continue;
      const kind = kindOf(data, shape, { largest, smallSums: data !== "qd8" });
      const image = imageOf(data, count, false, range);
      const walk = dotWalk(shape, kind, { ...features, dot: readAs });
      if (walk === undefined) continue;
      expect(walk.code.name).toContain(readAs);
      const whole = expected(shape, kind, image, 1);
      for (const threads of THREADS) expect(run(walk, shape, kind, image, threads)).toEqual(whole);
    }
  });
});

describe("dot products of columns", () => {
  it("keep weights that are not bytes in two sets, and decline those that are too large for them", () => {
    const shape = shapeOf({ channels: 8, size: [4, 4], kernel: [3, 3] });
    const nameFor = (largest: number) => {
      const kind = kindOf("qu8", shape, { largest: 1, smallSums: false });
      const weights = Float32Array.from(kind.weights, (_, at) => (at === 20 ? largest : 1));
      return dotWalk(shape, { ...kind, weights }, { relaxed: true, dot: "uint8" })?.code.name;
    };
    expect(nameFor(127)).toBe("qu8-dwconv-3x3s1-uint8-relaxed");
    expect(nameFor(254)).toBe("qu8-dwconv-3x3s1-uint8-twice-relaxed");
    expect(nameFor(255)).toBe("qu8-dwconv-3x3s1-int16-relaxed");
  });
});
