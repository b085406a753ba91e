/** Emitted operators on two operands against the reference, for broadcasts of every kind. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOperatorName, BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { activation, activations, expectAgreement, RUNS, uniform } from "./agreement.ts";

/** A shape, and two that broadcast to it: axes of size 1, or left out in front. */
const broadcasts = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 19 }), one: fc.nat({ max: 2 }) }), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((axes) => fc.tuple(fc.constant(axes), fc.nat({ max: axes.length }), fc.boolean()))
  .map(([axes, dropped, isSwapped]) => {
    const a = axes.map(({ size, one }) => (one === 1 ? 1 : size));
    const b = axes.map(({ size, one }) => (one === 2 ? 1 : size));
    const pair = [a, b.slice(dropped)];
    return isSwapped ? pair.reverse() : pair;
  });

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function withConstant(operand: OperandSpec, isConstant: boolean): OperandSpec {
  if (!isConstant) return operand;
  const next = uniform(8);
  const length = elements(operand.shape);
  const draw = {
    float32: () => Float32Array.from({ length }, next),
    int8: () => Int8Array.from({ length }, () => Math.round(next() * 127)),
    uint8: () => Uint8Array.from({ length }, () => Math.round((next() + 1) * 127)),
    int16: () => Int16Array.from({ length }, () => Math.round(next() * 32767)),
  };
  return { ...operand, data: draw[(operand.dtype ?? "float32") as keyof typeof draw]() };
}

/** Operators with the name of their options; the last two round once where the reference does not round at all. */
const FLOAT_OPERATORS = [
  ["ADD", "AddOptions"],
  ["SUB", "SubOptions"],
  ["MUL", "MulOptions"],
  ["DIV", "DivOptions"],
  ["MAXIMUM", undefined],
  ["MINIMUM", undefined],
  ["SQUARED_DIFFERENCE", undefined],
] as const;

it("pairs of floats agree over every broadcast", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...FLOAT_OPERATORS),
      broadcasts,
      fc.constantFrom("none", "a", "b"),
      activations,
      async ([op, type], [a, b], constant, fused) => {
        const options = type && {
          type,
          value: { ...defaultsOf(type), fused_activation_function: fused },
        };
        const operands = [
          withConstant({ shape: a }, constant === "a"),
          withConstant({ shape: b }, constant === "b"),
        ];
        const model = oneOperatorModel(op, options as BuiltinOptions, operands, { shape: [1] });
        await expectAgreement(model, op !== "SQUARED_DIFFERENCE");
      },
    ),
    { ...RUNS, numRuns: 150 },
  );
});

it("parametric rectifiers agree for a slope per channel and per element", async () => {
  const shapes = fc.constantFrom<readonly (readonly number[])[]>(
    ...[
      [[2, 3, 4, 5], [5]],
      [
        [2, 3, 4, 5],
        [1, 1, 5],
      ],
      [
        [1, 3, 4, 5],
        [3, 4, 5],
      ],
      [[7], [1]],
    ],
  );
  await fc.assert(
    fc.asyncProperty(shapes, fc.boolean(), async ([x, alpha], isConstant) => {
      const operands = [{ shape: x }, withConstant({ shape: alpha }, isConstant)];
      await expectAgreement(oneOperatorModel("PRELU", undefined, operands, { shape: [1] }), true);
    }),
    RUNS,
  );
});

