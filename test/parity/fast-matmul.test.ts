/** Emitted batch products, float, hybrid and of integers, against the reference, broadcast and transposed. */
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

it("products of batches with an int8 operand agree to the bit", async () => {
  const size = fc.integer({ min: 1, max: 40 });
  const batches = fc.constantFrom([[], []], [[3], [3]], [[2, 3], [3]], [[2, 1], [3]], [[], [2]]);
  await fc.assert(
    fc.asyncProperty(
      batches,
      fc.tuple(size, size, size),
      fc.record({
        kind: fc.constantFrom("hybrid", "bytes", "sums"),
        adj_y: fc.boolean(),
        isConstant: fc.boolean(),
        isAsymmetric: fc.boolean(),
      }),
      fc.tuple(fc.constantFrom(0, 5, -128), fc.double({ min: 0.002, max: 0.5, noNaN: true })),
      async ([left, right], [rows, depth, columns], choice, [zeroPoint, scale]) => {
        const { kind, adj_y, isConstant, isAsymmetric } = choice;
        const y = [...right, ...(adj_y ? [columns, depth] : [depth, columns])];
        const length = y.reduce((product, axis) => product * axis, 1);
        const next = uniform(3);
        const data = Int8Array.from({ length }, () => Math.round(next() * 127));
        const value = {
          ...defaultsOf("BatchMatMulOptions"),
          adj_y,
          asymmetric_quantize_inputs: isAsymmetric,
        };
        const bytes = (shape: readonly number[], own: number, zero: number) =>
          ({ shape, dtype: "int8", scale: Float32Array.of(own), zeroPoint: [zero] }) as const;
        const second = bytes(y, 0.01, kind === "bytes" ? zeroPoint : 0);
        const model = oneOperatorModel(
          "BATCH_MATMUL",
          { type: "BatchMatMulOptions", value },
          [
            kind === "hybrid"
              ? { shape: [...left, rows, depth] }
              : bytes([...left, rows, depth], 0.02, -9),
            isConstant ? { ...second, data } : second,
          ],
          kind === "bytes"
            ? bytes([1], scale, 11)
            : { shape: [1], dtype: kind === "sums" ? "int32" : "float32" },
        );
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 100 },
  );
});
