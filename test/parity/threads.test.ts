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
import type { WorkerHost } from "../../src/runtime/worker-host.ts";
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

async function outputOf(
  model: Model | Uint8Array,
  options: Api.InterpreterOptions,
): Promise<number[]> {
  const interpreter = await api.Interpreter.create(model, { kernels: "simd", ...options });
  const outputs: number[] = [];
  for (let run = 0; run < 3; run++) {
    for (const { index, shape } of interpreter.getInputDetails()) {
      interpreter.setTensor(index, ramp(shape.reduce((product, size) => product * size, 1)));
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
