import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import {
  multiplyByQuantizedMultiplier,
  multiplyRoundingUp,
  quantizeMultiplier,
} from "../../reference/fixed-point.ts";
import { doubleFactors } from "../operators/requantization.ts";
import { probeFeatures } from "../probe.ts";
import {
  type DepthwiseShape,
  recordsByteLength,
  shareRecords,
  writeRecords,
} from "./depthwise-records.ts";
import {
  channelStep,
  type DepthwiseData,
  type DepthwiseGeometry,
  depthwiseName,
  emitDepthwise,
} from "./emit-depthwise.ts";
import { packedChannels, packRow } from "./pack-channels.ts";
import { planColumns } from "./plan-columns.ts";

const f = Math.fround;

function shapeOf(
  channels: number,
  size: readonly [height: number, width: number],
  kernel: readonly [height: number, width: number],
  stride: number,
  dilation: number,
  padding: "same" | "valid",
): DepthwiseShape {
  const output = size.map((input, axis) => {
    const span = (kernel[axis] - 1) * dilation + 1;
    return padding === "same" ? Math.ceil(input / stride) : Math.floor((input - span) / stride) + 1;
  });
  const pad = size.map((input, axis) => {
    if (padding === "valid") return 0;
    const span = (kernel[axis] - 1) * dilation + 1;
    return Math.floor(Math.max(0, (output[axis] - 1) * stride + span - input) / 2);
  });
  return {
    channels,
    inputHeight: size[0],
    inputWidth: size[1],
    outputHeight: output[0],
    outputWidth: output[1],
    kernelHeight: kernel[0],
    kernelWidth: kernel[1],
    strideHeight: stride,
    strideWidth: stride,
    dilationHeight: dilation,
    dilationWidth: dilation,
    padTop: pad[0],
    padLeft: pad[1],
  };
}

const CASES: readonly (readonly [string, DepthwiseShape])[] = [
  ["3x3 stride 1 same", shapeOf(16, [7, 9], [3, 3], 1, 1, "same")],
  ["3x3 stride 2 same", shapeOf(12, [8, 8], [3, 3], 2, 1, "same")],
  ["5x5 stride 1 same, odd channels", shapeOf(7, [6, 11], [5, 5], 1, 1, "same")],
  ["3x3 dilated valid", shapeOf(4, [9, 9], [3, 3], 1, 2, "valid")],
  ["3x3 dilated same", shapeOf(9, [5, 5], [3, 3], 1, 3, "same")],
  ["10x4 on a spectrogram", shapeOf(8, [13, 10], [10, 4], 2, 1, "same")],
  ["1x1 pixel image", shapeOf(3, [1, 1], [3, 3], 1, 1, "same")],
];

interface Data {
  readonly input: Float32Array | Int32Array;
  readonly weights: Float32Array | Int32Array;
  readonly scales: Float32Array;
  readonly bias: Float32Array;
  readonly integerBias: Int32Array;
  readonly fixed: readonly { readonly multiplier: number; readonly shift: number }[];
}

function dataFor(s: DepthwiseShape, kind: DepthwiseData): Data {
  let state = 7;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const integer = (limit: number) => Math.round((next() * 2 - 1) * limit);
  const value = (limit: number) => (kind === "f32" ? next() * 2 - 1 : integer(limit));
  const { channels } = s;
  const Numbers = kind === "qi16" ? Int32Array : Float32Array;
  const numbers = (count: number, limit: number) =>
    new Numbers(count * channels).map(() => value(limit));
  return {
    input: numbers(s.inputHeight * s.inputWidth, kind === "qi16" ? 32767 : 255),
    weights: numbers(s.kernelHeight * s.kernelWidth, kind === "qu8" ? 255 : 127),
    scales: Float32Array.from({ length: channels }, () => next() / 100),
    bias: Float32Array.from({ length: channels }, () => next() - 0.5),
    integerBias: Int32Array.from({ length: channels }, () => integer(90000)),
    fixed: Array.from({ length: channels }, () => quantizeMultiplier(0.3 * 2 ** (-12 * next()))),
  };
}

const INPUT_SCALE = f(0.0123);
const ZERO_POINT = 7;

/** The definition, in the order kernel row, kernel column, each step of floats rounded to float32. */
function define(
  s: DepthwiseShape,
  kind: DepthwiseData,
  d: Data,
  low: number,
  high: number,
): number[] {
  const out: number[] = [];
  for (let pixel = 0; pixel < s.outputHeight * s.outputWidth; pixel++) {
    for (let c = 0; c < s.channels; c++) {
      const sum = sumOf(s, d, Math.floor(pixel / s.outputWidth), pixel % s.outputWidth, c);
      out.push(Math.min(Math.max(finish(kind, d, sum, c), low), high));
    }
  }
  return out;
}

