import { describe, expect, it } from "vitest";
import { buildModel, optionsFor, type SubgraphSpec } from "../../test/model-builder.ts";
import { isOctavoError } from "../base/errors.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { float32 } from "../kernels/views.ts";
import type { Model } from "../model/ir.ts";
import { Interpreter } from "./interpreter.ts";
import type { InterpreterOptions } from "./interpreter-options.ts";

const REFERENCE: InterpreterOptions = { kernels: "reference" };

/** y = (x + c) + c, with the sum in between as `middle`. */
const SUMS: SubgraphSpec = {
  tensors: {
    x: { shape: [1, 4], signature: [-1, 4] },
    c: { shape: [4], data: Float32Array.of(1, 2, 3, 4) },
    middle: { shape: [1, 4] },
    y: { shape: [1, 4] },
  },
  operators: [
    { op: "ADD", inputs: ["x", "c"], outputs: ["middle"] },
    { op: "ADD", inputs: ["middle", "c"], outputs: ["y"] },
  ],
  inputs: ["x"],
  outputs: ["y"],
};

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function thrown(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

function open(model: Model, options: InterpreterOptions = {}): Promise<Interpreter> {
  return Interpreter.create(model, { ...REFERENCE, ...options });
}

describe("Interpreter", () => {
  it("describes inputs and outputs, runs, and returns copies", async () => {
    const interpreter = await open(buildModel([SUMS]));
    expect(interpreter.getInputDetails()).toEqual([
      { index: 0, name: "x", shape: [1, 4], shapeSignature: [-1, 4], dtype: "float32" },
    ]);
    interpreter.setTensor("x", Float32Array.of(0, 0, 1, 1));
    await interpreter.invoke();
    const y = interpreter.getTensor("y");
    expect(y).toEqual(Float32Array.of(2, 4, 7, 9));
    interpreter.setTensor(0, Float32Array.of(9, 9, 9, 9));
    await interpreter.invoke();
    expect(y).toEqual(Float32Array.of(2, 4, 7, 9));
  });

  it("reads what a signature names, though it is no output", async () => {
    const signature = {
      ...{ key: "serve", subgraphIndex: 0, inputs: [] },
      outputs: [{ name: "between", tensorIndex: 2 }],
    };
    const interpreter = await open(buildModel([SUMS], [signature]));
    interpreter.setTensor("x", Float32Array.of(0, 0, 0, 0));
    await interpreter.invoke();
    expect(interpreter.getTensor("between")).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(2, 4, 6, 8));
  });

  it("takes names of a signature for tensors", async () => {
    const signature = {
      key: "serve",
      inputs: [{ name: "image", tensorIndex: 0 }],
      outputs: [{ name: "scores", tensorIndex: 3 }],
      subgraphIndex: 0,
    };
    const interpreter = await open(buildModel([SUMS], [signature]), { signature: "serve" });
    interpreter.setTensor("image", new Float32Array(4));
    await interpreter.invoke();
    expect(interpreter.getTensor("scores")).toEqual(Float32Array.of(2, 4, 6, 8));
    expect(
      isOctavoError(await rejection(open(buildModel([SUMS]), { signature: "x" })), "UsageError"),
    ).toBe(true);
  });

  it("plans again for other input shapes", async () => {
    const interpreter = await open(buildModel([SUMS]));
    await interpreter.resizeInput("x", [2, 4]);
    interpreter.setTensor("x", new Float32Array(8));
    await interpreter.invoke();
    expect(interpreter.getOutputDetails()[0]?.shape).toEqual([2, 4]);
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(2, 4, 6, 8, 2, 4, 6, 8));
  });

  it.each([[[2]], [[-1]]])(
    "keeps taking inputs after a resize to %j that changes nothing",
    async (shape) => {
      const spec: SubgraphSpec = {
        tensors: { a: { shape: [2] }, b: { shape: [2] }, sum: { shape: [2] } },
        operators: [{ op: "ADD", inputs: ["a", "b"], outputs: ["sum"] }],
        inputs: ["a", "b"],
        outputs: ["sum"],
      };
      const interpreter = await open(buildModel([spec]));
      interpreter.setTensor("a", Float32Array.of(1, 1));
      await interpreter.resizeInput("b", shape).catch(() => undefined);
      interpreter.setTensor("a", Float32Array.of(2, 3));
      interpreter.setTensor("b", Float32Array.of(10, 20));
      await interpreter.invoke();
      expect(interpreter.getTensor("sum")).toEqual(Float32Array.of(12, 23));
    },
  );

  it("opens a model whose shapes do not fit its weights with others", async () => {
    const misfit = buildModel([{ ...SUMS, tensors: { ...SUMS.tensors, x: { shape: [1, 3] } } }]);
    expect(isOctavoError(await rejection(open(misfit)), "ShapeError")).toBe(true);
    const interpreter = await open(misfit, { inputShapes: { x: [2, 4] } });
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toHaveLength(8);
    const unknown = await rejection(open(misfit, { inputShapes: { z: [2, 4] } }));
    expect(isOctavoError(unknown, "UsageError")).toBe(true);
  });

  it("says at the next run when operators cannot work with a shape", async () => {
    const interpreter = await open(buildModel([SUMS]));
    await interpreter.resizeInput("x", [1, 3]);
    expect(isOctavoError(await rejection(interpreter.invoke()), "ShapeError")).toBe(true);
    await interpreter.resizeInput("x", [1, 4]);
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toHaveLength(4);
  });

  it("refuses elements of another type or number, unknown tensors, and shapes that cannot be", async () => {
    const interpreter = await open(buildModel([SUMS]));
    const codes = [
      thrown(() => interpreter.setTensor("x", new Int8Array(4))),
      thrown(() => interpreter.setTensor("x", new Float32Array(5))),
      thrown(() => interpreter.setTensor("y", new Float32Array(4))),
      thrown(() => interpreter.getTensor("z")),
      await rejection(interpreter.resizeInput("x", [-1, 4])),
      await rejection(interpreter.resizeInput("x", [2 ** 20, 2 ** 20])),
    ].map((error) => isOctavoError(error) && error.code);
    expect(codes).toEqual([
      "ShapeError",
      "ShapeError",
      "UsageError",
      "UsageError",
      "ShapeError",
      "LimitError",
    ]);
  });

  it("reads no output before the first run, and no activation that was not kept", async () => {
    const interpreter = await open(buildModel([SUMS]));
    expect(
      isOctavoError(
        thrown(() => interpreter.getTensor("y")),
        "UsageError",
      ),
    ).toBe(true);
    await interpreter.invoke();
    expect(
      isOctavoError(
        thrown(() => interpreter.getTensor("middle")),
        "UsageError",
      ),
    ).toBe(true);
    const keeping = await open(buildModel([SUMS]), { preserveAllTensors: true });
    await keeping.invoke();
    expect(keeping.getTensor("middle")).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it("cannot be used after dispose", async () => {
    const interpreter = await open(buildModel([SUMS]));
    interpreter.dispose();
    expect(isOctavoError(await rejection(interpreter.invoke()), "UsageError")).toBe(true);
  });

  it("lists everything that it cannot run in one error", async () => {
    const model = buildModel([
      {
        ...SUMS,
        operators: [
          { op: "CUSTOM", customCode: "FlexErf", inputs: ["x"], outputs: ["middle"] },
          { op: "CONCAT_EMBEDDINGS", inputs: ["middle"], outputs: ["y"] },
        ],
      },
    ]);
    const error = await rejection(open(model));
    expect(isOctavoError(error, "UnsupportedError") && error.features).toEqual([
      "CONCAT_EMBEDDINGS",
      "custom operator FlexErf",
    ]);
    expect(error).toHaveProperty(
      "message",
      expect.stringContaining("Flex operators need TensorFlow"),
    );
  });

  it("runs custom operators that were registered", async () => {
    const twice: Kernel = {
      check: () => undefined,
      shapes: (node) => [node.inputs[0]?.shape],
      create:
        () =>
        ([x], [y]) => {
          float32(y).set(float32(x).map((value) => 2 * value));
        },
    };
    const model = buildModel([
      {
        ...SUMS,
        operators: [
          { op: "CUSTOM", customCode: "Twice", inputs: ["x"], outputs: ["middle"] },
          { op: "ADD", inputs: ["middle", "c"], outputs: ["y"] },
        ],
      },
    ]);
    const interpreter = await open(model, { customOperators: { Twice: twice } });
    interpreter.setTensor("x", Float32Array.of(1, 1, 1, 1));
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(3, 4, 5, 6));
  });

  it("dequantizes a weight once, however many operators read it and however often they run", async () => {
    const model = buildModel([
      {
        tensors: {
          x: { shape: [1, 4] },
          stored: { shape: [4, 4], dtype: "int8", data: new Int8Array(16).fill(2), scale: 0.5 },
          w: { shape: [4, 4] },
          middle: { shape: [1, 4] },
          y: { shape: [1, 4] },
        },
        operators: [
          { op: "DEQUANTIZE", inputs: ["stored"], outputs: ["w"] },
          { op: "FULLY_CONNECTED", inputs: ["x", "w", "none"], outputs: ["middle"] },
          { op: "FULLY_CONNECTED", inputs: ["middle", "w", "none"], outputs: ["y"] },
        ],
        inputs: ["x"],
        outputs: ["y"],
      },
    ]);
    const interpreter = await open(model);
    interpreter.setTensor("x", Float32Array.of(1, 1, 1, 1));
    for (let run = 0; run < 5; run++) await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(16, 16, 16, 16));
    expect(interpreter.memory()).toMatchObject({ computedOnce: 1, computedOnceBytes: 64 });
    await interpreter.resizeInput("x", [3, 4]);
    await interpreter.invoke();
    expect(interpreter.memory().computedOnce).toBe(1);
  });

  it("tells an observer what ran", async () => {
    const seen: string[] = [];
    const observe = ({ op, operator }: { op: string; operator: number }) => {
      seen.push(`${operator} ${op}`);
    };
    const interpreter = await open(buildModel([SUMS]), { observe });
    await interpreter.invoke();
    expect(seen).toEqual(["0 ADD", "1 ADD"]);
  });

  it("finds shapes while running where only values tell them", async () => {
    const model = buildModel([
      {
        tensors: {
          x: { shape: [2, 3] },
          shape: { shape: [2], dtype: "int32" },
          reshaped: { shape: [] },
          y: { shape: [] },
        },
        operators: [
          { op: "RESHAPE", inputs: ["x", "shape"], outputs: ["reshaped"] },
          { op: "NEG", inputs: ["reshaped"], outputs: ["y"] },
        ],
        inputs: ["x", "shape"],
        outputs: ["y"],
      },
    ]);
    const interpreter = await open(model);
    interpreter.setTensor("x", Float32Array.of(1, 2, 3, 4, 5, 6));
    for (const shape of [
      [3, 2],
      [6, 1],
    ]) {
      interpreter.setTensor("shape", Int32Array.from(shape));
      await interpreter.invoke();
      expect(interpreter.getOutputDetails()[0]?.shape).toEqual(shape);
      expect(interpreter.getTensor("y")).toEqual(Float32Array.of(-1, -2, -3, -4, -5, -6));
    }
    interpreter.setTensor("shape", Int32Array.of(5, 5));
    expect(isOctavoError(await rejection(interpreter.invoke()))).toBe(true);
  });

  it("keeps its memory over a thousand runs", async () => {
    const interpreter = await open(buildModel([SUMS]));
    await interpreter.invoke();
    const before = interpreter.memory();
    const bytesBefore = process.memoryUsage().arrayBuffers;
    for (let run = 0; run < 1000; run++) {
      interpreter.setTensor("x", Float32Array.of(run, 0, 0, 0));
      await interpreter.invoke();
    }
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(1001, 4, 6, 8));
    expect(interpreter.memory()).toEqual(before);
    expect(process.memoryUsage().arrayBuffers - bytesBefore).toBeLessThan(2 ** 23);
  });

  it("carries defaults where the file leaves options out", async () => {
    const options = optionsFor("AddOptions", { fused_activation_function: "RELU_N1_TO_1" });
    const [first, second] = SUMS.operators;
    const operators = [first!, { ...second!, options }];
    const interpreter = await open(buildModel([{ ...SUMS, operators }]));
    await interpreter.invoke();
    expect(interpreter.getTensor("y")).toEqual(Float32Array.of(1, 1, 1, 1));
  });
});
