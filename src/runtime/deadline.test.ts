import { describe, expect, it } from "vitest";
import { buildModel, optionsFor, type SubgraphSpec } from "../../test/model-builder.ts";
import { isOctavoError } from "../base/errors.ts";
import { Interpreter } from "./interpreter.ts";

/** y = x, doubled while it is below 100: for ever when x is 0 or below. */
const DOUBLING: SubgraphSpec[] = [
  {
    tensors: { x: { shape: [1] }, y: { shape: [1] } },
    operators: [
      {
        op: "WHILE",
        inputs: ["x"],
        outputs: ["y"],
        options: optionsFor("WhileOptions", { cond_subgraph_index: 1, body_subgraph_index: 2 }),
      },
    ],
    inputs: ["x"],
    outputs: ["y"],
  },
  {
    tensors: {
      a: { shape: [1] },
      limit: { shape: [1], data: Float32Array.of(100) },
      r: { shape: [1], dtype: "bool" },
    },
    operators: [{ op: "LESS", inputs: ["a", "limit"], outputs: ["r"] }],
    inputs: ["a"],
    outputs: ["r"],
  },
  {
    tensors: { a: { shape: [1] }, sum: { shape: [1] } },
    operators: [{ op: "ADD", inputs: ["a", "a"], outputs: ["sum"] }],
    inputs: ["a"],
    outputs: ["sum"],
  },
];

/** A loop on a flag, whose subgraphs have no operators at all. */
const IDLE: SubgraphSpec[] = [
  {
    tensors: { x: { shape: [], dtype: "bool" }, y: { shape: [], dtype: "bool" } },
    operators: DOUBLING[0]!.operators,
    inputs: ["x"],
    outputs: ["y"],
  },
  ...[1, 2].map(() => ({
    tensors: { a: { shape: [], dtype: "bool" as const } },
    operators: [],
    inputs: ["a"],
    outputs: ["a"],
  })),
];

/** One product of 2·10⁹ multiplications: many times the limit on any machine. */
const PRODUCT: SubgraphSpec[] = [
  {
    tensors: { a: { shape: [1300, 1300] }, b: { shape: [1300, 1300] }, y: { shape: [1300, 1300] } },
    operators: [{ op: "BATCH_MATMUL", inputs: ["a", "b"], outputs: ["y"] }],
    inputs: ["a", "b"],
    outputs: ["y"],
  },
];

describe("a time limit", () => {
  it.each(["reference", "auto"] as const)(
    "stops a loop that never ends, and the next run is a whole one (%s)",
    async (kernels) => {
      const interpreter = await Interpreter.create(buildModel(DOUBLING), { kernels });
      interpreter.setTensor("x", Float32Array.of(3));
      await interpreter.invoke({ timeLimitMs: 60_000 });
      expect(interpreter.getTensor("y")).toEqual(Float32Array.of(192));

      interpreter.setTensor("x", Float32Array.of(0));
      const error: unknown = await interpreter.invoke({ timeLimitMs: 20 }).catch((e) => e);
      expect(isOctavoError(error, "LimitError") && error.limit).toBe("timeLimitMs");
      expect(() => interpreter.getTensor("y")).toThrow(/no value yet/);

      interpreter.setTensor("x", Float32Array.of(5));
      await interpreter.invoke();
      expect(interpreter.getTensor("y")).toEqual(Float32Array.of(160));
    },
  );

  it("stops a loop whose subgraphs do nothing", async () => {
    const interpreter = await Interpreter.create(buildModel(IDLE));
    interpreter.setTensor("x", Uint8Array.of(1));
    await expect(interpreter.invoke({ timeLimitMs: 20 })).rejects.toThrow(/expected at most 20 ms/);
  });

  it.each(["reference", "auto"] as const)(
    "ends a long operator on its way (%s)",
    async (kernels) => {
      const interpreter = await Interpreter.create(buildModel(PRODUCT), { kernels });
      await expect(interpreter.invoke({ timeLimitMs: 5 })).rejects.toThrow(
        /BATCH_MATMUL.*at most 5 ms/,
      );
      await interpreter.invoke();
    },
  );

  it.each([0, -1, Number.NaN])("refuses %d milliseconds", async (timeLimitMs) => {
    const interpreter = await Interpreter.create(buildModel(DOUBLING));
    await expect(interpreter.invoke({ timeLimitMs })).rejects.toThrow(/timeLimitMs/);
  });
});