function finish(kind: DepthwiseData, d: Data, sum: number, c: number): number {
  if (kind === "f32") return f(sum + d.bias[c]);
  if (kind === "qd8") return f(f(f(sum * d.scales[c]) * INPUT_SCALE) + d.bias[c]);
  if (kind === "qi16") return sum + d.integerBias[c];
  const { multiplier, shift } = d.fixed[c];
  const isGrouped = c < d.bias.length - (d.bias.length % 8);
  const multiply = kind === "qs8" && isGrouped ? multiplyRoundingUp : multiplyByQuantizedMultiplier;
  return multiply(sum + d.integerBias[c], multiplier, shift) + ZERO_POINT;
}

function sumOf(s: DepthwiseShape, d: Data, y: number, x: number, c: number): number {
  let sum = 0;
  for (let ky = 0; ky < s.kernelHeight; ky++) {
    for (let kx = 0; kx < s.kernelWidth; kx++) {
      const row = y * s.strideHeight - s.padTop + ky * s.dilationHeight;
      const column = x * s.strideWidth - s.padLeft + kx * s.dilationWidth;
      if (row < 0 || row >= s.inputHeight || column < 0 || column >= s.inputWidth) continue;
      const index = (row * s.inputWidth + column) * s.channels + c;
      const weight = d.weights[(ky * s.kernelWidth + kx) * s.channels + c];
      const product = d.input[index] * weight;
      sum = d.input instanceof Int32Array ? sum + product : f(sum + f(product));
    }
  }
  return sum;
}

async function run(
  s: DepthwiseShape,
  g: DepthwiseGeometry,
  d: Data,
  [low, high]: readonly [number, number],
  threads: number,
): Promise<number[]> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 8 });
  emitDepthwise(module, g);
  const memory = new WebAssembly.Memory({ initial: 8 });
  const { instance } = await WebAssembly.instantiate(module.finish(), { env: { memory } });
  const bytes = new Uint8Array(memory.buffer);
  let top = 64;
  const place = (values: Float32Array | Int32Array | Float64Array | Uint8Array) => {
    const address = top;
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), address);
    top += Math.ceil(values.byteLength / 64) * 64 + 64;
    return address;
  };
  const fixedColumns = [
    Int32Array.from(d.fixed, ({ multiplier }) => multiplier),
    Int32Array.from(d.fixed, ({ shift }) => 2 ** (31 + shift)),
    d.integerBias,
  ];
  const columnsOf = {
    ...{ f32: [d.bias], qd8: [d.scales, d.bias], qi16: [d.integerBias] },
    ...{ qs8: fixedColumns, qu8: fixedColumns },
  };
  const columns = g.smallSums ? doublesOf(d) : columnsOf[g.data];
  const isByte = g.data === "qs8" || g.data === "qu8";
  const Words = g.data === "qi16" ? Int32Array : Float32Array;
  const packed = (
    rows: readonly ArrayLike<number>[],
    Type: typeof Float32Array | typeof Int32Array | typeof Float64Array,
  ) => {
    const { channels } = s;
    const result = new Type(packedChannels(rows.length, channels));
    for (const [row, values] of rows.entries()) {
      packRow(values, 0, { row, rows: rows.length, channels }, result);
    }
    return place(result);
  };
  const taps = Array.from({ length: s.kernelHeight * s.kernelWidth }, (_, tap) =>
    d.weights.subarray(tap * s.channels, (tap + 1) * s.channels),
  );
  const outLength = s.outputHeight * s.outputWidth * s.channels;
  const columnsAt = packed(columns, g.smallSums ? Float64Array : isByte ? Int32Array : Words);
  const at = {
    input: place(d.input),
    weights: packed(taps, Words),
    zeroRow: place(new Float32Array(s.inputWidth * s.channels)),
    records: place(new Uint8Array(recordsByteLength(s))),
    output: place(new Uint8Array((outLength + 1) * 4)),
    outputBytes: isByte ? 1 : 4,
  };
  const results = { f32: Words, qd8: Words, qi16: Words, qs8: Int8Array, qu8: Uint8Array };
  const Result = results[g.data];
  const result = new Result(memory.buffer, at.output, outLength + 1).fill(77);
  const parameter = isByte ? ZERO_POINT : INPUT_SCALE;
  const lists = writeRecords(s, at, new Int32Array(memory.buffer));
  const stage = [columnsAt, parameter, low, high];
  const convolve = instance.exports[depthwiseName(g)] as (...args: number[]) => void;
  for (const args of shareRecords(lists, s, threads, stage)) convolve(...args);
  return [...result];
}

