/** Emitted pools and reductions against the reference, on random geometries. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOperatorName, BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import { oneOperatorModel } from "../one-operator-model.ts";
import { activation, activations, expectAgreement, type Kind, RUNS } from "./agreement.ts";

const kinds = fc.constantFrom<Kind>("float", "int8", "uint8");
const size = fc.integer({ min: 1, max: 9 });
const channels = fc.integer({ min: 1, max: 37 });

it("pools agree on random geometries", async () => {
  await fc.assert(
    fc.asyncProperty(
      kinds,
      fc.constantFrom("AVERAGE_POOL_2D" as const, "MAX_POOL_2D" as const, "L2_POOL_2D" as const),
      fc.tuple(fc.integer({ min: 1, max: 2 }), size, size, channels),
      fc.tuple(size, size),
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      fc.constantFrom("SAME" as const, "VALID" as const),
      activations,
      async (kind, op, shape, filter, stride, padding, fused) => {
        fc.pre(op !== "L2_POOL_2D" || kind === "float");
        fc.pre(padding === "SAME" || (filter[0] <= shape[1] && filter[1] <= shape[2]));
        const options = {
          ...defaultsOf("Pool2DOptions"),
          padding,
          filter_height: filter[0],
          filter_width: filter[1],
          stride_h: stride[0],
          stride_w: stride[1],
          fused_activation_function: fused,
        } as const;
        const model = oneOperatorModel(
          op,
          { type: "Pool2DOptions", value: options } as BuiltinOptions,
          [activation(kind, shape, 0.02)],
          activation(kind, [1], 0.02),
        );
        await expectAgreement(model, kind !== "float");
      },
    ),
    { ...RUNS, numRuns: 120 },
  );
});

/** Axes that follow each other, with the last one kept: sums run in the order of the reference, one for each column. */
const COLUMNS = [[1, 2], [2, 1], [0], [1], [0, 1], [0, 1, 2], [-2]];
const ROWS = [[3], [-1], [2, 3], [0, 1, 2, 3]];
const SEVERAL_GROUPS = [
  [0, 2],
  [1, 3],
  [0, 2, 3],
  [0, 3],
];

function reductionModel(
  op: BuiltinOperatorName,
  kind: Kind,
  shape: readonly number[],
  axes: readonly number[],
  [keep_dims, scale]: readonly [boolean, number],
) {
  const value = { ...defaultsOf("ReducerOptions"), keep_dims };
  const axis = { shape: [axes.length], dtype: "int32", data: Int32Array.from(axes) } as const;
  const isExtremum = op === "REDUCE_MAX" || op === "REDUCE_MIN";
  return oneOperatorModel(
    op,
    { type: "ReducerOptions", value },
    [activation(kind, shape, 0.02), axis],
    activation(kind, [1], isExtremum ? 0.02 : scale),
  );
}

const reductionOperators = fc.constantFrom<BuiltinOperatorName>(
  ...(["SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"] as const),
);
const scale = fc.double({ min: 0.004, max: 0.3, noNaN: true });

it("reductions over neighbouring axes agree: of columns to the bit, of bytes always", async () => {
  await fc.assert(
    fc.asyncProperty(
      reductionOperators,
      kinds,
      fc.tuple(size, size, size, channels),
      fc.constantFrom(...COLUMNS, ...ROWS),
      fc.tuple(fc.boolean(), scale),
      async (op, kind, shape, axes, settings) => {
        fc.pre(op !== "REDUCE_PROD" || (kind === "float" && axes.length === 1));
        const isExact = kind !== "float" || COLUMNS.includes(axes);
        await expectAgreement(reductionModel(op, kind, shape, axes, settings), isExact);
      },
    ),
    { ...RUNS, numRuns: 150 },
  );
});

it("reductions over several groups of axes agree", async () => {
  await fc.assert(
    fc.asyncProperty(
      reductionOperators,
      kinds,
      fc.tuple(size, size, size, channels),
      fc.constantFrom(...SEVERAL_GROUPS),
      fc.tuple(fc.boolean(), scale),
      async (op, kind, shape, axes, settings) => {
        const isExtremum = op === "REDUCE_MAX" || op === "REDUCE_MIN";
        fc.pre(isExtremum || (kind === "float" && op !== "REDUCE_PROD"));
        const model = reductionModel(op, kind, shape, axes, settings);
        await expectAgreement(model, kind !== "float");
      },
    ),
    RUNS,
  );
});

it("the largest and smallest among NaN are the reference's, which depend on the order", async () => {
  const specials = [Number.NaN, Infinity, -Infinity, 1, 2, -3];
  const shape = [3, 5, 4, 6];
  const x = Float32Array.from({ length: 360 }, (_, i) => specials[((i * i + 7 * i) % 37) % 6]!);
  for (const op of ["REDUCE_MIN", "REDUCE_MAX"] as const) {
    for (const axes of [[1], [3], [0, 2], [1, 2]]) {
      const model = reductionModel(op, "float", shape, axes, [false, 1]);
      const [plain, fast] = await Promise.all(
        (["reference", "simd"] as const).map(async (kernels) => {
          const interpreter = await Interpreter.create(model, { kernels });
          interpreter.setTensor(0, x);
          await interpreter.invoke();
          return interpreter.getTensor(interpreter.getOutputDetails()[0]!.index);
        }),
      );
      expect(fast, `${op} over ${axes}`).toEqual(plain);
      expect((plain as Float32Array).some(Number.isNaN)).toBe(true);
    }
  }
});

it("leaves pools of more images than a list holds to the reference", async () => {
  const images = 2 ** 18 + 2;
  const value = { ...defaultsOf("Pool2DOptions"), filter_height: 1, filter_width: 1 };
  const options = { type: "Pool2DOptions", value: { ...value, stride_h: 1, stride_w: 1 } } as const;
  const operand = { shape: [images, 1, 1, 1], dtype: "float32" } as const;
  const interpreter = await Interpreter.create(
    oneOperatorModel("MAX_POOL_2D", options, [operand], operand),
  );
  expect(interpreter.plan()[0]?.kernel).toBeUndefined();
  interpreter.dispose();
});

it("places of the largest and smallest agree along every axis", async () => {
  const operators = fc.constantFrom(["ARG_MAX", "ArgMaxOptions"], ["ARG_MIN", "ArgMinOptions"]);
  const outputs = fc.constantFrom(["INT32", "int32"], ["INT64", "int64"]);
  await fc.assert(
    fc.asyncProperty(
      operators,
      kinds,
      fc.tuple(size, size, size),
      fc.integer({ min: -3, max: 2 }),
      outputs,
      async ([op, type], kind, shape, axis, [output_type, dtype]) => {
        const options = { type, value: { output_type } } as BuiltinOptions;
        const axisOperand = { shape: [1], dtype: "int32", data: Int32Array.of(axis) } as const;
        const model = oneOperatorModel(
          op as BuiltinOperatorName,
          options,
          [activation(kind, shape, 0.1), axisOperand],
          { shape: [1], dtype: dtype as "int32" },
        );
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 100 },
  );
});
