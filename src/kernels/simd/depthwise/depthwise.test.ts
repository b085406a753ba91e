import { describe, expect, it } from "vitest";
import { ModuleBuilder } from "../../../wasm/module-builder.ts";
import {
  type DepthwiseFunction,
  type DepthwiseGeometry,
  depthwiseName,
  edgeName,
  emitDepthwise,
} from "./emit-depthwise.ts";
import { planColumns } from "./plan-columns.ts";
import { type DepthwiseShape, runDepthwise } from "./run-depthwise.ts";

const f = Math.fround;

function shapeOf(
  channels: number,
  size: readonly [height: number, width: number],
  kernel: readonly [height: number, width: number],
  stride: number,
  dilation: number,
  padding: "same" | "valid",
  batch = 1,
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
    batch,
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
  ["two images", shapeOf(8, [4, 5], [3, 3], 1, 1, "same", 2)],
];

interface Data {
  readonly input: Float32Array;
  readonly weights: Float32Array;
  readonly scales: Float32Array;
  readonly bias: Float32Array;
  readonly inputScales: readonly number[];
}

function dataFor(s: DepthwiseShape, kind: DepthwiseGeometry["data"]): Data {
  let state = 7;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const integer = (limit: number) => Math.round((next() * 2 - 1) * limit);
  const value = (limit: number) => (kind === "qd8" ? integer(limit) : next() * 2 - 1);
  return {
    input: Float32Array.from({ length: s.batch * s.inputHeight * s.inputWidth * s.channels }, () =>
      value(255),
    ),
    weights: Float32Array.from({ length: s.kernelHeight * s.kernelWidth * s.channels }, () =>
      value(127),
    ),
    scales: Float32Array.from({ length: s.channels }, () => next() / 100),
    bias: Float32Array.from({ length: s.channels }, () => next() - 0.5),
    inputScales: [f(0.0123), f(0.0456)],
  };
}

/** The definition, in the order kernel row, kernel column, each step rounded to float32. */
function define(s: DepthwiseShape, kind: string, d: Data, low: number, high: number): Float32Array {
  const out = new Float32Array(s.batch * s.outputHeight * s.outputWidth * s.channels);
  let at = 0;
  for (let image = 0; image < s.batch; image++) {
    for (let pixel = 0; pixel < s.outputHeight * s.outputWidth; pixel++) {
      for (let c = 0; c < s.channels; c++) {
        const sum = sumOf(s, d, image, Math.floor(pixel / s.outputWidth), pixel % s.outputWidth, c);
        const real = kind === "qd8" ? f(f(sum * f(d.inputScales[image])) * d.scales[c]) : sum;
        out[at++] = Math.min(Math.max(f(real + d.bias[c]), low), high);
      }
    }
  }
  return out;
}

function sumOf(s: DepthwiseShape, d: Data, image: number, y: number, x: number, c: number): number {
  let sum = 0;
  for (let ky = 0; ky < s.kernelHeight; ky++) {
    for (let kx = 0; kx < s.kernelWidth; kx++) {
      const row = y * s.strideHeight - s.padTop + ky * s.dilationHeight;
      const column = x * s.strideWidth - s.padLeft + kx * s.dilationWidth;
      if (row < 0 || row >= s.inputHeight || column < 0 || column >= s.inputWidth) continue;
      const index = ((image * s.inputHeight + row) * s.inputWidth + column) * s.channels + c;
      const weight = d.weights[(ky * s.kernelWidth + kx) * s.channels + c];
      sum = f(sum + f(d.input[index] * weight));
    }
  }
  return sum;
}

async function run(s: DepthwiseShape, g: DepthwiseGeometry, d: Data, low: number, high: number) {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", { initial: 8 });
  emitDepthwise(module, g);
  const memory = new WebAssembly.Memory({ initial: 8 });
  const { instance } = await WebAssembly.instantiate(module.finish(), { env: { memory } });
  const heap = new Float32Array(memory.buffer);
  let top = 16;
  const place = (values: Float32Array) => {
    const address = top * 4;
    heap.set(values, top);
    top = (top + values.length + 19) & ~15;
    return address;
  };
  const outLength = s.batch * s.outputHeight * s.outputWidth * s.channels;
  const at = {
    input: place(d.input),
    weights: place(d.weights),
    scales: place(d.scales),
    bias: place(d.bias),
    zeroRow: place(new Float32Array(s.inputWidth * s.channels)),
    rowTable: place(new Float32Array(16)),
    output: place(new Float32Array(outLength + 1).fill(777)),
    low,
    high,
  };
  const [inner, edge] = [depthwiseName(g), edgeName(g)].map(
    (name) => instance.exports[name] as unknown as DepthwiseFunction,
  );
  runDepthwise(s, at, d.inputScales, new Int32Array(memory.buffer), inner, edge);
  return heap.slice(at.output / 4, at.output / 4 + outLength + 1);
}

describe.each(["f32", "qd8"] as const)("%s depthwise convolution", (kind) => {
  it.each(CASES)("equals the definition exactly: %s", async (_, shape) => {
    const data = dataFor(shape, kind);
    const geometry = { ...shape, data: kind };
    for (const [low, high] of [
      [-Infinity, Infinity],
      [0, 0.5],
    ] as const) {
      const out = await run(shape, geometry, data, low, high);
      expect(out.subarray(0, -1)).toEqual(define(shape, kind, data, low, f(high)));
      expect(out[out.length - 1], "the float behind the output").toBe(777);
    }
  });
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