const BOUNDS = {
  f32: [
    [-Infinity, Infinity],
    [0, 0.5],
  ],
  qd8: [
    [-Infinity, Infinity],
    [0, 0.5],
  ],
  qs8: [
    [-128, 127],
    [-3, 100],
    [ZERO_POINT, 127],
  ],
  qu8: [
    [0, 255],
    [3, 100],
    [ZERO_POINT, 255],
    [9, 100],
  ],
  qi16: [[-Infinity, Infinity]],
} as const;

/** Factors in doubles: the sums of these cases are small. */
function doublesOf(d: Data): readonly Float64Array[] {
  const multipliers = Int32Array.from(d.fixed, ({ multiplier }) => multiplier);
  const exponents = Int32Array.from(d.fixed, ({ shift }) => 2 ** (31 + shift));
  const requantization = { multipliers, exponents, zeroPoint: 0, low: 0, high: 0 };
  const doubles = doubleFactors(requantization, d.integerBias, [0]);
  return doubles === undefined ? [] : [doubles.factors, doubles.offsets, doubles.steps];
}

/** Fused multiply and add changes no sum of integers; floats would differ from the definition in the last bit. */
const KINDS = [
  ["f32", false, false],
  ["qd8", false, false],
  ["qs8", false, false],
  ["qu8", false, false],
  ["qi16", false, false],
  ["qs8", false, true],
  ["qu8", false, true],
  ...(probeFeatures()?.relaxed
    ? ([
        ["qd8", true, false],
        ["qs8", true, true],
        ["qu8", true, true],
        ["qi16", true, false],
      ] as const)
    : []),
] as const;

describe.each(KINDS)("%s depthwise, relaxed %s, small sums %s", (kind, relaxed, smallSums) => {
  it.each(CASES)("equals the definition exactly: %s", async (_, shape) => {
    const data = dataFor(shape, kind);
    for (const bounds of BOUNDS[kind]) {
      const isByte = kind === "qs8" || kind === "qu8";
      const dropsNegatives = isByte && bounds[0] >= ZERO_POINT;
      const code = { data: kind, relaxed, smallSums, dropsNegatives };
      const g = { ...shape, ...code, channelStep: channelStep(shape.channels) };
      const out = await run(shape, g, data, bounds, bounds[0] === 0 ? 1 : 2);
      expect(out).toEqual([...define(shape, kind, data, bounds[0], f(bounds[1])), 77]);
    }
  });
});

it("has one function for all numbers of channels that are multiples of eight", () => {
  const codes = [32, 96, 960, 12, 7].map((channels) => {
    const shape = shapeOf(channels, [7, 7], [3, 3], 1, 1, "same");
    const module = new ModuleBuilder();
    module.importMemory("env", "memory", { initial: 1 });
    const g = { data: "f32", relaxed: false, smallSums: false, dropsNegatives: false } as const;
    emitDepthwise(module, { ...shape, ...g, channelStep: channelStep(channels) });
    return module.finish().join();
  });
  expect(codes[1]).toBe(codes[0]);
  expect(codes[2]).toBe(codes[0]);
  expect(new Set(codes).size).toBe(3);
});

it("packs eight channels of all rows one behind the other", () => {
  const packed = new Int32Array(packedChannels(2, 9));
  packRow([1, 2, 3, 4, 5, 6, 7, 8, 9], 0, { row: 0, rows: 2, channels: 9 }, packed);
  packRow([0, 11, 12, 13, 14, 15, 16, 17, 18, 19], 1, { row: 1, rows: 2, channels: 9 }, packed);
  const first = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18];
  const second = [9, 0, 0, 0, 0, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0];
  expect([...packed]).toEqual([...first, ...second]);
});

it("keeps the kernel columns inside the image at both borders", () => {
  const plan = planColumns({
    inputWidth: 5,
    outputWidth: 5,
    kernelWidth: 3,
    strideWidth: 1,
    dilationWidth: 1,
    padLeft: 1,
  });
  expect(plan).toEqual({
    edges: [
      { x: 0, first: 1, count: 2 },
      { x: 4, first: 0, count: 2 },
    ],
    innerStart: 1,
    innerCount: 3,
  });
});
