/**
 * Operators given operands that no converter writes: index operands with values far outside, and operands of other
 * shapes. Each must answer or throw an error of ours, in bounded memory.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { referenceCustomKernel, referenceKernel } from "../../src/kernels/reference/table.ts";
import { type RecordedCase, readCases, runCase } from "../parity/operator-case.ts";

const FILES = ["pairs", "singles", "movement", "folding", "audio"];
const CASES = FILES.flatMap((file) => readCases(`${file}.json.gz`));

/** The first case of each operator, and those whose name asks for it. */
const SAMPLES = CASES.filter(
  (recorded, i) => CASES.findIndex(({ op }) => op === recorded.op) === i,
);

const HOSTILE_INTEGERS = [-(2 ** 31), -100, -2, -1, 0, 1, 2, 3, 7, 100, 65_536, 2 ** 31 - 1];

/** Integers that say where or how much: axes, shapes, indices. */
function isIndexOperand(recorded: RecordedCase, i: number): boolean {
  const operand = recorded.inputs[i];
  const isInteger = operand?.dtype === "int32" || operand?.dtype === "int64";
  return isInteger && (i > 0 || recorded.inputs.length === 1 || recorded.op === "SPLIT");
}

function encodeIntegers(dtype: string, values: readonly number[]): string {
  const data = dtype === "int64" ? BigInt64Array.from(values, BigInt) : Int32Array.from(values);
  return Buffer.from(data.buffer).toString("base64");
}

function withOperand(
  recorded: RecordedCase,
  i: number,
  change: Partial<NonNullable<RecordedCase["inputs"][number]>>,
): RecordedCase {
  const operand = recorded.inputs[i];
  if (!operand) return recorded;
  return { ...recorded, inputs: recorded.inputs.with(i, { ...operand, ...change }) };
}

/** Runs a case and lets pass only results and errors of ours. */
function runHostile(recorded: RecordedCase): void {
  const { op, custom } = recorded;
  const kernel = custom ? referenceCustomKernel(op) : referenceKernel(op);
  expect(kernel, op).toBeDefined();
  try {
    runCase(kernel!, recorded, 100_000);
  } catch (error) {
    if (!isOctavoError(error)) throw new Error(`${recorded.name} escaped`, { cause: error });
  }
}

describe("operators with hostile operands", () => {
  const indexed = SAMPLES.filter(({ inputs }, s) =>
    inputs.some((_, i) => isIndexOperand(SAMPLES[s]!, i)),
  );

  it.each(indexed.map((recorded) => [recorded.op, recorded] as const))(
    "%s takes or refuses any index",
    (_, recorded) => {
      const positions = recorded.inputs.flatMap((_, i) => (isIndexOperand(recorded, i) ? [i] : []));
      fc.assert(
        fc.property(
          fc.constantFrom(...positions),
          fc.array(fc.constantFrom(...HOSTILE_INTEGERS), { minLength: 64, maxLength: 64 }),
          (i, values) => {
            const { dtype, shape } = recorded.inputs[i]!;
            const count = shape.reduce((product, size) => product * size, 1);
            const data = encodeIntegers(dtype, values.slice(0, count));
            runHostile(withOperand(recorded, i, { data }));
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  it.each(SAMPLES.map((recorded) => [recorded.op, recorded] as const))(
    "%s takes or refuses operands of any shape",
    (_, recorded) => {
      fc.assert(
        fc.property(
          fc.nat(recorded.inputs.length - 1),
          fc.array(fc.constantFrom<number[]>(0, 1, 2, 3, 5), { maxLength: 5 }),
          (i, shape) => {
            const operand = recorded.inputs[i];
            if (!operand || operand.dtype === "string") return;
            const count = shape.reduce((product, size) => product * size, 1);
            const bytes = { float64: 8, int64: 8, uint64: 8, complex64: 8, int16: 2, float16: 2 };
            const width = bytes[operand.dtype as "int64"] ?? (/8|bool/.test(operand.dtype) ? 1 : 4);
            const data = Buffer.alloc(count * width, 1).toString("base64");
            runHostile(withOperand(recorded, i, { shape, data }));
          },
        ),
        { numRuns: 40 },
      );
    },
  );
});
