/** Emitted moves of elements against the reference, for every width of an element. */
import fc from "fast-check";
import { it } from "vitest";
import { defaultsOf } from "../../src/formats/tflite/options.ts";
import type { BuiltinOperatorName, BuiltinOptions } from "../../src/formats/tflite/schema.gen.ts";
import { type OperandSpec, oneOperatorModel } from "../one-operator-model.ts";
import { expectAgreement, RUNS } from "./agreement.ts";

const types = fc.constantFrom("float32" as const, "int8" as const, "uint8" as const);
const shapes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });

function operand(dtype: "float32" | "int8" | "uint8", shape: readonly number[], scale = 0.1) {
  const quantization = { scale: Float32Array.of(scale), zeroPoint: [dtype === "int8" ? -7 : 9] };
  return { shape, dtype, ...(dtype === "float32" ? {} : quantization) } satisfies OperandSpec;
}

function ramp(shape: readonly number[]): Float32Array {
  const length = shape.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length }, (_, index) => index - 3);
}

const indices = (...values: number[]): OperandSpec => ({
  shape: [values.length],
  dtype: "int32",
  data: Int32Array.from(values),
});

it("paddings agree on random axes, with and without a constant", async () => {
  const padding = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }));
  await fc.assert(
    fc.asyncProperty(
      types,
      shapes,
      fc.array(padding, { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      async (dtype, shape, paddings, hasConstant) => {
        const table = shape.flatMap((_, axis) => paddings[axis] ?? []);
        const constant = {
          float32: Float32Array.of(-2.5),
          int8: Int8Array.of(-3),
          uint8: Uint8Array.of(200),
        }[dtype];
        const model = oneOperatorModel(
          hasConstant ? "PADV2" : "PAD",
          undefined,
          [
            operand(dtype, shape),
            { ...indices(...table), shape: [shape.length, 2] },
            ...(hasConstant ? [{ ...operand(dtype, [1]), data: constant }] : []),
          ],
          operand(dtype, [1]),
        );
        await expectAgreement(model, true);
      },
    ),
    RUNS,
  );
});

it("concatenations agree, of uint8 with other scales too", async () => {
  await fc.assert(
    fc.asyncProperty(
      types,
      shapes,
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.tuple(fc.boolean(), fc.boolean()),
      async (dtype, shape, sizes, position, [isRescaled, hasConstant]) => {
        const axis = position % shape.length;
        const value = { ...defaultsOf("ConcatenationOptions"), axis };
        const scaleOf = (index: number) =>
          isRescaled && dtype === "uint8" ? 0.05 * (index + 1) : 0.1;
        const model = oneOperatorModel(
          "CONCATENATION",
          { type: "ConcatenationOptions", value },
          sizes.map((size, index) => {
            const own = operand(dtype, shape.with(axis, size), scaleOf(index));
            // A constant first operand, unless all are constant and nothing is left to run.
            const isConstant = hasConstant && index === 0 && sizes.length > 1;
            return isConstant && dtype === "float32" ? { ...own, data: ramp(own.shape) } : own;
          }),
          operand(dtype, [1]),
        );
        await expectAgreement(model, true);
      },
    ),
    RUNS,
  );
});

it("packs agree along every axis", async () => {
  await fc.assert(
    fc.asyncProperty(types, shapes, fc.integer({ min: 1, max: 4 }), fc.nat(), async (...args) => {
      const [dtype, shape, count, position] = args;
      const axis = position % (shape.length + 1);
      const value = { ...defaultsOf("PackOptions"), axis, values_count: count };
      const model = oneOperatorModel(
        "PACK",
        { type: "PackOptions", value },
        Array.from({ length: count }, () => operand(dtype, shape)),
        operand(dtype, [1]),
      );
      await expectAgreement(model, true);
    }),
    RUNS,
  );
});

it("splits agree along every axis", async () => {
  await fc.assert(
    fc.asyncProperty(
      types,
      shapes,
      fc.integer({ min: 1, max: 3 }),
      fc.nat(),
      fc.constantFrom("SPLIT", "SPLIT_V", "UNPACK"),
      async (dtype, shape, count, position, op) => {
        const axis = position % shape.length;
        const value = operand(dtype, shape.with(axis, op === "SPLIT" ? 2 * count : count));
        const ones = new Array<number>(count).fill(1);
        const model = {
          SPLIT: () => {
            const options = { type: "SplitOptions", value: { num_splits: count } } as const;
            return oneOperatorModel("SPLIT", options, [indices(axis), value], value, count);
          },
          SPLIT_V: () => {
            const options = { type: "SplitVOptions", value: { num_splits: count } } as const;
            const operands = [value, indices(...ones), indices(axis)];
            return oneOperatorModel("SPLIT_V", options, operands, value, count);
          },
          UNPACK: () => {
            const options = { type: "UnpackOptions", value: { num: count, axis } } as const;
            return oneOperatorModel("UNPACK", options, [value], value, count);
          },
        }[op as "SPLIT"]();
        await expectAgreement(model, true);
      },
    ),
    RUNS,
  );
});

