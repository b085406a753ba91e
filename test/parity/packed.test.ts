/**
 * Operators that take any element type, on int4: two elements share a byte. Each answers as on int8, or refuses the type;
 * an answer is never wrong in silence.
 */
import { describe, expect, it } from "vitest";
import { isOctavoError } from "../../src/base/errors.ts";
import { referenceKernel } from "../../src/kernels/reference/table.ts";
import { type RecordedCase, readCases, runCase } from "./operator-case.ts";

const CASES = ["pairs", "singles", "movement", "folding"].flatMap((file) =>
  readCases(`${file}.json.gz`),
);

/** Cases on plain int8, one for each name. */
const BYTES = CASES.filter(({ inputs, outputs }) =>
  [...inputs, ...outputs].some((operand) => operand?.dtype === "int8" && !operand.scale),
);

type Operand = NonNullable<RecordedCase["inputs"][number]>;

/** The operand with its elements brought into the range of int4. */
function small(operand: Operand): Operand {
  if (operand.dtype !== "int8" || typeof operand.data !== "string") return operand;
  const data = Buffer.from(operand.data, "base64").map((byte) => ((byte << 28) >> 28) & 255);
  return { ...operand, data: Buffer.from(data).toString("base64") };
}

function packed(operand: Operand): Operand {
  if (operand.dtype !== "int8") return operand;
  if (typeof operand.data !== "string") return { ...operand, dtype: "int4" };
  const elements = Buffer.from(operand.data, "base64");
  const bytes = Buffer.alloc(Math.ceil(elements.length / 2));
  elements.forEach((element, i) => {
    bytes[i >> 1]! |= (element & 15) << (4 * (i & 1));
  });
  return { ...operand, dtype: "int4", data: bytes.toString("base64") };
}

function change(recorded: RecordedCase, by: (operand: Operand) => Operand): RecordedCase {
  const inputs = recorded.inputs.map((operand) => operand && by(operand));
  return { ...recorded, inputs, outputs: recorded.outputs.map(by) };
}

/** What the case gives, int4 as numbers; undefined where it is refused. */
function answer(recorded: RecordedCase): number[][] | undefined {
  try {
    return runCase(referenceKernel(recorded.op)!, recorded).map(({ dtype, data, shape }) => {
      if (dtype !== "int4") return Array.from(data as Int8Array, Number);
      const count = shape.reduce((product, size) => product * size, 1);
      const bytes = data as Uint8Array;
      return Array.from({ length: count }, (_, i) => (bytes[i >> 1]! << (28 - 4 * (i & 1))) >> 28);
    });
  } catch (error) {
    if (isOctavoError(error)) return undefined;
    throw error;
  }
}

/** Results as an int4 tensor can hold them. */
function wrapped(results: number[][], outputs: RecordedCase["outputs"]): number[][] {
  return results.map((values, at) =>
    outputs[at]!.dtype === "int8" ? values.map((value) => (value << 28) >> 28) : values,
  );
}

describe("packed elements", () => {
  it.each(BYTES.map((recorded) => [recorded.name, recorded] as const))("%s", (_, recorded) => {
    const bytes = change(recorded, small);
    const got = answer(change(bytes, packed));
    if (got === undefined) return;
    const wanted = answer(bytes);
    expect(wanted).toBeDefined();
    expect(got).toEqual(wrapped(wanted!, recorded.outputs));
  });

  it("serve some operators at least", () => {
    const served = BYTES.filter((recorded) => answer(change(change(recorded, small), packed)));
    expect(served.length).toBeGreaterThan(20);
  });
});
