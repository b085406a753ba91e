/**
 * Several threads against one, on the built package: workers are files of their own, which exist only after a build.
 * Results must be the same to the bit.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type * as Api from "../../src/index.ts";
import type { Model } from "../../src/model/ir.ts";
import type * as Emitted from "../../src/runtime/emitted-code.ts";
import { MAX_PAGES } from "../../src/runtime/emitted-code.ts";
import type * as Hosts from "../../src/runtime/worker-host.ts";
import type { WorkerHost } from "../../src/runtime/worker-host.ts";
import type { ModuleBuilder } from "../../src/wasm/module-builder.ts";
import { oneOperatorModel } from "../one-operator-model.ts";
import { describeWithShared, sharedPath } from "../shared.ts";

const entry = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
let api: typeof Api;

beforeAll(async () => {
  expect(existsSync(entry), "dist/index.js, made by npm run build").toBe(true);
  api = (await import(entry)) as typeof Api;
});

function ramp(length: number): Float32Array {
  return Float32Array.from({ length }, (_, index) => Math.sin(index * 0.7));
}

/** A convolution large enough to be cut into many calls. */
function convolution(): Model {
  const value = { ...defaultsOf("Conv2DOptions"), stride_h: 1, stride_w: 1 } as const;
  return oneOperatorModel(
    "CONV_2D",
    { type: "Conv2DOptions", value },
    [
      { shape: [1, 40, 40, 24] },
      { shape: [33, 3, 3, 24], data: ramp(33 * 9 * 24) },
      { shape: [33], data: ramp(33) },
    ],
    { shape: [1] },
  );
}

/** A recurrence wide enough for its products to be shared out. */
function recurrence(): Model {
  const value = {
    ...defaultsOf("SequenceRNNOptions"),
    fused_activation_function: "TANH",
    time_major: true,
  } as const;
  const matrix = { shape: [600, 600], data: ramp(600 * 600).map((weight) => weight / 60) };
  return oneOperatorModel(
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    { type: "SequenceRNNOptions", value },
    [
      { shape: [5, 2, 600] },
      matrix,
      { ...matrix },
      { shape: [600], data: ramp(600) },
      { shape: [2, 600], isVariable: true },
    ],
    { shape: [1] },
  );
}

const IMAGE = [1, 40, 41, 24];

