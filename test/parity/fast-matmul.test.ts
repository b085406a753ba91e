/** Emitted batch products against the reference, broadcast and transposed. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import { oneOperatorModel } from "../one-operator-model.ts";
import { expectAgreement, RUNS, uniform } from "./agreement.ts";

it("products of batches agree, with a constant operand too", async () => {
  const size = fc.integer({ min: 1, max: 40 });
  const batches = fc.constantFrom([[], []], [[3], [3]], [[2, 3], [3]], [[2, 1], [3]], [[], [2]]);
  await fc.assert(
    fc.asyncProperty(
      batches,
      fc.tuple(size, size, size),
      fc.boolean(),
      fc.boolean(),
      async ([left, right], [rows, depth, columns], adj_y, isConstant) => {
        const y = [...right, ...(adj_y ? [columns, depth] : [depth, columns])];
        const length = y.reduce((product, axis) => product * axis, 1);
        const data = Float32Array.from({ length }, uniform(3));
        const model = oneOperatorModel(
          "BATCH_MATMUL",
          { type: "BatchMatMulOptions", value: { ...defaultsOf("BatchMatMulOptions"), adj_y } },
          [{ shape: [...left, rows, depth] }, { shape: y, ...(isConstant ? { data } : {}) }],
          { shape: [1] },
        );
        await expectAgreement(model, false);
      },
    ),
    RUNS,
  );
});