/** Operators that only move elements, with operands for a shape of four axes and numbers to choose by. */
const MOVEMENTS: Readonly<
  Record<string, (choice: readonly number[], shape: readonly number[]) => Movement>
> = {
  RESHAPE: (_, shape) => ({ operands: [indices(...shape.toReversed())] }),
  TRANSPOSE: ([first]) => ({ operands: [indices(...PERMUTATIONS[first % 4])] }),
  REVERSE_V2: ([first]) => ({ operands: [indices(first % 4, -1)] }),
  TILE: (choice) => ({ operands: [indices(...choice.map((count) => 1 + (count % 3)))] }),
  BROADCAST_TO: ([first], shape) => ({ operands: [indices(2 + (first % 3), ...shape)] }),
  SLICE: (choice, shape) => ({
    operands: [indices(...choice.map((n, axis) => n % shape[axis])), indices(-1, -1, -1, -1)],
  }),
  STRIDED_SLICE: (choice, shape) => ({
    operands: [
      indices(...choice.map((n, axis) => n % shape[axis])),
      indices(...shape),
      indices(...choice.map((n) => 1 + (n % 3))),
    ],
    options: { type: "StridedSliceOptions", value: defaultsOf("StridedSliceOptions") },
  }),
  GATHER: ([a, b, c], shape) => ({
    operands: [indices(...[a, b, c, a].map((index) => index % shape[1]))],
    options: { type: "GatherOptions", value: { axis: 1, batch_dims: 0 } },
  }),
  MIRROR_PAD: () => ({
    operands: [{ ...indices(0, 0, 1, 0, 0, 1, 0, 0), shape: [4, 2] }],
    options: { type: "MirrorPadOptions", value: { mode: "SYMMETRIC" } },
  }),
  RESIZE_NEAREST_NEIGHBOR: ([a, b]) => ({
    operands: [indices(1 + (a % 9), 1 + (b % 9))],
    options: {
      type: "ResizeNearestNeighborOptions",
      value: { align_corners: a > b, half_pixel_centers: a < b },
    },
  }),
  DEPTH_TO_SPACE: () => ({
    operands: [],
    options: { type: "DepthToSpaceOptions", value: { block_size: 2 } },
    scale: [1, 1, 1, 4],
  }),
  SPACE_TO_DEPTH: () => ({
    operands: [],
    options: { type: "SpaceToDepthOptions", value: { block_size: 2 } },
    scale: [1, 2, 2, 1],
  }),
  BATCH_TO_SPACE_ND: () => ({
    operands: [indices(2, 2), { ...indices(0, 1, 1, 0), shape: [2, 2] }],
    scale: [4, 2, 2, 1],
  }),
};

interface Movement {
  readonly operands: readonly OperandSpec[];
  readonly options?: BuiltinOptions;
  /** The sizes of the shape are multiplied by these. */
  readonly scale?: readonly number[];
}

const PERMUTATIONS = [
  [0, 2, 1, 3],
  [2, 1, 0, 3],
  [1, 2, 0, 3],
  [3, 0, 1, 2],
] as const;

it("movements by shapes and constants agree", async () => {
  const small = fc.integer({ min: 1, max: 4 });
  const sizes = fc.tuple(small, small, small, fc.integer({ min: 8, max: 17 }));
  const choices = fc.array(fc.nat({ max: 30 }), { minLength: 4, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(MOVEMENTS)),
      types,
      sizes,
      choices,
      async (op, dtype, sizes, choice) => {
        const { operands, options, scale } = MOVEMENTS[op](choice, sizes);
        const shape = sizes.map((size, axis) => size * (scale?.[axis] ?? 1));
        const inputs = [operand(dtype, shape), ...operands];
        const name = op as BuiltinOperatorName;
        const model = oneOperatorModel(name, options, inputs, operand(dtype, [1]));
        await expectAgreement(model, true);
      },
    ),
    { ...RUNS, numRuns: 200 },
  );
});