/** Operators whose work is cut by elements, rows or windows; each has enough of it for several threads. */
const SHARED: Readonly<Record<string, () => Model>> = {
  logistic: () => oneOperatorModel("LOGISTIC", undefined, [{ shape: IMAGE }], { shape: [1] }),
  "sum of equal shapes": () => pair("ADD", IMAGE),
  "product per channel": () => pair("MUL", [24]),
  "product per pixel": () => pair("MUL", [1, 40, 41, 1]),
  softmax: () => {
    const value = { ...defaultsOf("SoftmaxOptions"), beta: 1 };
    const options = { type: "SoftmaxOptions", value } as const;
    return oneOperatorModel("SOFTMAX", options, [{ shape: IMAGE }], { shape: [1] });
  },
  "largest of each row": () => {
    const axis = { shape: [1], dtype: "int32", data: Int32Array.of(-1) } as const;
    const options = { type: "ReducerOptions", value: { keep_dims: false } } as const;
    return oneOperatorModel("REDUCE_MAX", options, [{ shape: IMAGE }, axis], { shape: [1] });
  },
  "average pool": () => {
    const size = { stride_h: 1, stride_w: 1, filter_height: 3, filter_width: 3 };
    const value = { ...defaultsOf("Pool2DOptions"), ...size };
    const options = { type: "Pool2DOptions", value } as const;
    return oneOperatorModel("AVERAGE_POOL_2D", options, [{ shape: IMAGE }], { shape: [1] });
  },
  "depthwise convolution": () => {
    const size = { stride_h: 1, stride_w: 1, depth_multiplier: 1 };
    const value = { ...defaultsOf("DepthwiseConv2DOptions"), ...size };
    return oneOperatorModel(
      "DEPTHWISE_CONV_2D",
      { type: "DepthwiseConv2DOptions", value },
      [
        { shape: IMAGE },
        { shape: [1, 3, 3, 24], data: ramp(216) },
        { shape: [24], data: ramp(24) },
      ],
      { shape: [1] },
    );
  },
  "hybrid depthwise convolution": () => {
    const size = { stride_h: 1, stride_w: 1, depth_multiplier: 1 };
    const value = { ...defaultsOf("DepthwiseConv2DOptions"), ...size };
    const data = Int8Array.from({ length: 216 }, (_, index) => ((index * 37) % 255) - 127);
    return oneOperatorModel(
      "DEPTHWISE_CONV_2D",
      { type: "DepthwiseConv2DOptions", value },
      [
        { shape: IMAGE },
        { shape: [1, 3, 3, 24], dtype: "int8", data, scale: Float32Array.of(0.01) },
        { shape: [24], data: ramp(24) },
      ],
      { shape: [1] },
    );
  },
  "depthwise convolution of int8, stride 2": () => {
    const size = { stride_h: 2, stride_w: 2, depth_multiplier: 1 };
    const value = { ...defaultsOf("DepthwiseConv2DOptions"), ...size };
    const image = { dtype: "int8", scale: Float32Array.of(0.008), zeroPoint: [3] } as const;
    const data = Int8Array.from({ length: 216 }, (_, index) => ((index * 37) % 255) - 127);
    return oneOperatorModel(
      "DEPTHWISE_CONV_2D",
      { type: "DepthwiseConv2DOptions", value },
      [
        { shape: IMAGE, ...image },
        { shape: [1, 3, 3, 24], dtype: "int8", data, scale: Float32Array.of(0.003) },
      ],
      { shape: [1], ...image, scale: Float32Array.of(0.02) },
    );
  },
  "depthwise convolution of int16": () => {
    const size = { stride_h: 1, stride_w: 1, depth_multiplier: 1 };
    const value = { ...defaultsOf("DepthwiseConv2DOptions"), ...size };
    const image = { dtype: "int16", scale: Float32Array.of(0.001), zeroPoint: [0] } as const;
    const data = Int8Array.from({ length: 216 }, (_, index) => ((index * 37) % 255) - 127);
    return oneOperatorModel(
      "DEPTHWISE_CONV_2D",
      { type: "DepthwiseConv2DOptions", value },
      [
        { shape: IMAGE, ...image },
        { shape: [1, 3, 3, 24], dtype: "int8", data, scale: Float32Array.of(0.01) },
      ],
      { shape: [1], ...image },
    );
  },
  "hybrid convolution": () => {
    const value = { ...defaultsOf("Conv2DOptions"), stride_h: 1, stride_w: 1 };
    const weights = Int8Array.from({ length: 33 * 24 }, (_, index) => ((index * 37) % 255) - 127);
    return oneOperatorModel(
      "CONV_2D",
      { type: "Conv2DOptions", value },
      [
        { shape: IMAGE },
        {
          shape: [33, 1, 1, 24],
          dtype: "int8",
          data: weights,
          scale: ramp(33).map((scale) => Math.abs(scale) / 50 + 0.01),
        },
        { shape: [33], data: ramp(33) },
      ],
      { shape: [1] },
    );
  },
  "bilinear resize": () => {
    const size = { shape: [2], dtype: "int32", data: Int32Array.of(53, 61) } as const;
    const value = { align_corners: false, half_pixel_centers: true };
    const options = { type: "ResizeBilinearOptions", value } as const;
    return oneOperatorModel("RESIZE_BILINEAR", options, [{ shape: IMAGE }, size], { shape: [1] });
  },
};

function pair(op: "ADD" | "MUL", second: readonly number[]): Model {
  return oneOperatorModel(op, undefined, [{ shape: IMAGE }, { shape: second }], { shape: [1] });
}

/** Numbers from −1 to 1 in the type of an input. */
function inputOf(dtype: string, values: Float32Array): Float32Array | Int16Array | Int8Array {
  if (dtype === "int16") return Int16Array.from(values, (value) => Math.round(value * 1e4));
  return dtype === "int8" ? Int8Array.from(values, (value) => Math.round(value * 127)) : values;
}

async function outputOf(
  model: Model | Uint8Array,
  options: Api.InterpreterOptions,
): Promise<number[]> {
  const interpreter = await api.Interpreter.create(model, { kernels: "simd", ...options });
  const outputs: number[] = [];
  for (let run = 0; run < 3; run++) {
    for (const { index, shape, dtype } of interpreter.getInputDetails()) {
      const values = ramp(shape.reduce((product, size) => product * size, 1));
      interpreter.setTensor(index, inputOf(dtype, values));
    }
    await interpreter.invoke();
    for (const { index } of interpreter.getOutputDetails()) {
      outputs.push(...(interpreter.getTensor(index) as Float32Array));
    }
  }
  interpreter.dispose();
  return outputs;
}

