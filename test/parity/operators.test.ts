/**
 * Every operator against recorded answers of TensorFlow Lite 2.21's interpreter (builtin kernels without delegate):
 * integers identical, floats within 1e-5 of the largest value. The cases are made by scripts/fixtures/operators.
 */
import { describe, expect, it } from "vitest";
import { referenceCustomKernel, referenceKernel } from "../../src/kernels/reference/table.ts";
import { difference, expectedOf, type RecordedCase, readCases, runCase } from "./operator-case.ts";

/** Where the official answer is not the right one, ours differs on purpose. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  "REDUCE_PROD quantized int8 3 same scale":
    "the official kernel wraps around where the product is out of range",
  "REDUCE_WINDOW ADD bool": "the official kernel writes counts into booleans",
  "GELU True quantized int16 0":
    "tanh of one table entry is on a tie, and platforms round it differently",
};

function differences(recorded: RecordedCase): string {
  const { op, custom } = recorded;
  const kernel = custom ? referenceCustomKernel(op) : referenceKernel(op);
  if (kernel === undefined) return "no kernel";
  const results = runCase(kernel, recorded);
  const expected = expectedOf(recorded);
  return results
    .map((result, i) => difference(result, expected[i]))
    .filter(Boolean)
    .join("; ");
}

const FILES = ["pairs", "singles", "movement", "folding", "audio", "edges"];

describe.each(FILES)("recorded %s", (file) => {
  const byOperator = new Map<string, RecordedCase[]>();
  for (const recorded of readCases(`${file}.json.gz`)) {
    byOperator.set(recorded.op, [...(byOperator.get(recorded.op) ?? []), recorded]);
  }
  it.each([...byOperator])("%s answers as TensorFlow Lite does", (_, cases) => {
    const wrong = cases
      .filter(({ name }) => !(name in DEVIATIONS))
      .map((recorded) => ({ name: recorded.name, difference: differences(recorded) }))
      .filter(({ difference: found }) => found !== "");
    expect(wrong).toEqual([]);
  });
});
