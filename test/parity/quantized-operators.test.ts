/**
 * Quantized operators against the same operator on the real numbers that the integers stand for: the results differ by
 * no more than a few steps of the output's scale, on random shapes, scales and zero points.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { referenceKernel } from "../../src/kernels/reference/table.ts";
import { type RecordedCase, runCase } from "./operator-case.ts";

interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
}

interface Subject {
  readonly op: string;
  readonly operands: 1 | 2;
  /** Steps of the output's scale that the integer form may be off by. */
  readonly steps: number;
  readonly options?: RecordedCase["options"];
  /** Axis of a reduction. */
  readonly axis?: number;
  /** The output's grid where the operator has one built in. */
  readonly output?: Grid;
}

const NONE = { fused_activation_function: "NONE" };

const SUBJECTS: readonly Subject[] = [
  { op: "ADD", operands: 2, steps: 1, options: { type: "AddOptions", value: NONE } },
  { op: "SUB", operands: 2, steps: 1, options: { type: "SubOptions", value: NONE } },
  { op: "MUL", operands: 2, steps: 1, options: { type: "MulOptions", value: NONE } },
  { op: "RELU", operands: 1, steps: 1 },
  { op: "RELU6", operands: 1, steps: 1 },
  { op: "RELU_N1_TO_1", operands: 1, steps: 1 },
  { op: "RELU_0_TO_1", operands: 1, steps: 1 },
  { op: "HARD_SWISH", operands: 1, steps: 2 },
  { op: "SQUARED_DIFFERENCE", operands: 2, steps: 1 },
  { op: "SUM", operands: 1, steps: 1, axis: -1 },
  { op: "MEAN", operands: 1, steps: 1, axis: 0 },
  {
    op: "LEAKY_RELU",
    operands: 1,
    steps: 1,
    options: { type: "LeakyReluOptions", value: { alpha: 0.2 } },
  },
  { op: "ELU", operands: 1, steps: 1 },
  { op: "GELU", operands: 1, steps: 1, options: { type: "GeluOptions", value: {} } },
  { op: "ABS", operands: 1, steps: 1 },
  { op: "EXP", operands: 1, steps: 1 },
  { op: "LOGISTIC", operands: 1, steps: 1, output: { scale: 1 / 256, zeroPoint: -128 } },
  { op: "TANH", operands: 1, steps: 1, output: { scale: 1 / 128, zeroPoint: 0 } },
];

const grid = fc.record({
  scale: fc.double({ min: 0.01, max: 0.1, noNaN: true }).map(Math.fround),
  zeroPoint: fc.integer({ min: -128, max: 127 }),
});

const encode = (data: Int8Array | Int32Array | Float32Array) =>
  Buffer.from(data.buffer).toString("base64");

/** The case on integers, or on the numbers they stand for. */
function caseOf(
  { op, options, axis }: Subject,
  operands: readonly {
    readonly shape: number[];
    readonly values: Int8Array;
    readonly grid: Grid;
  }[],
  output: Grid,
  quantized: boolean,
): RecordedCase {
  const inputs = operands.map(({ shape, values, grid: { scale, zeroPoint } }) => {
    const data = quantized ? values : Float32Array.from(values, (q) => scale * (q - zeroPoint));
    const operand = { dtype: quantized ? "int8" : "float32", shape, data: encode(data) } as const;
    return quantized ? { ...operand, scale: [scale], zeroPoint: [zeroPoint] } : operand;
  });
  const result = quantized
    ? { dtype: "int8" as const, shape: [], scale: [output.scale], zeroPoint: [output.zeroPoint] }
    : { dtype: "float32" as const, shape: [] };
  const axes = { dtype: "int32", shape: [1], data: encode(Int32Array.of(axis ?? 0)) } as const;
  const operandsAndAxes = axis === undefined ? inputs : [...inputs, { ...axes, constant: true }];
  const recorded = {
    name: `${op} ${quantized}`,
    op,
    version: 1,
    inputs: operandsAndAxes,
    outputs: [result],
  };
  return options === undefined ? recorded : { ...recorded, options };
}

describe("quantized operators", () => {
  it.each(SUBJECTS.map((subject) => [subject.op, subject] as const))(
    "%s on int8 stays within a step of the real result",
    (op, subject) => {
      const kernel = referenceKernel(op)!;
      const shapes = fc.constantFrom<number[][][]>(
        [
          [3, 5],
          [3, 5],
        ],
        [
          [2, 1, 4],
          [3, 1],
        ],
        [[7], [1]],
      );
      fc.assert(
        fc.property(
          shapes,
          fc.array(grid, { minLength: 3, maxLength: 3 }),
          fc.nat(),
          (shape, grids, seed) => {
            const operands = shape.slice(0, subject.operands).map((own, k) => {
              const count = own.reduce((product, size) => product * size, 1);
              const values = Int8Array.from(
                { length: count },
                (_, i) => (seed * 31 + i * 97 + k * 13) % 256,
              );
              return { shape: own, values, grid: grids[k]! };
            });
            const output = subject.output ?? grids[2]!;
            const [stored] = runCase(kernel, caseOf(subject, operands, output, true));
            const [real] = runCase(kernel, caseOf(subject, operands, output, false));
            const lowest = output.scale * (-128 - output.zeroPoint);
            const highest = output.scale * (127 - output.zeroPoint);
            const reals = real!.data as Float32Array;
            const errors = Array.from(stored!.data as Int8Array, (q, i) => {
              const wanted = Math.min(highest, Math.max(lowest, reals[i]!));
              return Math.abs(output.scale * (q - output.zeroPoint) - wanted);
            });
            expect(Math.max(...errors)).toBeLessThanOrEqual(output.scale * (subject.steps + 1e-3));
          },
        ),
        { numRuns: 100 },
      );
    },
  );
});