describe("threads", () => {
  it("give the same result to the bit", async () => {
    const one = await outputOf(convolution(), { threads: 1 });
    expect(await outputOf(convolution(), { threads: 2 })).toEqual(one);
    expect(await outputOf(convolution(), { threads: 5 })).toEqual(one);
  });

  it("give the same result to the bit with 256-bit kernels, where there are some", async () => {
    const one = await outputOf(convolution(), { threads: 1 });
    expect(await outputOf(convolution(), { threads: 3, wide: true })).toEqual(one);
  });

  it.each(Object.entries(SHARED))("give the same %s to the bit", async (_, build) => {
    const one = await outputOf(build(), { threads: 1 });
    expect(await outputOf(build(), { threads: 3 })).toEqual(one);
  });

  it("carry recurrent states as one thread does", async () => {
    const one = await outputOf(recurrence(), { threads: 1 });
    expect(await outputOf(recurrence(), { threads: 3 })).toEqual(one);
  });

  it("that never start are not waited for", async () => {
    const absent: WorkerHost = () => ({ terminate: () => undefined });
    const one = await outputOf(convolution(), { threads: 1 });
    expect(await outputOf(convolution(), { threads: 4, workerHost: absent })).toEqual(one);
  });

  it("that die fail the call with an error, and the interpreter can be disposed", async () => {
    const deaths: ((reason: unknown) => void)[] = [];
    let ended = 0;
    const workerHost: WorkerHost = (_, onDeath) => {
      deaths.push(onDeath);
      return { terminate: () => void ended++ };
    };
    const options = { kernels: "simd", threads: 3, workerHost } as const;
    const interpreter = await api.Interpreter.create(convolution(), options);
    await interpreter.invoke();
    deaths[0]?.(new Error("out of memory"));
    await expect(interpreter.invoke()).rejects.toThrow(
      "threads: a worker thread that died, expected 3 threads that answer.",
    );
    interpreter.dispose();
    expect(ended).toBe(2);
  });
});

describe("lists of calls", () => {
  it.each([2, 5])("are made once each, list after list, on %i threads", async (threads) => {
    const dist = fileURLToPath(new URL("../../dist/runtime/", import.meta.url));
    const { EmittedCode } = (await import(`${dist}emitted-code.js`)) as typeof Emitted;
    const { findWorkerHost } = (await import(`${dist}worker-host.js`)) as typeof Hosts;
    const host = findWorkerHost();
    if (host === undefined) return expect.unreachable("Node has workers");
    const memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
    const workers = { host, count: threads - 1 };
    const code = new EmittedCode([{ name: "add", emit: emitAdd }], memory, { workers });
    const cells = new Int32Array(memory.buffer, 0, 256);
    const wanted = new Int32Array(cells.length);
    for (let job = 0; job < 12_000; job++) {
      // Lists of a job add to the same cells, so that one that does not wait for the other loses a number.
      const lists = Array.from({ length: 1 + (job % 5) }, (_, list) => {
        const usual = 2 + (job % 37) + (job % 1000 === 0 ? 200 : 0);
        const count = list === 1 && job % 7 === 0 ? 0 : list === 0 && job % 11 === 0 ? 1 : usual;
        const first = (job * 31) % (cells.length - count);
        const calls = Array.from({ length: count }, (_, index) => [
          (first + index) * 4,
          job + list,
        ]);
        for (let cell = first; cell < first + count; cell++) wanted[cell]! += job + list;
        return { name: "add", calls };
      });
      code.callInTurn(lists);
    }
    code.dispose();
    expect(cells).toEqual(wanted);
  });
});

/** `add(address, number)`: adds to a cell, in a way that loses numbers when two threads do it at a time. */
function emitAdd(module: ModuleBuilder): void {
  const f = module.function(["i32", "i32"], [], "add");
  f.get(f.param(0));
  f.get(f.param(0));
  f.mem("i32.load");
  f.get(f.param(1));
  f.op("i32.add");
  f.mem("i32.store");
}

describeWithShared("threads on whole networks", () => {
  it.each([
    ["mobilenet_like", "float"],
    ["mobilenet_like", "dynamic_range"],
    ["residual", "dynamic_range"],
  ])("%s, %s: two threads answer as one does", async (name, mode) => {
    const bytes = readFileSync(sharedPath("goldens", "keras", name, "tflite", `${mode}.tflite`));
    expect(await outputOf(bytes, { threads: 2 })).toEqual(await outputOf(bytes, { threads: 1 }));
  });
});
