/** Emitted functions of one operand, softmax and changes of type against the reference. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOperatorName, BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { expectAgreement, RUNS, uniform } from "./agreement.ts";

const shapes = fc.array(fc.integer({ min: 1, max: 11 }), { minLength: 1, maxLength: 3 });
const scales = fc.double({ min: 0.002, max: 0.2, noNaN: true });

function optionsFor(op: string, isApproximate = true): BuiltinOptions | undefined {
  if (op === "LEAKY_RELU") return { type: "LeakyReluOptions", value: { alpha: 0.1 } };
  if (op === "GELU") return { type: "GeluOptions", value: { approximate: isApproximate } };
  return undefined;
}

function bytes(
  dtype: "int8" | "uint8",
  shape: readonly number[],
  scale: number,
  zeroPoint: number,
): OperandSpec {
  const moved = dtype === "int8" ? zeroPoint : zeroPoint + 128;
  return { shape, dtype, scale: Float32Array.of(scale), zeroPoint: [moved] };
}

/** Operators whose emitted code computes what the reference does, number by number. */
const EXACT = ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ABS", "NEG", "SQUARE", "FLOOR"];

it("functions of floats agree", async () => {
  const rounded = ["ELU", "GELU", "HARD_SWISH", "LOGISTIC", "TANH", "EXP"];
  const operators = fc.constantFrom(...EXACT, "CEIL", "ROUND", "LEAKY_RELU", ...rounded);
  await fc.assert(
    fc.asyncProperty(operators, shapes, fc.boolean(), async (op, shape, isApproximate) => {
      const name = op as BuiltinOperatorName;
      const model = oneOperatorModel(name, optionsFor(op, isApproximate), [{ shape }], { shape });
      await expectAgreement(model, EXACT.includes(op));
    }),
    { ...RUNS, numRuns: 120 },
  );
});

