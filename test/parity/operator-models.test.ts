/**
 * Whole models of one operator against recorded answers of TensorFlow Lite 2.21's interpreter (builtin kernels without
 * delegate): sparse constants, states over several steps, results that the file names wrongly. Integers are identical,
 * floats within 1e-5 of the largest value. The models are made by scripts/fixtures/operators/models.py.
 */
import { describe, expect, it } from "vitest";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import type { KernelChoice } from "../../src/runtime/interpreter-options.ts";
import { fileOf, type RecordedModel, readModels, recordedFiles } from "../recorded-models.ts";
import { decode, difference } from "./operator-case.ts";

/** What differs from the recorded answers, step by step; empty when nothing does. */
async function differences(recorded: RecordedModel, kernels: KernelChoice): Promise<string[]> {
  const interpreter = await Interpreter.create(fileOf(recorded), { kernels });
  const found: string[] = [];
  for (const [step, { inputs, outputs }] of recorded.steps.entries()) {
    for (const [position, { index, dtype }] of interpreter.getInputDetails().entries()) {
      interpreter.setTensor(index, decode(dtype, inputs[position]!));
    }
    await interpreter.invoke();
    for (const [position, { index, dtype, shape }] of interpreter.getOutputDetails().entries()) {
      const wanted = outputs[position]!;
      expect(dtype, recorded.name).toBe(wanted.dtype);
      const want = { ...wanted, data: decode(dtype, wanted.data) };
      const text = difference({ dtype, shape, data: interpreter.getTensor(index) }, want);
      if (text !== "") found.push(`${recorded.name}, step ${step}, output ${position}: ${text}`);
    }
  }
  interpreter.dispose();
  return found;
}

/** Models with the answers of twins that the official kernels get right: float ones, time-major ones. */
const TWINS = "twins.json.gz";

/** The largest distance from the recorded real numbers, in steps of the output's scale; of 1e-5 for floats. */
async function stepsFromTwin(recorded: RecordedModel): Promise<number> {
  const interpreter = await Interpreter.create(fileOf(recorded));
  const [output] = interpreter.getOutputDetails();
  const scale = output!.quantization?.scale[0] ?? 1e-5;
  const zero = output!.quantization?.zeroPoint[0] ?? 0;
  let most = 0;
  for (const { inputs, outputs } of recorded.steps) {
    for (const [position, { index, dtype }] of interpreter.getInputDetails().entries()) {
      interpreter.setTensor(index, decode(dtype, inputs[position]!));
    }
    await interpreter.invoke();
    const real = decode("float32", outputs[0]!.data) as Float32Array;
    const stored = interpreter.getTensor(output!.index) as Int8Array | Float32Array;
    for (const [i, q] of stored.entries()) {
      const value = stored instanceof Float32Array ? q : scale * (q - zero);
      most = Math.max(most, Math.abs(value - real[i]!) / scale);
    }
  }
  interpreter.dispose();
  return most;
}

describe("recorded twins", () => {
  it.each(readModels(TWINS).map((recorded) => [recorded.name, recorded] as const))(
    "%s stays within a step of its twin",
    async (_, recorded) => {
      expect(await stepsFromTwin(recorded)).toBeLessThan(1);
    },
  );
});

describe.each(recordedFiles().filter((file) => file !== TWINS))("recorded models %s", (file) => {
  it.each(["reference", "auto"] as const)(
    "answer as TensorFlow Lite with %s kernels",
    async (kernels) => {
      const found: string[] = [];
      for (const recorded of readModels(file))
        found.push(...(await differences(recorded, kernels)));
      expect(found).toEqual([]);
    },
  );
});