it("pairs of quantized integers agree to the bit over every broadcast and for scales of any ratio", async () => {
  const scales = fc.double({ min: 0.001, max: 0.9, noNaN: true });
  const operators = fc.constantFrom(
    ["ADD", "AddOptions"],
    ["SUB", "SubOptions"],
    ["MUL", "MulOptions"],
  ) as fc.Arbitrary<readonly ["ADD", "AddOptions"]>;
  await fc.assert(
    fc.asyncProperty(
      operators,
      fc.constantFrom("int8" as const, "uint8" as const, "int16" as const),
      broadcasts,
      fc.tuple(scales, scales, scales),
      fc.tuple(activations, fc.boolean()),
      async ([op, type], kind, [a, b], [scaleA, scaleB, out], [fused, isConstant]) => {
        fc.pre(scaleA * scaleB < (kind === "int16" ? 256 * out : out));
        const options = { ...defaultsOf(type), fused_activation_function: fused };
        const operands = [
          activation(kind, a, scaleA),
          withConstant(activation(kind, b, scaleB), isConstant),
        ];
        const model = oneOperatorModel(
          op as BuiltinOperatorName,
          { type, value: options } as BuiltinOptions,
          operands,
          activation(kind, [1], out),
        );
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 150 },
  );
});

it("extremes of integers agree over every broadcast", async () => {
  const types = fc.constantFrom(...(["int8", "uint8", "int16", "int32"] as const));
  const operators = fc.constantFrom("MAXIMUM" as const, "MINIMUM" as const);
  await fc.assert(
    fc.asyncProperty(operators, types, broadcasts, async (op, dtype, [a, b]) => {
      const operands = [{ shape: a, dtype }, withConstant({ shape: b, dtype }, dtype !== "int32")];
      const output = { shape: [1], dtype };
      await expectAgreement(oneOperatorModel(op, undefined, operands, output), true);
    }),
    { ...RUNS, numRuns: 100 },
  );
});

it("comparisons agree over every broadcast", async () => {
  const operators = fc.constantFrom<BuiltinOperatorName>(
    ...(["EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"] as const),
  );
  const types = fc.constantFrom("float32" as const, "int32" as const);
  await fc.assert(
    fc.asyncProperty(operators, types, broadcasts, async (op, dtype, [a, b]) => {
      const operands = [
        { shape: a, dtype },
        { shape: b, dtype },
      ];
      const output = { shape: [1], dtype: "bool" } as const;
      await expectAgreement(oneOperatorModel(op, undefined, operands, output), true);
    }),
    { ...RUNS, numRuns: 100 },
  );
});

it("selections agree, of elements and of single numbers", async () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("SELECT" as const, "SELECT_V2" as const),
      shapes,
      fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
      async (op, shape, [isScalarX, isScalarY, isConstant]) => {
        const scalar = (isScalar: boolean) => (isScalar && op === "SELECT_V2" ? [1] : shape);
        const operands = [
          { shape, dtype: "bool" } as const,
          withConstant({ shape: scalar(isScalarX) }, isConstant),
          { shape: scalar(isScalarY) },
        ];
        await expectAgreement(oneOperatorModel(op, undefined, operands, { shape: [1] }), true);
      },
    ),
    RUNS,
  );
});

/** Shapes of so many results that a table is worth making. */
const LARGE = fc.constantFrom<readonly (readonly number[])[]>(
  ...[
    [
      [90, 95],
      [90, 95],
    ],
    [[7, 40, 31], [31]],
    [
      [9, 1000],
      [9, 1],
    ],
    [[1], [8200]],
  ],
);

it("functions of two bytes agree to the bit by table", async () => {
  const operators = fc.constantFrom<BuiltinOperatorName>(
    ...(["DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU", "LESS", "EQUAL"] as const),
  );
  const scales = fc.double({ min: 0.002, max: 0.2, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      operators,
      fc.constantFrom("int8" as const, "uint8" as const),
      LARGE,
      fc.tuple(scales, scales),
      async (op, kind, [a, b], [scale, other]) => {
        fc.pre(op !== "SQUARED_DIFFERENCE" || kind === "int8");
        fc.pre(op !== "PRELU" || a[0] !== 1);
        const isExtremum = op === "MAXIMUM" || op === "MINIMUM";
        const operands = [
          activation(kind, a, scale),
          activation(kind, b, isExtremum ? scale : other),
        ];
        const output = activation(kind, [1], isExtremum ? scale : 0.1);
        const isComparison = op === "LESS" || op === "EQUAL";
        const model = oneOperatorModel(
          op,
          undefined,
          operands,
          isComparison ? { shape: [1], dtype: "bool" } : output,
        );
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 40 },
  );
});
