// Octavo, from this checkout's build.
import { readFileSync } from "node:fs";

export async function open({ file, threads, wide = false }) {
  const { Interpreter } = await import("../../../dist/bundle/runtime.js");
  const interpreter = await Interpreter.create(readFileSync(file), { threads, wide });
  // Small models keep 128 bits whatever is asked for, and are measured so.
  const remarks = interpreter.diagnostics.filter(({ id }) => id !== "wide-not-worth");
  if (remarks.length > 0) throw new Error(remarks[0].text);
  const inputs = interpreter.getInputDetails();
  const outputs = interpreter.getOutputDetails();
  return {
    inputs: inputs.map(({ dtype, shape }) => ({ dtype, shape })),
    async run(values) {
      for (const [at, { index }] of inputs.entries()) interpreter.setTensor(index, values[at]);
      await interpreter.invoke();
      return outputs.map(({ index }) => interpreter.getTensor(index));
    },
  };
}
