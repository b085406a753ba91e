/**
 * 256-bit kernels and measured tiles change speed, never results. Engines without 256-bit code (Node 20) say so and run
 * the 128-bit kernels; `.ci/run` runs this file under a newer Node too.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toModelInput } from "../../src/evaluate/preprocess.ts";
import { randomInput, randomSequence } from "../../src/evaluate/random-inputs.ts";
import { probeFeatures } from "../../src/kernels/simd/probe.ts";
import { Interpreter } from "../../src/runtime/interpreter.ts";
import type { InterpreterOptions } from "../../src/runtime/interpreter-options.ts";

const MODELS = ["cnn_float", "cnn_dynamic_range", "cnn_int8", "lstm"] as const;

/** All outputs of three runs on seeded random inputs. */
async function outputsOf(model: Uint8Array, options: InterpreterOptions) {
  const interpreter = await Interpreter.create(model, options);
  const random = randomSequence(7);
  const outputs: unknown[] = [];
  for (let run = 0; run < 3; run++) {
    for (const input of interpreter.getInputDetails()) {
      interpreter.setTensor(input.index, toModelInput(randomInput(input, random), input));
    }
    await interpreter.invoke();
    outputs.push(interpreter.getOutputDetails().map(({ index }) => interpreter.getTensor(index)));
  }
  const { diagnostics } = interpreter;
  interpreter.dispose();
  return { outputs, diagnostics };
}

describe.each(MODELS)("%s", (name) => {
  const model = readFileSync(new URL(`../fixtures/tflite/${name}.tflite`, import.meta.url));

  it("has 256-bit kernels that give the same bits, or says that there are none", async () => {
    const plain = await outputsOf(model, {});
    const wide = await outputsOf(model, { wide: true });
    expect(wide.outputs).toEqual(plain.outputs);
    // These models are small: the check of all steps is what this runs wide code for.
    const expected = probeFeatures()?.relaxed ? ["wide-not-worth"] : ["no-wide"];
    expect(wide.diagnostics.map(({ id }) => id)).toEqual(expected);
  });

  it("gives the same bits with the usual tiles", async () => {
    const measured = await outputsOf(model, {});
    expect((await outputsOf(model, { tiles: "usual" })).outputs).toEqual(measured.outputs);
  });
});