it("functions of bytes agree to the bit", async () => {
  const signed = ["ELU", "ABS", "EXP", "LOG", "SQRT"];
  const operators = fc.constantFrom(
    ...["RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "HARD_SWISH", "LOGISTIC", "TANH", "GELU"],
    ...signed,
  );
  const types = fc.constantFrom("int8" as const, "uint8" as const);
  const zeroPoints = fc.integer({ min: -100, max: 100 });
  await fc.assert(
    fc.asyncProperty(
      operators,
      types,
      shapes,
      fc.tuple(scales, scales),
      zeroPoints,
      async (op, dtype, shape, [from, to], zero) => {
        fc.pre(dtype === "int8" || !signed.includes(op));
        fc.pre(op !== "HARD_SWISH" || from < 100 * to);
        const scale = op === "LOGISTIC" ? 2 ** -8 : to;
        const model = oneOperatorModel(
          op as BuiltinOperatorName,
          optionsFor(op),
          [bytes(dtype, shape, from, zero)],
          bytes(dtype, shape, scale, -zero),
        );
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 120 },
  );
});

it("functions of int16 agree to the bit by table", async () => {
  const operators = fc.constantFrom<BuiltinOperatorName>(
    ...(["RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "TANH", "GELU", "ABS", "EXP", "NEG"] as const),
  );
  const length = fc.integer({ min: 8192, max: 20_000 });
  await fc.assert(
    fc.asyncProperty(operators, length, scales, scales, async (op, length, from, to) => {
      const operand = (scale: number): OperandSpec => {
        return { shape: [length], dtype: "int16", scale: Float32Array.of(scale), zeroPoint: [0] };
      };
      const scale = op === "LOGISTIC" || op === "TANH" ? 2 ** -15 : to / 256;
      const model = oneOperatorModel(op, optionsFor(op), [operand(from / 256)], operand(scale));
      await expectAgreement(model, true);
    }),
    { ...RUNS, numRuns: 30 },
  );
});

it("softmax of floats agrees", async () => {
  await fc.assert(
    fc.asyncProperty(shapes, fc.constantFrom(1, 0.3, 40), async (shape, beta) => {
      const value = { ...defaultsOf("SoftmaxOptions"), beta };
      const options: BuiltinOptions = { type: "SoftmaxOptions", value };
      await expectAgreement(oneOperatorModel("SOFTMAX", options, [{ shape }], { shape }), false);
    }),
    RUNS,
  );
});

it("lookups in tables of bytes agree to the bit, with a scale for each row and for all", async () => {
  const table = fc.tuple(fc.integer({ min: 8, max: 12 }), fc.integer({ min: 1, max: 40 }));
  const ids = fc.integer({ min: 1, max: 5 });
  await fc.assert(
    fc.asyncProperty(table, ids, fc.boolean(), async ([rows, depth], count, isPerRow) => {
      const next = uniform(depth);
      const data = Int8Array.from({ length: rows * depth }, () => Math.round(next() * 127));
      const scale = Float32Array.from({ length: isPerRow ? rows : 1 }, () => 0.02 + next() / 99);
      const model = oneOperatorModel(
        "EMBEDDING_LOOKUP",
        undefined,
        [
          { shape: [count], dtype: "int32" },
          { shape: [rows, depth], dtype: "int8", data, scale },
        ],
        { shape: [1] },
      );
      await expectAgreement(model, true);
    }),
    RUNS,
  );
});

it("rows divided by their length agree", async () => {
  const options: BuiltinOptions = { type: "L2NormOptions", value: defaultsOf("L2NormOptions") };
  await fc.assert(
    fc.asyncProperty(shapes, async (shape) => {
      const model = oneOperatorModel("L2_NORMALIZATION", options, [{ shape }], { shape });
      await expectAgreement(model, false);
    }),
    RUNS,
  );
});

it("casts agree", async () => {
  const pairs = fc.constantFrom<
    readonly ["int32" | "float32" | "uint8" | "bool", "int32" | "float32"]
  >(
    ...([
      ["int32", "float32"],
      ["float32", "int32"],
      ["uint8", "float32"],
      ["bool", "float32"],
    ] as const),
  );
  await fc.assert(
    fc.asyncProperty(pairs, shapes, async ([from, to], shape) => {
      const model = oneOperatorModel("CAST", undefined, [{ shape, dtype: from }], {
        shape,
        dtype: to,
      });
      await expectAgreement(model, true);
    }),
    RUNS,
  );
});

it("softmax of bytes agrees to the bit", async () => {
  const types = fc.constantFrom("int8" as const, "uint8" as const);
  await fc.assert(
    fc.asyncProperty(
      types,
      shapes,
      fc.constantFrom(1, 0.3),
      fc.tuple(scales, fc.constantFrom(1 / 256, 0.003, 0.02)),
      async (dtype, shape, beta, [from, to]) => {
        const value = { ...defaultsOf("SoftmaxOptions"), beta };
        const options: BuiltinOptions = { type: "SoftmaxOptions", value };
        const output = bytes(dtype, shape, to, -128);
        const model = oneOperatorModel("SOFTMAX", options, [bytes(dtype, shape, from, 3)], output);
        await expectAgreement(model, true);
      },
    ),
    RUNS,
  );
});

it("changes of type agree to the bit, groups and rest", async () => {
  const types = fc.constantFrom("float32" as const, "int8" as const, "uint8" as const);
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(types, types),
      fc.integer({ min: 1, max: 70 }),
      fc.tuple(scales, scales),
      fc.integer({ min: -100, max: 100 }),
      async ([from, to], length, [a, b], zero) => {
        fc.pre(from !== "float32" || to !== "float32");
        const operand = (dtype: "float32" | "int8" | "uint8", scale: number): OperandSpec =>
          dtype === "float32" ? { shape: [length] } : bytes(dtype, [length], scale, zero);
        const model = oneOperatorModel(
          to === "float32" ? "DEQUANTIZE" : "QUANTIZE",
          undefined,
          [operand(from, a)],
          operand(to, b),
        );
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 120 },
  );
});
