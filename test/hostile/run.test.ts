/** Models that load but contradict themselves, and values that operators cannot work with: typed errors, nothing else. */
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import type { Model, Tensor } from "../../src/model/ir.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { buildModel, optionsFor, type TensorSpec } from "../model-builder.ts";

async function codeOf(model: Model | Uint8Array): Promise<string | undefined> {
  try {
    const interpreter = await Interpreter.create(model, { kernels: "reference" });
    await interpreter.invoke();
    return undefined;
  } catch (error) {
    if (isOctavoError(error)) return error.code;
    throw error;
  }
}

function single(
  op: "CONV_2D" | "FULLY_CONNECTED" | "DEPTHWISE_CONV_2D" | "EMBEDDING_LOOKUP" | "MAX_POOL_2D",
  operands: readonly TensorSpec[],
  output: TensorSpec,
): Model {
  const names = operands.map((_, at) => `i${at}`);
  return buildModel([
    {
      tensors: {
        ...Object.fromEntries(operands.map((spec, at) => [names[at], spec])),
        out: output,
      },
      operators: [{ op, inputs: names, outputs: ["out"] }],
      inputs: names.filter((_, at) => operands[at]?.data === undefined),
      outputs: ["out"],
    },
  ]);
}

const floats = (...shape: number[]): TensorSpec => ({
  shape,
  data: new Float32Array(shape.reduce((product, size) => product * size, 1)),
});

describe("models that contradict themselves", () => {
  it.each([
    ["a filter of other channels", "CONV_2D", [{ shape: [1, 4, 4, 3] }, floats(2, 1, 1, 2)]],
    ["a filter of rank 3", "CONV_2D", [{ shape: [1, 4, 4, 3] }, floats(2, 1, 3)]],
    ["a bias too short", "CONV_2D", [{ shape: [1, 4, 4, 3] }, floats(2, 1, 1, 3), floats(1)]],
    ["rows that do not divide", "FULLY_CONNECTED", [{ shape: [1, 7] }, floats(2, 3)]],
    [
      "a depthwise filter too narrow",
      "DEPTHWISE_CONV_2D",
      [{ shape: [1, 4, 4, 3] }, floats(1, 1, 1, 2)],
    ],
    ["no stride", "MAX_POOL_2D", [{ shape: [1, 4, 4, 1] }]],
  ] as const)("refuses %s", async (_, op, operands) => {
    expect(await codeOf(single(op, operands, { shape: [1, 1] }))).toBe("ShapeError");
  });

  it("refuses types that do not go together, before it runs", async () => {
    const model = single(
      "FULLY_CONNECTED",
      [{ shape: [1, 2], dtype: "int8", scale: 1 }, floats(2, 2)],
      { shape: [1, 2], dtype: "int8", scale: 1 },
    );
    expect(await codeOf(model)).toBe("UnsupportedError");
  });

  it("refuses integers without scales", async () => {
    const model = single(
      "FULLY_CONNECTED",
      [
        { shape: [1, 2], dtype: "int8" },
        { shape: [2, 2], dtype: "int8", data: new Int8Array(4), scale: 1 },
      ],
      { shape: [1, 2], dtype: "int8", scale: 1 },
    );
    expect(await codeOf(model)).toBe("GraphError");
  });

  it("refuses ids outside a table, and reads nothing", async () => {
    for (const id of [-1, 3, 2 ** 31 - 1]) {
      const ids = { shape: [1], dtype: "int32", data: Int32Array.of(id) } as const;
      expect(await codeOf(single("EMBEDDING_LOOKUP", [ids, floats(3, 2)], { shape: [1, 2] }))).toBe(
        "ExecutionError",
      );
    }
  });

  it("refuses an output of absurd size without allocating it", async () => {
    const model = buildModel([
      {
        tensors: {
          sizes: { shape: [3], dtype: "int32", data: Int32Array.of(65536, 65536, 64) },
          value: { shape: [], data: Float32Array.of(1) },
          out: { shape: [] },
        },
        operators: [
          {
            op: "FILL",
            inputs: ["sizes", "value"],
            outputs: ["out"],
            options: optionsFor("FillOptions"),
          },
        ],
        inputs: [],
        outputs: ["out"],
      },
    ]);
    expect(await codeOf(model)).toBe("LimitError");
  });
});

/** Deterministic numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("a small model with its operands changed at random", () => {
  it("ends in a typed error or a result, whatever shape a tensor claims", async () => {
    const random = generator(20);
    const outcomes = new Set<string | undefined>();
    const base = single("CONV_2D", [{ shape: [1, 4, 4, 3] }, floats(2, 2, 2, 3), floats(2)], {
      shape: [1, 4, 4, 2],
    });
    for (let round = 0; round < 500; round++) {
      const [main] = base.subgraphs;
      const tensors = main!.tensors.map((tensor): Tensor => {
        const shape = tensor.shape.map((size) =>
          random() < 0.3 ? Math.floor(random() * 9) : size,
        );
        return random() < 0.5 ? { ...tensor, shape } : tensor;
      });
      outcomes.add(await codeOf({ ...base, subgraphs: [{ ...main!, tensors }] }));
    }
    expect(outcomes.size).toBeGreaterThan(1);
  });
});
